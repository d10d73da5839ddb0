"""Budget: loading weights neither counts nor ends a run, and what was used is said."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from agent import loop
from agent.budget import Budget
from agent.events import Done
from agent.plan import Call, Plan
from agent.state import RunResult
from agent.store import Store
from tests.agent_drawn import Classify, Generate, Ground, HereToolbox, Scripted, Vqa
from tests.agent_hands import Layout

SLOW = 3.0  # s that loading takes
ALLOWED = 2.5  # s, less than that


class Loads(HereToolbox):
    """A toolbox whose `layout` loads at its first call, longer than the whole budget."""

    def __init__(self) -> None:
        super().__init__(Wrong, Ground, Vqa, Classify, Layout)
        self._taken = 0.0

    def loading_s(self) -> float:
        return self._taken

    async def call_many(self, name, inputs, progress=None):  # type: ignore[no-untyped-def]
        if name == "layout" and not self._taken:
            began = time.perf_counter()
            while (passed := time.perf_counter() - began) < SLOW:
                self._taken = passed
                await asyncio.sleep(0.02)
            self._taken = SLOW
        return await super().call_many(name, inputs, progress)


class Wrong(Generate):
    """Paint it wrong every time, so that only a layout helps."""

    def right(self, seed: int) -> bool:
        return False


async def drawn(tools: HereToolbox, store: Store, budget_s: float) -> RunResult:
    call = Call(id="c1", tool="generate", input={"prompt": "a red box and a blue bar"})
    stream = loop.run(
        "draw a red box and a blue bar",
        toolbox=tools,
        planner=Scripted(Plan(calls=(call,))),
        store=store,
        budget_s=budget_s,
    )
    done = [event async for event in stream][-1]
    assert isinstance(done, Done)
    return done.result


async def test_a_tool_that_loads_longer_than_the_budget_still_mends(tmp_path: Path) -> None:
    result = await drawn(Loads(), Store(tmp_path), budget_s=ALLOWED)
    assert result.stopped == "passed"
    assert result.budget.loading >= SLOW
    assert result.budget.used < ALLOWED
    assert f"of {ALLOWED:g} s used" in result.reply
    assert f"{result.budget.loading:.1f} s of loading not counted" in result.reply


async def test_time_runs_out_for_what_only_waits() -> None:
    budget = Budget(0.05)
    with pytest.raises(TimeoutError):
        async with budget.within():
            await asyncio.Event().wait()
    async with Budget(None).within():
        pass


def test_what_each_worker_loads_is_its_own() -> None:
    taken = {"tools": 2.0, "planner": 1.0}
    budget = Budget(
        9.0, loading={"tools": lambda: taken["tools"], "planner": lambda: taken["planner"]}
    )
    taken.update(tools=5.0, planner=2.0)
    assert (budget.loaded("tools"), budget.loaded("planner"), budget.loaded()) == (3.0, 1.0, 4.0)
