"""Running: what the steps of one run share: its tools, clock, pictures and stream of events."""

from __future__ import annotations

import asyncio
import time
from collections import ChainMap
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TypedDict

from pydantic import Field

from agent.act import Board
from agent.budget import Budget
from agent.checklist import Claim
from agent.drawing import Candidate, Drawing
from agent.events import ApprovalAsked, Event, ProgressMade, ToolFinished
from agent.keeping import Keeper
from agent.messages import Message, Observation
from agent.plan import Plan
from agent.planner import Planner
from agent.rates import Arm, Rate
from agent.state import CallRecord, RunResult, Stopped
from agent.turns import Wishes
from tools.base import Record
from tools.toolbox import Toolbox

Approve = Callable[[ApprovalAsked], Awaitable[bool]]
"""Answers whether calls may run; may take as long as a person takes."""


class LoopState(TypedDict, total=False):
    """What goes from step to step."""

    at: str  # the step that ended last
    plan: Plan
    plans: int  # how often the planner was asked
    mending: bool  # the last plan failed and another is worth asking for
    observations: tuple[Observation, ...]
    drawings: dict[str, Drawing]
    stopped: Stopped | None  # None while there is something to repair
    result: RunResult


class Order(Record):
    """What was asked of a run."""

    request: str
    seed: int = Field(0, ge=0)
    budget_s: float | None = 60.0
    most_calls: int | None = Field(None, ge=1, description="requests to tools; None is no limit")
    most_tokens: int | None = Field(None, ge=1, description="of the language model")
    loop: bool = True
    ask_before: tuple[str, ...] = Field((), description="tools that wait for a person's yes")
    adapt: bool = Field(True, description="whether what earlier runs measured is used")


@dataclass
class Run:
    """What one run works with."""

    order: Order
    toolbox: Toolbox
    planner: Planner
    budget: Budget
    keeper: Keeper
    send: asyncio.Queue[Event | None]
    history: tuple[Message, ...] = ()
    before: tuple[tuple[Claim, ...], ...] = ()
    """Checklists of earlier turns, oldest first."""
    wishes: Wishes = field(default_factory=Wishes)
    approve: Approve | None = None
    """Asked before costly calls; None says yes to all."""
    learnt: Mapping[Arm, Rate] = field(default_factory=dict)
    board: Board = field(default_factory=Board)
    first_step: dict[str, float] = field(default_factory=dict)

    @property
    def request(self) -> str:
        """The person's words."""
        return self.order.request

    def emit(self, event: Event) -> None:
        """Hand an event to whoever follows the run."""
        if isinstance(event, ProgressMade) and event.call not in self.first_step:
            self.first_step[event.call] = time.perf_counter()
        if isinstance(event, ToolFinished):
            output = self.board.outputs.get(event.call)
            if output is not None:
                self.keeper.keep(event.record, output)
        self.send.put_nowait(event)

    def with_pictures(self) -> Board:
        """The same board, on which calls may also name pictures of this run by their ids."""
        pictures = ChainMap(self.keeper.pixels, dict(self.board.pictures))
        return replace(self.board, pictures=pictures)

    def candidates(self, record: CallRecord, arm: str = "") -> tuple[Candidate, ...]:
        """The pictures that a call gave; empty if it failed. Their cost is measured."""
        images, seeds = drawn(record)
        if not images:
            return ()
        self.budget.pictures += len(images)
        working = self.working(record)
        if not arm or record.tool in ("generate", "layout"):
            self.budget.measured("draw", working, len(images))
        return tuple(
            Candidate(image=image, seed=seed, call=record.id, arm=arm)
            for image, seed in zip(images, seeds, strict=True)
        )

    def working(self, record: CallRecord) -> float:
        """Seconds that a call which just ended was at work; before, it waited or loaded."""
        begun = self.first_step.get(record.id)
        return record.seconds if begun is None else min(record.seconds, time.perf_counter() - begun)

    def within_budget(self, drawing: Drawing) -> AbstractAsyncContextManager[None]:
        """Ends a step when the budget does; the first pictures are always drawn and checked."""
        return self.budget.within() if drawing.best else nullcontext()


def drawn(record: CallRecord) -> tuple[tuple[str, ...], tuple[int | None, ...]]:
    """Ids of the pictures that a call gave, and the seed of each where it has one."""
    output = record.output or {}
    images = output.get("images", output.get("image"))
    held = tuple(str(one) for one in (images if isinstance(images, list) else [images]) if one)
    seeds = output.get("seeds")
    if isinstance(seeds, list) and len(seeds) == len(held):
        return held, tuple(seed if isinstance(seed, int) else None for seed in seeds)
    given = record.input.get("seed")
    return held, (given if isinstance(given, int) else None,) * len(held)
