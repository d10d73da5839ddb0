"""Replace: a thing in a picture exchanged for another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from tools import region
from tools.base import Text
from tools.drawing import DrawInput, Hand, PaintOptions
from tools.inpaint import ChangeOutput, put
from tools.remove import FindOptions, eyes, found, grown
from tools.values import Image, Mask

if TYPE_CHECKING:
    from models.diffusion import OnStep
    from models.owl import Owl


class ReplaceOptions(FindOptions, PaintOptions):
    """Set in the profile."""


class ReplaceInput(DrawInput):
    """What to exchange for what."""

    image: Image = Field(description="the picture")
    phrase: Text = Field(description="what goes, all there are of it")
    prompt: Text = Field(description="what comes in its place")


class Replace(Hand[ReplaceInput, ChangeOutput]):
    """Exchange a thing in a picture for another, in the same place.

    Found by the part `ground` (OWLv2, Minderer et al. 2023, arXiv:2306.09683), painted by latent
    diffusion (Rombach et al. 2022, arXiv:2112.10752). The whole box is painted, for the new
    thing has another outline; of several things each by itself.

    Raises:
        InvalidInput: nothing of that name is found.
        Unavailable: a checkpoint is not on this machine, or cannot paint under a mask.
    """

    name = "replace"
    input = ReplaceInput
    output = ChangeOutput
    needs = ("ground",)
    options_type = ReplaceOptions
    options: ReplaceOptions
    _eyes: Owl

    def load(self, checkpoint: str, device: str, dtype: str) -> None:
        super().load(checkpoint, device, dtype)
        self._eyes = eyes(self.parts, device, dtype)

    def one(self, request: ReplaceInput, reports: Sequence[OnStep | None]) -> ChangeOutput:
        order = self.order(request.prompt, request.phrase, request.seed)
        manner = self.manner(request)
        after, changed = request.image, np.zeros(request.image.pixels.shape[:2], np.bool_)
        boxes = found(self._eyes, request.image, request.phrase, self.options)
        for box in grown(boxes, request.image, self.options.margin):
            where = region.filled(request.image.size_wh, [box])
            made = put(self._model, after, where, order, manner, reports[0], self.options)
            after, changed = made.image, changed | made.mask.pixels
        return ChangeOutput(**region.measured(request.image, after, Mask(changed))._asdict())


TOOL = Replace
