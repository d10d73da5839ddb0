"""Outpaint: a picture continued beyond its borders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from tools import region
from tools.base import Record, Text
from tools.drawing import DrawInput, Hand
from tools.errors import InvalidInput
from tools.values import MAX_PIXELS, Image

if TYPE_CHECKING:
    from models.diffusion import OnStep


class OutpaintInput(DrawInput):
    """How far to go on, on which side."""

    image: Image = Field(description="the picture")
    prompt: Text = Field(description="what the whole picture shall show")
    left: int = Field(0, ge=0, le=4096, description="pixels to add")
    right: int = Field(0, ge=0, le=4096, description="pixels to add")
    top: int = Field(0, ge=0, le=4096, description="pixels to add")
    bottom: int = Field(0, ge=0, le=4096, description="pixels to add")


class OutpaintOutput(Record):
    """The larger picture."""

    image: Image = Field(description="the picture given is in it, byte for byte")


class Outpaint(Hand[OutpaintInput, OutpaintOutput]):
    """Continue a picture beyond its borders.

    Latent diffusion, Rombach et al. 2022 (arXiv:2112.10752).

    Raises:
        InvalidInput: nothing is to be added, or the picture would become too large.
        Unavailable: the checkpoint is not on this machine, or cannot paint under a mask.
    """

    name = "outpaint"
    input = OutpaintInput
    output = OutpaintOutput

    def check(self, request: OutpaintInput) -> None:
        if not request.left + request.right + request.top + request.bottom:
            raise InvalidInput("say how far to go on: left, right, top or bottom, in pixels")
        width = request.image.width + request.left + request.right
        height = request.image.height + request.top + request.bottom
        if width * height > MAX_PIXELS:
            raise InvalidInput(
                f"{width}x{height} is more than {MAX_PIXELS // 1_000_000} megapixels"
            )

    def one(self, request: OutpaintInput, reports: Sequence[OnStep | None]) -> OutpaintOutput:
        edges = ((request.top, request.bottom), (request.left, request.right))
        canvas = Image.from_pixels(np.pad(request.image.pixels, (*edges, (0, 0)), mode="edge"))
        new = np.pad(
            np.zeros(request.image.pixels.shape[:2], np.bool_), edges, constant_values=True
        )
        side = self._model.size_wh[0]
        window = region.window(new, side)
        seen, empty = region.cut(canvas.pixels, window, side), region.cut_mask(new, window, side)
        made = self._model.paint(
            self.order(request.prompt, "", request.seed),
            seen,
            empty,
            manner=self.manner(request),
            on_step=reports[0],
        )
        made = region.matched(made, seen, empty)
        # no seam: it would reach into the picture that is to be kept
        return OutpaintOutput(image=region.lay(canvas, made, window, new, soft=False).image)


TOOL = Outpaint
