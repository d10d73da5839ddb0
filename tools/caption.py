"""Caption: a picture in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from tools import view
from tools.base import Progress, Record, Tool, share
from tools.values import Box, Image
from tools.view import ViewOptions

if TYPE_CHECKING:
    from models.speakers import Speaker


class CaptionInput(Record):
    """What to describe."""

    image: Image = Field(description="the picture")
    box: Box | None = Field(
        None, description="describe only this: x0, y0, x1, y1 in pixels; x1, y1 excluded"
    )


class CaptionOutput(Record):
    """The description."""

    text: str = Field(description="one sentence")
    score: float = Field(ge=0, le=1, description="geometric mean of its tokens' probabilities")


class Caption(Tool[CaptionInput, CaptionOutput]):
    """Describe a picture, or the part of it inside a box, in one sentence.

    BLIP, Li et al. 2022 (arXiv:2201.12086), LLaVA, Liu et al. 2023 (arXiv:2304.08485), or
    Florence-2, Xiao et al. 2023 (arXiv:2311.06242); greedy decoding.

    Raises:
        InvalidInput: the box leaves the picture.
        Unavailable: the checkpoint is not on this machine.
    """

    name = "caption"
    input = CaptionInput
    output = CaptionOutput
    options_type = ViewOptions
    options: ViewOptions
    _model: Speaker

    def load(self, checkpoint: str, device: str, dtype: str) -> None:
        from models import speakers

        self._model = speakers.load(checkpoint, device, dtype)

    def check(self, request: CaptionInput) -> None:
        view.check(request.image, request.box)

    def answer(
        self, requests: Sequence[CaptionInput], progress: Progress | None
    ) -> list[CaptionOutput]:
        said = self._model.captions(
            [view.inside(one.image, one.box, self.options.outside) for one in requests]
        )
        return [CaptionOutput(text=text, score=share(score)) for text, score in said]


TOOL = Caption
