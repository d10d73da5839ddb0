"""Arms: the three ways to a picture that StickerEval compares, all through the real tools.

All begin with what the agent's plan draws at once: by `generate` or, where the measured rates say
so, by `layout` (agent/opening.py). *Single* is that picture, neither looked at nor mended. *Best of
N* draws it from N seeds, an arrangement of its own for each, and hands over the one that `score`
likes best. The *loop* looks at it and mends it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Protocol

from agent import loop
from agent.events import Checked, Done, Event, Failed, ToolFinished
from agent.loop import Work
from agent.opening import first_shot
from agent.plan import Call, Plan
from agent.planner import Planner, PlanRequest
from agent.planning import aims_of
from agent.running import Order
from agent.state import RunResult
from agent.steps import Steps
from agent.store import Store
from tools.errors import Unavailable
from tools.generate import GenerateOutput
from tools.score import ScoreInput, ScoreOutput
from tools.toolbox import Toolbox
from tools.values import Image


class Asked(Protocol):
    """What an arm needs to know of a prompt."""

    @property
    def id(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def seed(self) -> int: ...


class Verbatim:
    """A planner that draws the request word for word, so that the loop alone is measured."""

    async def plan(self, request: PlanRequest) -> Plan:
        """One call of `generate`."""
        return Plan(calls=(Call(id="c1", tool="generate", input={"prompt": request.text}),))


@dataclass(frozen=True)
class Moment:
    """The picture that an arm would hand over if it were stopped now."""

    image: Image
    seconds: float
    """Of wall time since it began."""


@dataclass(frozen=True)
class Shots:
    """Pictures drawn at once: the first as soon as it is there, then the best after each."""

    first: Moment
    moments: tuple[Moment, ...]
    tool: str

    @property
    def image(self) -> Image:
        """The best of all."""
        return self.moments[-1].image

    @property
    def seconds(self) -> float:
        """Of wall time for all of them."""
        return self.moments[-1].seconds

    @property
    def pictures(self) -> int:
        """How many were drawn."""
        return len(self.moments)


@dataclass(frozen=True)
class Looped:
    """What the loop handed over, with its own opinion of it."""

    image: Image
    moments: tuple[Moment, ...]
    """Each picture that stood as the best, from when it did."""
    result: RunResult
    seconds: float

    @property
    def pictures(self) -> int:
        """How many were drawn for it."""
        return self.result.budget.pictures


async def best_of(
    prompt: Asked, number: int, toolbox: Toolbox, store: Store, planner: Planner
) -> Shots:
    """Draw the plan's first shot from `number` seeds, and score each."""
    order = Order(request=prompt.text, seed=prompt.seed, budget_s=None)
    work = Work(order, toolbox, planner, store, None)
    work.open((), None)
    run, plan = work.run, (await Steps(work.run).plan({}))["plan"]
    (call,) = plan.calls
    claims = aims_of(run, plan)[call.id]
    started = time.perf_counter()
    first: Moment | None = None
    moments: list[Moment] = []
    best, tool = -1.0, call.tool
    for seed in range(prompt.seed, prompt.seed + number):
        mine = replace(run, order=order.model_copy(update={"seed": seed}))
        shot = first_shot(mine, call, claims)
        tool = shot.tool
        asked = toolbox.tool(tool).parse({**shot.input, "seed": seed})
        drawn = await toolbox.call(tool, asked)
        assert isinstance(drawn, GenerateOutput)
        image = drawn.images[0]
        first = first or Moment(image, time.perf_counter() - started)
        scored = await toolbox.call("score", ScoreInput(image=image, text=prompt.text))
        assert isinstance(scored, ScoreOutput)
        if scored.score > best:
            best = scored.score
        else:
            image = moments[-1].image
        moments.append(Moment(image, time.perf_counter() - started))
    await work.close("done", None)
    assert first is not None
    return Shots(first, tuple(moments), tool)


async def looped(
    prompt: Asked, seconds: float, toolbox: Toolbox, store: Store, planner: Planner
) -> Looped:
    """What the agent's loop hands over within a budget of wall time."""
    started = time.perf_counter()
    events = loop.run(
        prompt.text,
        (),
        toolbox=toolbox,
        planner=planner,
        store=store,
        seed=prompt.seed,
        budget_s=seconds,
    )
    seen: dict[str, float] = {}
    async for event in events:
        after = time.perf_counter() - started
        if isinstance(event, Failed):
            raise Unavailable(f"{prompt.id}: the loop failed: {event.message}")
        if isinstance(event, Done):
            image = store.get(event.result.images[0].id)
            moments = tuple(Moment(store.get(one), at) for one, at in seen.items())
            return Looped(image, moments, event.result, after)
        if identity := _standing(event):
            seen.setdefault(identity, after)
    raise Unavailable(f"{prompt.id}: the loop ended without a result")


def _standing(event: Event) -> str | None:
    """The picture that stands as the best from this event on, if it changes that."""
    if isinstance(event, Checked):
        return event.image
    if isinstance(event, ToolFinished) and event.call == "c1" and event.record.output:
        images = event.record.output.get("images")
        return str(images[0]) if isinstance(images, list) else None
    return None
