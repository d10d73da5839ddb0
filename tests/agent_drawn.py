"""Drawn: a toolbox of small real tools whose world is flat shapes in the quarters of a picture.

`generate` paints what a prompt names and, for some seeds, paints it wrong; `ground`, `vqa` and
`classify` look at the pixels, each in its own way. So the loop runs for real in milliseconds.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from agent.plan import Plan
from agent.planner import PlanRequest
from tools.base import Progress, Record, Tool
from tools.classify import ClassifyInput, ClassifyOutput, Labelled
from tools.errors import InvalidInput, ToolError, Unavailable
from tools.generate import GenerateInput, GenerateOutput
from tools.ground import Detection, GroundInput, GroundOutput
from tools.values import Box, Image, Pixels
from tools.vqa import VqaInput, VqaOutput

SIDE = 64
QUARTERS = ((4, 4), (4, 36), (36, 4), (36, 36))  # row and column of the top left corner
COLOURS = {
    "red": (226, 59, 48),
    "green": (96, 180, 62),
    "blue": (72, 143, 226),
    "yellow": (252, 226, 43),
}
SHAPES = {"box": (20, 20), "bar": (24, 8), "plank": (8, 24)}  # height, width in px
NUMBERS = ("zero", "one", "two", "three", "four")
THING = re.compile(r"(?:(a|an|one|two|three|four) )?(red|green|blue|yellow)? ?(box|bar|plank)")


class Instant(Tool[Any, Any]):
    """A tool without weights."""

    def load(self, checkpoint: str, device: str, dtype: str) -> None:
        pass


class Generate(Instant):
    """Paint flat shapes."""

    name = "generate"
    input, output = GenerateInput, GenerateOutput
    seconds: ClassVar[float] = 0.0

    def right(self, seed: int) -> bool:
        """Whether a seed is painted as asked."""
        return seed % 5 == 4

    def answer(
        self, requests: Sequence[GenerateInput], progress: Progress | None
    ) -> list[GenerateOutput]:
        made = []
        for request in requests:
            seeds = tuple(request.seed + i for i in range(request.n))
            for step in range(1, 3):
                time.sleep(self.seconds * request.n / 2)
                if progress is not None:
                    progress(step, 2, None)
            made.append(
                GenerateOutput(
                    images=tuple(self._paint(request.prompt, s) for s in seeds), seeds=seeds
                )
            )
        return made

    def _paint(self, prompt: str, seed: int) -> Image:
        right = self.right(seed)
        things = []
        for number, colour, shape in THING.findall(prompt):
            count = NUMBERS.index(number) if number in NUMBERS else 1
            things += [(colour or "red", shape)] * count
        if not right:  # a wrong seed forgets the last thing, or paints it in another colour
            things = things[:-1] if seed % 2 else [("yellow", shape) for _, shape in things]
        pixels = np.full((SIDE, SIDE, 3), 255, np.uint8)
        pixels[0, 0] = seed % 251  # no two seeds give the same picture
        for (colour, shape), (row, column) in zip(things, QUARTERS, strict=False):
            height, width = SHAPES[shape]
            pixels[row : row + height, column : column + width] = COLOURS[colour]
        return Image.from_pixels(pixels)


def things_in(image: Image) -> list[tuple[str, str, Box]]:
    """Colour, shape and box of what is painted in each quarter."""
    found = []
    for row in (0, SIDE // 2):
        for column in (0, SIDE // 2):
            part = image.pixels[row : row + SIDE // 2, column : column + SIDE // 2]
            for colour, rgb in COLOURS.items():
                rows, columns = np.nonzero((part == rgb).all(axis=-1))
                if len(rows) == 0:
                    continue
                box = (
                    float(column + columns.min()),
                    float(row + rows.min()),
                    float(column + columns.max() + 1),
                    float(row + rows.max() + 1),
                )
                size = (int(box[3] - box[1]), int(box[2] - box[0]))
                shape = next(name for name, wanted in SHAPES.items() if wanted == size)
                found.append((colour, shape, box))
    return found


class Ground(Instant):
    """Find shapes."""

    name = "ground"
    input, output = GroundInput, GroundOutput

    def answer(
        self, requests: Sequence[GroundInput], progress: Progress | None
    ) -> list[GroundOutput]:
        return [
            GroundOutput(
                boxes=tuple(
                    Detection(phrase=phrase, box=box, score=0.9)
                    for phrase in request.phrases
                    for _, shape, box in things_in(request.image)
                    if shape == phrase
                )
            )
            for request in requests
        ]


class Classify(Instant):
    """Name the colour of a crop, or its shape where shapes are among the labels."""

    name = "classify"
    input, output = ClassifyInput, ClassifyOutput

    def answer(
        self, requests: Sequence[ClassifyInput], progress: Progress | None
    ) -> list[ClassifyOutput]:
        results = []
        for request in requests:
            part = request.image.crop(request.box) if request.box else request.image
            mean = part.pixels.reshape(-1, 3).mean(axis=0)
            colour = min(COLOURS, key=lambda word: float(np.abs(mean - COLOURS[word]).sum()))
            shapes = [shape for _, shape, box in things_in(request.image) if box == request.box]
            said = shapes[0] if shapes and shapes[0] in request.labels else colour
            labels = sorted(request.labels, key=lambda label: said not in label)
            shares = [0.95] + [0.05 / (len(labels) - 1)] * (len(labels) - 1)
            results.append(
                ClassifyOutput(
                    probabilities=tuple(
                        Labelled(label=label, probability=share)
                        for label, share in zip(labels, shares, strict=True)
                    )
                )
            )
        return results


class Vqa(Instant):
    """Answer questions about shapes."""

    name = "vqa"
    input, output = VqaInput, VqaOutput
    asked: ClassVar[list[str]] = []

    def answer(self, requests: Sequence[VqaInput], progress: Progress | None) -> list[VqaOutput]:
        self.asked.extend(request.question for request in requests)
        return [
            VqaOutput(
                answer=self._answer(request.question, things_in(request.image)), confidence=0.95
            )
            for request in requests
        ]

    def _answer(self, question: str, things: list[tuple[str, str, Box]]) -> str:
        words = re.findall(r"[a-z]+", question)
        shapes = [
            word.removesuffix("es") if word == "boxes" else word.rstrip("s") for word in words
        ]
        named = [shape for shape in shapes if shape in SHAPES]
        mine = [thing for thing in things if named and thing[1] == named[0]]
        if question.startswith("how many"):
            return NUMBERS[len(mine)]
        if "background" in question:
            return "white"
        if question.startswith("what color"):
            return mine[0][0] if mine else "none"
        if question.startswith("is there"):
            colour = next((word for word in words if word in COLOURS), None)
            return "yes" if any(colour in (None, thing[0]) for thing in mine) else "no"
        other = [thing for thing in things if thing[1] == named[1]]
        axis = 0 if "left" in words or "right" in words else 1
        holds = any(
            (one[2][axis] < two[2][axis]) == ("left" in words or "above" in words)
            for one in mine
            for two in other
        )
        return "yes" if holds else "no"


class ShoutInput(Record):
    """What to shout."""

    text: str = Field(min_length=1, description="the words")
    times: int = Field(1, ge=1, le=3, description="how often")
    image: Image | None = Field(None, description="a picture to shout at")


class ShoutOutput(Record):
    """What was shouted."""

    text: str
    parts: tuple[str, ...]


class Shout(Instant):
    """Say words loudly."""

    name = "shout"
    input, output = ShoutInput, ShoutOutput

    def answer(
        self, requests: Sequence[ShoutInput], progress: Progress | None
    ) -> list[ShoutOutput]:
        return [ShoutOutput(text=r.text.upper() * r.times, parts=(r.text,)) for r in requests]


class Broken(Instant):
    """Never works."""

    name = "broken"
    input, output = ShoutInput, ShoutOutput

    def answer(
        self, requests: Sequence[ShoutInput], progress: Progress | None
    ) -> list[ShoutOutput]:
        raise Unavailable("broken is broken")


class HereToolbox:
    """A toolbox that runs tools in a thread each, as they are called."""

    def __init__(self, *tools: type[Tool[Any, Any]]) -> None:
        self._tools: dict[str, Tool[Any, Any]] = {tool.name: tool() for tool in tools}
        self.log: list[tuple[str, str, float]] = []

    def names(self) -> list[str]:
        return sorted(self._tools)

    def tool(self, name: str) -> Tool[Any, Any]:
        if name not in self._tools:
            raise InvalidInput(f"no tool {name!r}; there are: {', '.join(self.names())}")
        return self._tools[name]

    def checkpoint_digest(self, name: str) -> str:
        return f"digest of {name}"

    async def call(self, name: str, input: Record, progress: Progress | None = None) -> Record:  # noqa: A002
        (result,) = await self.call_many(name, [input], progress)
        if isinstance(result, ToolError):
            raise result
        return result

    async def call_many(
        self, name: str, inputs: Sequence[Record], progress: Progress | None = None
    ) -> list[Record | ToolError]:
        loop = asyncio.get_running_loop()

        def report(step: int, total: int, preview: Image | None) -> None:
            if progress is not None:
                loop.call_soon_threadsafe(progress, step, total, preview)

        self.log.append(("start", name, time.perf_counter()))
        try:
            return await asyncio.to_thread(self.tool(name).run, inputs, report)
        except ToolError as error:
            return [error for _ in inputs]
        finally:
            self.log.append(("end", name, time.perf_counter()))


class Scripted:
    """A planner that serves plans in order and remembers what it was asked."""

    def __init__(self, *plans: Plan | ToolError) -> None:
        self._plans = list(plans)
        self.requests: list[PlanRequest] = []

    async def plan(self, request: PlanRequest) -> Plan:
        self.requests.append(request)
        plan = self._plans.pop(0) if len(self._plans) > 1 else self._plans[0]
        if isinstance(plan, ToolError):
            raise plan
        return plan


def painted(*things: tuple[str, str] | None) -> Image:
    """A picture of coloured shapes, from the top left quarter on; None leaves one empty."""
    pixels: Pixels = np.full((SIDE, SIDE, 3), 255, np.uint8)
    for thing, (row, column) in zip(things, QUARTERS, strict=False):
        if thing is None:
            continue
        colour, shape = thing
        height, width = SHAPES[shape]
        pixels[row : row + height, column : column + width] = COLOURS[colour]
    return Image.from_pixels(pixels)
