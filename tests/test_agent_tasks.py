"""Tasks: each file of tests/tasks, planned as it is written there, with the miniature's tools."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from agent.store import Store
from benchmarks.tasks import Task, carry_out, load, problems
from tools.registry import discover
from tools.toolbox import LocalToolbox

TASKS = load()


def test_there_are_tasks_for_every_tool() -> None:
    assert len(TASKS) >= 60
    used = Counter(tool for task in TASKS for tool in set(task.tools))
    assert set(discover()) <= used.keys()


@pytest.mark.parametrize("task", TASKS, ids=[task.name for task in TASKS])
async def test_a_task_comes_out_as_it_is_written(
    task: Task, miniature: LocalToolbox, tmp_path: Path
) -> None:
    if task.needs:
        pytest.skip(f"needs {task.needs}")
    alive = set(miniature.names())
    needed = {*task.tools, *(("generate",) if task.before else ())}
    if absent := needed - alive:
        pytest.skip(f"not alive in the miniature: {', '.join(sorted(absent))}")
    store = Store(tmp_path)
    result = await carry_out(task, miniature, store)
    store.close()
    assert problems(task, result) == []
