"""Repair benchmark: every repair is tried from the same state, and counted."""

from __future__ import annotations

from pathlib import Path

from agent.store import Store
from benchmarks import repair
from benchmarks.stickereval_prompts import load
from tests.agent_drawn import Classify, Ground, HereToolbox, Vqa
from tests.agent_hands import Edit, Layout
from tests.test_agent_repair import Wrong


async def test_both_first_shots_and_each_repair_are_counted(tmp_path: Path) -> None:
    tools = HereToolbox(Wrong, Ground, Vqa, Classify, Layout, Edit)
    store = Store(tmp_path)
    await repair.tried("a red box", 0, tools, store)
    rates = store.repair_rates([tools.checkpoint_digest(name) for name in tools.names()])
    store.close()
    assert rates["new seeds", "1 thing"].tries == repair.FIRST
    assert rates["new seeds", "1 thing"].gained == 0
    assert rates["layout", "1 thing"].gained == rates["layout", "1 thing"].tries > 0
    assert rates["layout", "colour"].gained == 1
    assert rates["edit", "colour"].gained == 1
    assert rates["new seeds", "colour"].gained == 0
    assert rates["new seeds", "colour"].tries == repair.REDRAWN
    assert "gain a picture" in repair.body(rates)


def test_no_request_is_one_of_stickerevals() -> None:
    asked = {prompt.text for prompt in load()}
    made = repair.prompts(5)
    assert len(made) == 30
    assert not asked & set(made)
