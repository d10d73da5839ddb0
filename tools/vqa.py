"""VQA: a question about a picture, answered in a word or two."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from tools.base import Progress, Record, Text, Tool, share
from tools.values import Image

if TYPE_CHECKING:
    from models.blip import Blip

_YES_NO = re.compile(
    r"^(is|are|was|were|do|does|did|has|have|can|could|will|would|should)\b(?!.* or )",
    re.IGNORECASE,
)


class VqaInput(Record):
    """What to ask."""

    image: Image = Field(description="the picture")
    question: Text = Field(description="such as: how many dogs are there?")


class VqaOutput(Record):
    """The answer."""

    answer: str = Field(description="lower case, such as yes, three, red")
    confidence: float = Field(
        ge=0,
        le=1,
        description="probability of the answer; for yes or no, against the other of the two",
    )


class Vqa(Tool[VqaInput, VqaOutput]):
    """Answer a question about a picture in a word or two.

    BLIP, Li et al. 2022 (arXiv:2201.12086), greedy decoding.

    Raises:
        Unavailable: the checkpoint is not on this machine.
    """

    name = "vqa"
    input = VqaInput
    output = VqaOutput
    _model: Blip

    def load(self, checkpoint: str, device: str, dtype: str) -> None:
        from models import blip

        self._model = blip.load(checkpoint, device, dtype)

    def answer(self, requests: Sequence[VqaInput], progress: Progress | None) -> list[VqaOutput]:
        said = self._model.answers(
            [request.image.pixels for request in requests],
            [request.question for request in requests],
            [bool(_YES_NO.match(request.question)) for request in requests],
        )
        return [VqaOutput(answer=text, confidence=share(chance)) for text, chance in said]


TOOL = Vqa
