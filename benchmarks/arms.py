"""Arms: the ways to a picture that StickerEval compares, all through the real tools.

The *model* by itself gets the request word for word, once, or from as many seeds as time allows;
`score` then chooses. The others begin with what the agent's plan draws at once: by `generate` or,
where the measured rates say so, by `layout` (agent/opening.py). *Single* is that picture, neither
looked at nor mended. *Best of N* draws it from N seeds, an arrangement of its own for each, and
hands over the one that `score` likes best. The *loop* looks at it and mends it.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from pydantic import JsonValue

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

NAMES = {
    "model": "model alone",
    "model_best": "model, best of many",
    "single": "single shot",
    "best": "best of N",
    "loop": "loop",
}
ARMS = tuple(NAMES)


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


@dataclass(frozen=True)
class Compared:
    """All arms on one prompt; what is said of each stands under its name."""

    model: Shots
    planned: Shots
    loop: Looped

    @property
    def courses(self) -> dict[str, tuple[Moment, ...]]:
        """What each would have handed over, from when on."""
        return {
            "model": (self.model.first,),
            "model_best": self.model.moments,
            "single": (self.planned.first,),
            "best": self.planned.moments,
            "loop": self.loop.moments,
        }

    @property
    def images(self) -> dict[str, Image]:
        """What each hands over."""
        last = {arm: course[-1].image for arm, course in self.courses.items()}
        return {**last, "loop": self.loop.image}

    @property
    def seconds(self) -> dict[str, float]:
        """Of wall time."""
        last = {arm: course[-1].seconds for arm, course in self.courses.items()}
        return {**last, "loop": self.loop.seconds}

    @property
    def pictures(self) -> dict[str, int]:
        """How many were drawn."""
        drawn = {arm: len(course) for arm, course in self.courses.items()}
        return {**drawn, "loop": self.loop.pictures}


async def compare(
    prompt: Asked, number: int, toolbox: Toolbox, store: Store, planner: Planner
) -> Compared:
    """All arms; best of `number` is timed first, the model alone and the loop get its seconds."""
    planned = await best_of(prompt, number, toolbox, store, planner)
    model = await unplanned(prompt, planned.seconds, toolbox)
    return Compared(model, planned, await looped(prompt, planned.seconds, toolbox, store, planner))


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

    def shot(seed: int) -> Call:
        mine = replace(run, order=order.model_copy(update={"seed": seed}))
        return first_shot(mine, call, claims)

    async def draw(seed: int) -> Image:
        chosen = shot(seed)
        return await _drawn(chosen.tool, {**chosen.input, "seed": seed}, toolbox)

    first, moments = await _scored(prompt, draw, toolbox, lambda made: len(made) < number)
    await work.close("done", None)
    return Shots(first, moments, shot(prompt.seed).tool)


async def unplanned(prompt: Asked, seconds: float, toolbox: Toolbox) -> Shots:
    """Draw the bare request from as many seeds as are begun in time, one at least, and score each.

    Args:
        prompt: its text goes to `generate` as it is.
        seconds: of wall time, after which no further one is begun.
        toolbox: holds `generate` and `score`.
    """

    async def draw(seed: int) -> Image:
        return await _drawn("generate", {"prompt": prompt.text, "seed": seed}, toolbox)

    def more(made: Sequence[Moment]) -> bool:
        return not made or made[-1].seconds < seconds

    return Shots(*await _scored(prompt, draw, toolbox, more), "generate")


async def _drawn(tool: str, given: dict[str, JsonValue], toolbox: Toolbox) -> Image:
    made = await toolbox.call(tool, toolbox.tool(tool).parse(given))
    assert isinstance(made, GenerateOutput)
    return made.images[0]


async def _scored(
    prompt: Asked,
    draw: Callable[[int], Awaitable[Image]],
    toolbox: Toolbox,
    more: Callable[[Sequence[Moment]], bool],
) -> tuple[Moment, tuple[Moment, ...]]:
    """The first picture, and the best after each; `score` chooses."""
    started = time.perf_counter()
    first: Moment | None = None
    moments: list[Moment] = []
    best = -1.0
    while more(moments):
        image = await draw(prompt.seed + len(moments))
        first = first or Moment(image, time.perf_counter() - started)
        scored = await toolbox.call("score", ScoreInput(image=image, text=prompt.text))
        assert isinstance(scored, ScoreOutput)
        if scored.score > best:
            best = scored.score
        else:
            image = moments[-1].image
        moments.append(Moment(image, time.perf_counter() - started))
    assert first is not None
    return first, tuple(moments)


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
