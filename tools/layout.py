"""Layout: a picture drawn with each thing in its place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from tools import cutout, region
from tools.base import Record, Text
from tools.drawing import LAST_SEED, DrawInput, Hand, PaintOptions
from tools.errors import InvalidInput
from tools.generate import GenerateOutput
from tools.inpaint import painted
from tools.values import Box, Image

if TYPE_CHECKING:
    from models.diffusion import OnStep

ALONE = 0.5  # share of its window's side that a thing takes, where the profile says nothing
GROUND = re.compile(r"\b(?:on|against|with|over|before) (?:an? |the )?[\w-]+ background\b", re.I)
APART = 1009  # between the seeds of two things of a picture


class Placed(Record):
    """A thing and its place."""

    phrase: Text = Field(description="what is there, such as: a red apple")
    box: Box = Field(description="x0, y0, x1, y1 in pixels of the picture drawn")


class LayoutInput(DrawInput):
    """What to draw where."""

    prompt: Text = Field(description="what the picture shows")
    things: tuple[Placed, ...] = Field(min_length=1, max_length=30, description="what goes where")
    negative_prompt: str = Field("", max_length=1000, description="what it must not show")
    n: int = Field(1, ge=1, le=16, description="how many pictures; i is drawn from seed + i")
    width: int | None = Field(None, ge=64, le=1024, multiple_of=8, description="pixels")
    height: int | None = Field(None, ge=64, le=1024, multiple_of=8, description="pixels")


class Layout(Hand[LayoutInput, GenerateOutput]):
    """Draw a picture with each thing in the box given for it.

    A U-Net with gated attention is told the boxes (GLIGEN, Li et al. 2023, arXiv:2301.07093).
    With any other the words decide the ground, and each thing is painted into its box in turn,
    in a window that shows it as large as the network draws things by themselves; or, where the
    profile says so, drawn by itself and laid in.

    Raises:
        InvalidInput: a box is empty or leaves the picture.
        Unavailable: the checkpoint is not on this machine.
    """

    name = "layout"
    input = LayoutInput
    output = GenerateOutput
    options_type = PaintOptions
    options: PaintOptions

    def rounds(self, request: LayoutInput) -> int:
        return request.n * self._drawings(request)

    def check(self, request: LayoutInput) -> None:
        if request.width is None or request.height is None:
            return  # measured by the network's own size, which is known once it is loaded
        _places(request, (request.width, request.height))

    def one(self, request: LayoutInput, reports: Sequence[OnStep | None]) -> GenerateOutput:
        width, height = self._model.size_wh
        size_wh = (request.width or width, request.height or height)
        places = _places(request, size_wh)
        each = self._drawings(request)
        images = []
        for i in range(request.n):
            told = reports[i * each : (i + 1) * each]
            if self._model.places_things:
                shares = [(phrase, _shares(box, size_wh)) for phrase, box in places]
                images.append(self._drawn(request, request.seed + i, size_wh, told[0], shares))
            else:
                images.append(self._painted(request, request.seed + i, size_wh, told, places))
        seeds = tuple(request.seed + i for i in range(request.n))
        return GenerateOutput(images=tuple(images), seeds=seeds)

    def _drawings(self, request: LayoutInput) -> int:
        """Runs of the network for one picture."""
        return 1 if self._model.places_things else 1 + len(request.things)

    def _drawn(
        self,
        request: LayoutInput,
        seed: int,
        size_wh: tuple[int, int],
        on_step: OnStep | None,
        things: Sequence[tuple[str, Box]] = (),
    ) -> Image:
        from models.diffusion import Place

        (made,) = self._model.draw(
            [self.order(request.prompt, request.negative_prompt, seed)],
            manner=self.manner(request),
            size_wh=size_wh,
            things=[Place(phrase, box) for phrase, box in things],
            on_step=on_step,
        )
        return Image.from_pixels(made)

    def _painted(
        self,
        request: LayoutInput,
        seed: int,
        size_wh: tuple[int, int],
        reports: Sequence[OnStep | None],
        places: Sequence[tuple[str, Box]],
    ) -> Image:
        told = _short(request) if self.options.alone else request
        image = _ground(self._drawn(told, seed, size_wh, reports[0]))
        for i, (phrase, box) in enumerate(places):
            # noise of its own for each: twins would look the same, faults too
            order = self.order(phrase, request.negative_prompt, (seed + APART * i) % LAST_SEED)
            manner, share = self.manner(request), self.options.share or ALONE
            words, report = self.options.alone, reports[1 + i]
            if thing := cutout.drawn(self._model, order, manner, words, report):
                image = cutout.lay(image, thing, box)
                continue
            where = region.filled(size_wh, [box])
            image = painted(self._model, image, where, order, manner, report, share=share).image
        return image


def _short(request: LayoutInput) -> LayoutInput:
    """The request with one of its things only and what it says of the ground.

    For a network that draws things by themselves: in a crowd of words it loses the ground's colour.
    """
    ground = GROUND.search(request.prompt)
    words = " ".join([request.things[0].phrase, *([ground[0]] if ground else [])])
    return request.model_copy(update={"prompt": words})


def _ground(image: Image) -> Image:
    """A picture of one colour: the median of its border, where things rarely stand."""
    rows, columns = image.pixels[[0, 1, -2, -1]], image.pixels[:, [0, 1, -2, -1]]
    border = np.concatenate([rows.reshape(-1, 3), columns.reshape(-1, 3)])
    colour = np.median(border, axis=0).astype(np.uint8)
    return Image.from_pixels(np.broadcast_to(colour, image.pixels.shape).copy())


def _places(request: LayoutInput, size_wh: tuple[int, int]) -> list[tuple[str, Box]]:
    """Phrases with boxes in pixels; a box is cut at the picture's border.

    Raises:
        InvalidInput: nothing of a box lies inside.
    """
    width, height = size_wh
    found: list[tuple[str, Box]] = []
    for thing in request.things:
        x0, y0, x1, y1 = thing.box
        x0, y0, x1, y1 = max(0.0, x0), max(0.0, y0), min(x1, width), min(y1, height)
        if not (x0 < x1 and y0 < y1):
            raise InvalidInput(
                f"box {thing.box} of {thing.phrase!r} is not inside the picture of {width}x{height}"
            )
        found.append((thing.phrase, (x0, y0, x1, y1)))
    return found


def _shares(box: Box, size_wh: tuple[int, int]) -> Box:
    """A box as shares of width and height."""
    (x0, y0, x1, y1), (width, height) = box, size_wh
    return x0 / width, y0 / height, x1 / width, y1 / height


TOOL = Layout
