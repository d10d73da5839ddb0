"""VQA: a question about a picture, answered in a word or two."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from tools.base import Progress, Record, Text, Tool, share
from tools.values import Image

if TYPE_CHECKING:
    from models.speakers import Speaker

_YES_NO = re.compile(
    r"^(is|are|was|were|do|does|did|has|have|can|could|will|would|should)\b(?!.* or )",
    re.IGNORECASE,
)


UNSURE = "unsure"


class VqaOptions(Record):
    """Set in the profile: when an answer is given."""

    sure: float = Field(0.5, ge=0, le=1, description="least confidence; below it: unsure")


class VqaInput(Record):
    """What to ask."""

    image: Image = Field(description="the picture")
    question: Text = Field(description="such as: how many dogs are there?")


class VqaOutput(Record):
    """The answer."""

    answer: str = Field(description="lower case, such as yes, three, red; or: unsure")
    confidence: float = Field(
        ge=0,
        le=1,
        description="probability that the guess is right; for yes or no, against the other of the "
        "two",
    )
    guess: str = Field("", description="the answer, or what it would be if it were believed")


class Vqa(Tool[VqaInput, VqaOutput]):
    """Answer a question about a picture in a word or two.

    BLIP, Li et al. 2022 (arXiv:2201.12086), or LLaVA, Liu et al. 2023 (arXiv:2304.08485); greedy
    decoding; confidences are calibrated where the checkpoint is. An answer that is more likely
    wrong than right is "unsure"; of yes and no, the likelier of the two is said.

    Raises:
        Unavailable: the checkpoint is not on this machine.
    """

    name = "vqa"
    version = "2"  # calibrated; may be unsure
    input = VqaInput
    output = VqaOutput
    options_type = VqaOptions
    options: VqaOptions
    _model: Speaker

    def load(self, checkpoint: str, device: str, dtype: str) -> None:
        from models import speakers

        self._model = speakers.load(checkpoint, device, dtype)

    def answer(self, requests: Sequence[VqaInput], progress: Progress | None) -> list[VqaOutput]:
        said = self._model.answers(
            [request.image.pixels for request in requests],
            [request.question for request in requests],
            [bool(_YES_NO.match(request.question)) for request in requests],
        )
        return [
            VqaOutput(
                answer=text if chance >= self.options.sure else UNSURE,
                confidence=share(chance),
                guess=text,
            )
            for text, chance in said
        ]


TOOL = Vqa
