"""Restyle: a picture drawn again after its own pattern."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from tools import region
from tools.base import Record, Text
from tools.drawing import DrawInput, Hand
from tools.values import Image

if TYPE_CHECKING:
    from models.diffusion import OnStep


class RestyleInput(DrawInput):
    """What to draw again, and how freely."""

    image: Image = Field(description="the picture")
    prompt: Text = Field(description="what it shall show")
    strength: float = Field(0.6, ge=0.05, le=1, description="1 keeps nothing of it")


class RestyleOutput(Record):
    """The picture drawn again."""

    image: Image = Field(description="of the same size")


class Restyle(Hand[RestyleInput, RestyleOutput]):
    """Draw a picture again in other words, keeping its composition.

    SDEdit, Meng et al. 2021 (arXiv:2108.01073).

    Raises:
        Unavailable: the checkpoint is not on this machine, or cannot do it.
    """

    name = "restyle"
    input = RestyleInput
    output = RestyleOutput

    def one(self, request: RestyleInput, reports: Sequence[OnStep | None]) -> RestyleOutput:
        everything = np.ones(request.image.pixels.shape[:2], np.bool_)
        side = self._model.size_wh[0]
        window = region.window(everything, side)
        made = self._model.restyle(
            self.order(request.prompt, "", request.seed),
            region.cut(request.image.pixels, window, side),
            manner=self.manner(request),
            strength=request.strength,
            on_step=reports[0],
        )
        return RestyleOutput(image=region.lay(request.image, made, window, everything).image)


TOOL = Restyle
