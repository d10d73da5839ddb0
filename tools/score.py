"""Score: how well words fit a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from tools.base import Progress, Record, Text, Tool, share
from tools.values import Image

if TYPE_CHECKING:
    from models.scorers import Scorer


class ScoreOptions(Record):
    """Set in the profile: the curve from similarity to belief, fitted on held-out pairs."""

    middle: float = Field(0.25, description="similarity or reward that means one half")
    slope: float = Field(20.0, gt=0, description="how fast belief grows with it")


class ScoreInput(Record):
    """What to compare."""

    image: Image = Field(description="the picture")
    text: Text = Field(description="what it should show")


class ScoreOutput(Record):
    """How well they fit."""

    score: float = Field(ge=0, le=1, description="belief that the text is true of the picture")
    raw: float = Field(description="cosine similarity, -1..1; the reward, where a reward scores")


class Score(Tool[ScoreInput, ScoreOutput]):
    """Tell how well a text fits a picture, from 0 to 1.

    CLIP, Radford et al. 2021 (arXiv:2103.00020), or a reward learnt from preferences: PickScore,
    Kirstain et al. 2023 (arXiv:2305.01569), which is a CLIP, or ImageReward, Xu et al. 2023
    (arXiv:2304.05977). What the network says is passed through a logistic curve.

    Raises:
        Unavailable: the checkpoint is not on this machine.
    """

    name = "score"
    input = ScoreInput
    output = ScoreOutput
    options_type = ScoreOptions
    options: ScoreOptions
    _model: Scorer

    def load(self, checkpoint: str, device: str, dtype: str) -> None:
        from models import scorers

        self._model = scorers.load(checkpoint, device, dtype)

    def answer(
        self, requests: Sequence[ScoreInput], progress: Progress | None
    ) -> list[ScoreOutput]:
        found = self._model.similarity(
            [request.image.pixels for request in requests], [request.text for request in requests]
        )
        return [
            ScoreOutput(score=self._belief(float(raw)), raw=round(float(raw), 4)) for raw in found
        ]

    def _belief(self, raw: float) -> float:
        logit = self.options.slope * (raw - self.options.middle)
        return share(0.5 * (1 + math.tanh(logit / 2)))  # the logistic function, without overflow


TOOL = Score
