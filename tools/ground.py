"""Ground: where in a picture the things are that words name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from tools import selector
from tools.base import Progress, Record, Text, Tool, share
from tools.selector import Selection
from tools.values import Box, Image

if TYPE_CHECKING:
    from models.detectors import Detector
    from models.owl import Found


class GroundOptions(Record):
    """Set in the profile: from what score on a box counts."""

    threshold: float = Field(0.25, ge=0, le=1, description="when a request names none")
    overlap: float = Field(0.5, gt=0, le=1, description="IoU above which two boxes are one")


class GroundInput(Record):
    """What to look for."""

    image: Image = Field(description="the picture")
    phrases: tuple[Text, ...] = Field(
        min_length=1,
        max_length=32,
        description="such as: red apple, the left dog; each found by itself",
    )
    threshold: float | None = Field(
        None, ge=0, le=1, description="least score that counts; leave it out for the calibrated one"
    )


class Detection(Record):
    """One thing found."""

    phrase: str = Field(description="the phrase that it answers to")
    box: Box = Field(description="x0, y0, x1, y1 in pixels; x1, y1 excluded")
    score: float = Field(ge=0, le=1, description="belief that it is what the phrase says")


class GroundOutput(Record):
    """What was found; a phrase that is absent gives no box."""

    boxes: tuple[Detection, ...] = Field(description="the highest score first")


class Ground(Tool[GroundInput, GroundOutput]):
    """Find things named in words and give a box around each.

    OWLv2, Minderer et al. 2023 (arXiv:2306.09683), or Grounding DINO, Liu et al. 2023
    (arXiv:2303.05499). Phrases do not compete: the boxes of one are the same whatever else is
    asked. Of "the left dog" or "dog at the top" the detector looks for dogs, and the one that lies
    so is kept. Scores are calibrated, by phrase, where the checkpoint is.

    Raises:
        Unavailable: the checkpoint is not on this machine.
    """

    name = "ground"
    version = "4"  # calibrated scores
    input = GroundInput
    output = GroundOutput
    options_type = GroundOptions
    options: GroundOptions
    _model: Detector

    def load(self, checkpoint: str, device: str, dtype: str) -> None:
        from models import detectors

        self._model = detectors.load(checkpoint, device, dtype)

    def answer(
        self, requests: Sequence[GroundInput], progress: Progress | None
    ) -> list[GroundOutput]:
        default = self.options.threshold
        asked = [[selector.read(phrase) for phrase in request.phrases] for request in requests]
        found = self._model.boxes(
            [request.image.pixels for request in requests],
            [[one.phrase for one in phrases] for phrases in asked],
            thresholds=[default if r.threshold is None else r.threshold for r in requests],
            overlap=self.options.overlap,
        )
        return [
            GroundOutput(
                boxes=tuple(
                    _detection(request.phrases[one.phrase], one) for one in _kept(boxes, phrases)
                )
            )
            for request, boxes, phrases in zip(requests, found, asked, strict=True)
        ]


def _kept(found: Sequence[Found], phrases: Sequence[Selection]) -> list[Found]:
    """Of phrases that choose, the chosen box alone."""
    kept = list(found)
    for index, phrase in enumerate(phrases):
        rivals = [one for one in kept if one.phrase == index]
        if phrase.by is not None and rivals:
            best = rivals[selector.chosen([one.box for one in rivals], phrase.by)]
            kept = [one for one in kept if one.phrase != index or one is best]
    return kept


def _detection(phrase: str, one: Found) -> Detection:
    x0, y0, x1, y1 = (round(side, 2) for side in one.box)
    return Detection(phrase=phrase, box=(x0, y0, x1, y1), score=share(one.score))


TOOL = Ground
