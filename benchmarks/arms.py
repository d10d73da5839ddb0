"""Arms: the three ways to a picture that StickerEval compares, all through the real tools."""

from __future__ import annotations

import time
from dataclasses import dataclass

from agent import loop
from agent.events import Done, Failed
from agent.plan import Call, Plan
from agent.planner import Planner, PlanRequest
from agent.store import Store
from benchmarks.stickereval_prompts import Prompt
from tools.errors import Unavailable
from tools.generate import GenerateInput, GenerateOutput
from tools.score import ScoreInput, ScoreOutput
from tools.toolbox import Toolbox
from tools.values import Image


class Verbatim:
    """A planner that draws the request word for word, so that the loop alone is measured."""

    async def plan(self, request: PlanRequest) -> Plan:
        """One call of `generate`."""
        return Plan(calls=(Call(id="c1", tool="generate", input={"prompt": request.text}),))


@dataclass(frozen=True)
class Shot:
    """A picture, how many were drawn for it, and the seconds of wall time it took."""

    image: Image
    pictures: int
    seconds: float


@dataclass(frozen=True)
class Looped:
    """What the loop handed over, with its own opinion of it."""

    shot: Shot
    stopped: str
    repairs: int
    verdicts: dict[str, str]
    overhead: float


async def best_of(prompt: Prompt, number: int, toolbox: Toolbox) -> tuple[Shot, Image]:
    """The one of `number` that `score` likes best, and the first, which is the single shot."""
    started = time.perf_counter()
    images = await _draw(prompt, number, toolbox)
    asked = [ScoreInput(image=image, text=prompt.text) for image in images]
    answers = await toolbox.call_many("score", asked)
    scores = [one.score for one in answers if isinstance(one, ScoreOutput)]
    if len(scores) < len(images):
        raise Unavailable(f"score gave {len(scores)} answers to {len(images)} pictures")
    pick = max(range(number), key=lambda i: scores[i])
    return Shot(images[pick], number, time.perf_counter() - started), images[0]


async def looped(
    prompt: Prompt, seconds: float, toolbox: Toolbox, store: Store, planner: Planner
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
    async for event in events:
        if isinstance(event, Failed):
            raise Unavailable(f"{prompt.id}: the loop failed: {event.message}")
        if isinstance(event, Done):
            result = event.result
            image = store.get(result.images[0].id)
            return Looped(
                Shot(image, result.budget.pictures, time.perf_counter() - started),
                result.stopped,
                result.budget.repairs,
                {check.claim.text: check.verdict for check in result.checks},
                result.budget.overhead,
            )
    raise Unavailable(f"{prompt.id}: the loop ended without a result")


async def _draw(prompt: Prompt, number: int, toolbox: Toolbox) -> tuple[Image, ...]:
    asked = GenerateInput(prompt=prompt.text, n=number, seed=prompt.seed)
    drawn = await toolbox.call("generate", asked)
    assert isinstance(drawn, GenerateOutput)
    return drawn.images
