"""Depth: how near things are, as a map for `control`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from tools.base import Progress, Record, Tool
from tools.values import Image

if TYPE_CHECKING:
    from models.depth import Depth as Network


class DepthInput(Record):
    """What to look at."""

    image: Image = Field(description="the picture")


class DepthOutput(Record):
    """The map."""

    image: Image = Field(description="grey: white is nearest, black is farthest; of the same size")


class Depth(Tool[DepthInput, DepthOutput]):
    """Map how near each part of a picture is, white for near, black for far.

    Depth Anything, Yang et al. 2024 (arXiv:2406.09414), or DPT, Ranftl et al. 2021
    (arXiv:2103.13413). Nearness is relative: it tells before from behind, not metres.

    Raises:
        Unavailable: the checkpoint is not on this machine.
    """

    name = "depth"
    input = DepthInput
    output = DepthOutput
    _model: Network

    def load(self, checkpoint: str, device: str, dtype: str) -> None:
        from models import depth

        self._model = depth.load(checkpoint, device, dtype)

    def answer(
        self, requests: Sequence[DepthInput], progress: Progress | None
    ) -> list[DepthOutput]:
        found = self._model.maps([request.image.pixels for request in requests])
        grey = [np.rint(255 * near).astype(np.uint8) for near in found]
        return [
            DepthOutput(image=Image.from_pixels(np.repeat(one[..., None], 3, axis=2)))
            for one in grey
        ]


TOOL = Depth
