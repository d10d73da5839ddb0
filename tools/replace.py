"""Replace: a thing in a picture exchanged for another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from tools.base import Text
from tools.drawing import DrawInput, Hand
from tools.inpaint import ChangeOutput, painted
from tools.remove import FindOptions, eyes, found
from tools.values import Image

if TYPE_CHECKING:
    from models.diffusion import OnStep
    from models.owl import Owl


class ReplaceInput(DrawInput):
    """What to exchange for what."""

    image: Image = Field(description="the picture")
    phrase: Text = Field(description="what goes, all there are of it")
    prompt: Text = Field(description="what comes in its place")


class Replace(Hand[ReplaceInput, ChangeOutput]):
    """Exchange a thing in a picture for another, in the same place.

    Found by the part `ground` (OWLv2, Minderer et al. 2023, arXiv:2306.09683), painted by latent
    diffusion (Rombach et al. 2022, arXiv:2112.10752). The whole box is painted, for the new
    thing has another outline.

    Raises:
        InvalidInput: nothing of that name is found.
        Unavailable: a checkpoint is not on this machine, or cannot paint under a mask.
    """

    name = "replace"
    input = ReplaceInput
    output = ChangeOutput
    needs = ("ground",)
    options_type = FindOptions
    options: FindOptions
    _eyes: Owl

    def load(self, checkpoint: str, device: str, dtype: str) -> None:
        super().load(checkpoint, device, dtype)
        self._eyes = eyes(self.parts, device, dtype)

    def one(self, request: ReplaceInput, reports: Sequence[OnStep | None]) -> ChangeOutput:
        from models.diffusion import Order

        where = found(self._eyes, request.image, request.phrase, self.options)
        order = Order(request.prompt, request.phrase, request.seed)
        return painted(self._model, request.image, where, order, self.manner(request), reports[0])


TOOL = Replace
