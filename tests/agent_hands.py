"""Hands: small real tools that change pictures of shapes, with the schemas of the real ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from pydantic import Field

from tests.agent_drawn import COLOURS, SHAPES, SIDE, THING, Instant, things_in
from tools.base import Progress, Record, Text
from tools.generate import GenerateOutput
from tools.values import Box, Image, Mask


class PlacedThing(Record):
    """A thing and its box."""

    phrase: Text
    box: Box


class LayoutInput(Record):
    """What to draw where."""

    prompt: Text
    things: tuple[PlacedThing, ...] = Field(min_length=1)
    negative_prompt: str = ""
    n: int = 1
    seed: int = 0


class Layout(Instant):
    """Paint each shape in the quarter where its box is."""

    name = "layout"
    input, output = LayoutInput, GenerateOutput

    def answer(
        self, requests: Sequence[LayoutInput], progress: Progress | None
    ) -> list[GenerateOutput]:
        return [
            GenerateOutput(
                images=tuple(self._paint(request, request.seed + i) for i in range(request.n)),
                seeds=tuple(request.seed + i for i in range(request.n)),
            )
            for request in requests
        ]

    def _paint(self, request: LayoutInput, seed: int) -> Image:
        image = blank(seed)
        for thing in request.things:
            image = paint(image, thing.phrase, thing.box)
        return image


class ChangeOutput(Record):
    """The picture after a change."""

    image: Image
    mask: Mask | None = None
    outside_change: float = 0.0


class EditInput(Record):
    """What to change."""

    image: Image
    instruction: Text
    seed: int = 0


class Edit(Instant):
    """Paint the shape that an instruction names in another colour."""

    name = "edit"
    input, output = EditInput, ChangeOutput

    def answer(
        self, requests: Sequence[EditInput], progress: Progress | None
    ) -> list[ChangeOutput]:
        return [ChangeOutput(image=self._edit(one.image, one.instruction)) for one in requests]

    def _edit(self, image: Image, instruction: str) -> Image:
        shape = next((word for word in SHAPES if word in instruction), None)
        colour = next((word for word in COLOURS if word in instruction), None)
        for _, found, box in things_in(image):
            if found == shape and colour:
                image = fill(image, box, COLOURS[colour])
        return image


class InpaintInput(Record):
    """What to paint into which boxes."""

    image: Image
    prompt: Text
    boxes: tuple[Box, ...] = ()
    seed: int = 0


class Inpaint(Instant):
    """Paint a shape into the quarter where a box is."""

    name = "inpaint"
    input, output = InpaintInput, ChangeOutput

    def answer(
        self, requests: Sequence[InpaintInput], progress: Progress | None
    ) -> list[ChangeOutput]:
        return [
            ChangeOutput(image=paint(one.image, one.prompt, one.boxes[0]), mask=_mask(one.boxes))
            for one in requests
        ]


class RemoveInput(Record):
    """What to take out: a phrase, or boxes."""

    image: Image
    phrase: str | None = None
    boxes: tuple[Box, ...] = ()
    seed: int = 0


class Remove(Instant):
    """Paint shapes over with what is behind them."""

    name = "remove"
    input, output = RemoveInput, ChangeOutput

    def answer(
        self, requests: Sequence[RemoveInput], progress: Progress | None
    ) -> list[ChangeOutput]:
        return [self._remove(one) for one in requests]

    def _remove(self, request: RemoveInput) -> ChangeOutput:
        image = request.image
        named = (request.phrase or "").split()
        boxes = request.boxes or tuple(box for _, s, box in things_in(image) if s in named)
        for box in boxes:
            image = self.paint(image, box)
        return ChangeOutput(image=image, mask=_mask(boxes))

    def paint(self, image: Image, box: Box) -> Image:
        """The picture with a box painted over."""
        return fill(image, box, (255, 255, 255))


def blank(seed: int) -> Image:
    """A white picture; no two seeds give the same."""
    pixels = np.full((SIDE, SIDE, 3), 255, np.uint8)
    pixels[0, 0] = seed % 251
    return Image.from_pixels(pixels)


def fill(image: Image, box: Box, rgb: tuple[int, int, int]) -> Image:
    """The picture with all pixels of a box in one colour."""
    pixels = np.array(image.pixels)
    x0, y0, x1, y1 = (int(corner) for corner in box)
    pixels[y0:y1, x0:x1] = rgb
    return Image.from_pixels(pixels)


def paint(image: Image, phrase: str, box: Box) -> Image:
    """The picture with the shape that a phrase names in the quarter where a box has its middle."""
    found = THING.search(phrase)
    if found is None:
        return image
    column = 4 if (box[0] + box[2]) / 2 < SIDE / 2 else 36
    row = 4 if (box[1] + box[3]) / 2 < SIDE / 2 else 36
    height, width = SHAPES[found[3]]
    place: Any = (column, row, column + width, row + height)
    return fill(image, place, COLOURS[found[2] or "red"])


def _mask(boxes: Sequence[Box]) -> Mask:
    held = np.zeros((SIDE, SIDE), np.bool_)
    for x0, y0, x1, y1 in boxes:
        held[int(y0) : int(y1), int(x0) : int(x1)] = True
    return Mask(held)
