"""Layout: a picture drawn with each thing in its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from tools.base import Record, Text
from tools.drawing import DrawInput, Hand
from tools.errors import InvalidInput
from tools.generate import GenerateOutput
from tools.values import Box, Image

if TYPE_CHECKING:
    from models.diffusion import OnStep


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

    GLIGEN, Li et al. 2023 (arXiv:2301.07093).

    Raises:
        InvalidInput: a box is empty or leaves the picture.
        Unavailable: the checkpoint is not on this machine, or takes no layouts.
    """

    name = "layout"
    input = LayoutInput
    output = GenerateOutput

    def rounds(self, request: LayoutInput) -> int:
        return request.n

    def check(self, request: LayoutInput) -> None:
        if request.width is None or request.height is None:
            return  # measured by the network's own size, which is known once it is loaded
        _places(request, (request.width, request.height))

    def one(self, request: LayoutInput, reports: Sequence[OnStep | None]) -> GenerateOutput:
        from models.diffusion import Order, Place

        width, height = self._model.size_wh
        size_wh = (request.width or width, request.height or height)
        places = [Place(phrase, box) for phrase, box in _places(request, size_wh)]
        steps, guidance = self.manner(request)
        seeds = tuple(request.seed + i for i in range(request.n))
        images = [
            self._model.draw(
                [Order(request.prompt, request.negative_prompt, seed)],
                steps=steps,
                guidance=guidance,
                size_wh=size_wh,
                things=places,
                on_step=on_step,
            )[0]
            for seed, on_step in zip(seeds, reports, strict=True)
        ]
        return GenerateOutput(images=tuple(map(Image.from_pixels, images)), seeds=seeds)


def _places(request: LayoutInput, size_wh: tuple[int, int]) -> list[tuple[str, Box]]:
    """Phrases with boxes as shares of the picture; a box is cut at its border.

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
        found.append((thing.phrase, (x0 / width, y0 / height, x1 / width, y1 / height)))
    return found


TOOL = Layout
