"""Ground: where in a picture the things are that words name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from tools.base import Progress, Record, Text, Tool, share
from tools.values import Box, Image

if TYPE_CHECKING:
    from models.owl import Owl


class GroundOptions(Record):
    """Set in the profile; calibrated on pictures where the phrases are absent."""

    threshold: float = Field(0.25, ge=0, le=1, description="when a request names none")
    overlap: float = Field(0.5, gt=0, le=1, description="IoU above which two boxes are one")


class GroundInput(Record):
    """What to look for."""

    image: Image = Field(description="the picture")
    phrases: tuple[Text, ...] = Field(
        min_length=1, max_length=32, description="such as: red apple, dog; each found by itself"
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

    OWLv2, Minderer et al. 2023 (arXiv:2306.09683). Phrases do not compete: the boxes of one
    are the same whatever else is asked.

    Raises:
        Unavailable: the checkpoint is not on this machine.
    """

    name = "ground"
    version = "2"  # boxes are voted on
    input = GroundInput
    output = GroundOutput
    options_type = GroundOptions
    options: GroundOptions
    _model: Owl

    def load(self, checkpoint: str, device: str, dtype: str) -> None:
        from models import owl

        self._model = owl.load(checkpoint, device, dtype)

    def answer(
        self, requests: Sequence[GroundInput], progress: Progress | None
    ) -> list[GroundOutput]:
        default = self.options.threshold
        found = self._model.boxes(
            [request.image.pixels for request in requests],
            [request.phrases for request in requests],
            thresholds=[default if r.threshold is None else r.threshold for r in requests],
            overlap=self.options.overlap,
        )
        return [
            GroundOutput(
                boxes=tuple(
                    Detection(
                        phrase=request.phrases[one.phrase],
                        box=(
                            round(one.box[0], 2),
                            round(one.box[1], 2),
                            round(one.box[2], 2),
                            round(one.box[3], 2),
                        ),
                        score=share(one.score),
                    )
                    for one in boxes
                )
            )
            for request, boxes in zip(requests, found, strict=True)
        ]


TOOL = Ground
