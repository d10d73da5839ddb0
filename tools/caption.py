"""Caption: a picture in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from tools.base import Progress, Record, Tool, share
from tools.values import Image

if TYPE_CHECKING:
    from models.blip import Blip


class CaptionInput(Record):
    """What to describe."""

    image: Image = Field(description="the picture")


class CaptionOutput(Record):
    """The description."""

    text: str = Field(description="one sentence")
    score: float = Field(ge=0, le=1, description="geometric mean of its tokens' probabilities")


class Caption(Tool[CaptionInput, CaptionOutput]):
    """Describe a picture in one sentence.

    BLIP, Li et al. 2022 (arXiv:2201.12086), greedy decoding.

    Raises:
        Unavailable: the checkpoint is not on this machine.
    """

    name = "caption"
    input = CaptionInput
    output = CaptionOutput
    _model: Blip

    def load(self, checkpoint: str, device: str, dtype: str) -> None:
        from models import blip

        self._model = blip.load(checkpoint, device, dtype)

    def answer(
        self, requests: Sequence[CaptionInput], progress: Progress | None
    ) -> list[CaptionOutput]:
        said = self._model.captions([request.image.pixels for request in requests])
        return [CaptionOutput(text=text, score=share(score)) for text, score in said]


TOOL = Caption
