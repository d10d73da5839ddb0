"""Budget: loading weights neither counts nor ends a run, and what was used is said."""

from __future__ import annotations

import asyncio
import time

import pytest

from agent.budget import Budget
from agent.reply import ending_sentences


async def test_loading_inside_a_limit_does_not_end_it() -> None:
    taken = 0.0
    budget = Budget(0.3, loading={"tools": lambda: taken})
    async with budget.within():
        for _ in range(20):
            began = time.perf_counter()
            await asyncio.sleep(0.03)
            taken += time.perf_counter() - began
    assert budget.loaded() > 0.5
    assert budget.left() > 0


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


def test_the_reply_says_what_was_used_and_what_was_not_counted() -> None:
    now, taken = [0.0], [0.0]
    budget = Budget(60.0, clock=lambda: now[0], loading={"tools": lambda: taken[0]})
    now[0], taken[0], budget.pictures = 15.5, 3.1, 2
    (sentence,) = ending_sentences("passed", budget.spent())
    assert "12.4 of 60 s used, 2 pictures drawn; 3.1 s of loading not counted" in sentence.text
