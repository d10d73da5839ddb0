"""Classify: which of some labels fits a picture, or a part of it, best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from tools import view
from tools.base import Progress, Record, Text, Tool, share
from tools.errors import InvalidInput
from tools.values import Box, Image
from tools.view import ViewOptions

if TYPE_CHECKING:
    from models.clip import Clip


class ClassifyOptions(ViewOptions):
    """Set in the profile: how a label is worded for the network."""

    template: str = Field(
        "a photo of {label}",
        pattern=r"\{label\}",
        description="sentence around the label, which brings its article",
    )


class ClassifyInput(Record):
    """What to tell apart."""

    image: Image = Field(description="the picture")
    labels: tuple[Text, ...] = Field(
        min_length=2, max_length=128, description="such as: red apple, green apple; no two alike"
    )
    box: Box | None = Field(
        None, description="look only here: x0, y0, x1, y1 in pixels; x1, y1 excluded"
    )
    none: bool = Field(False, description="true to allow for the answer: none of these")


class Labelled(Record):
    """One label."""

    label: str
    probability: float = Field(ge=0, le=1)


class ClassifyOutput(Record):
    """All labels."""

    probabilities: tuple[Labelled, ...] = Field(description="the highest first; their sum is 1")


NONE = "none of these"


class Classify(Tool[ClassifyInput, ClassifyOutput]):
    """Tell which of some labels fits a picture, or the part of it inside a box, best.

    CLIP zero-shot, Radford et al. 2021 (arXiv:2103.00020).

    Probabilities, and the one that no label fits, are calibrated where the checkpoint is.

    Raises:
        InvalidInput: two labels are alike, the box leaves the picture, or it may be none of
            these and the checkpoint was not calibrated for that.
        Unavailable: the checkpoint is not on this machine.
    """

    name = "classify"
    version = "2"  # calibrated; may be none of these
    input = ClassifyInput
    output = ClassifyOutput
    options_type = ClassifyOptions
    options: ClassifyOptions
    _model: Clip

    def load(self, checkpoint: str, device: str, dtype: str) -> None:
        from models import clip

        self._model = clip.load(checkpoint, device, dtype)

    def check(self, request: ClassifyInput) -> None:
        labels = [*request.labels, NONE] if request.none else list(request.labels)
        twice = sorted({one for one in labels if labels.count(one) > 1})
        if twice:
            raise InvalidInput(f"labels must differ; {twice[0]!r} is there more than once")
        view.check(request.image, request.box)

    def answer(
        self, requests: Sequence[ClassifyInput], progress: Progress | None
    ) -> list[ClassifyOutput | InvalidInput]:
        found = self._model.zero_shot(
            [view.inside(one.image, one.box, self.options.outside) for one in requests],
            [[self._worded(label) for label in request.labels] for request in requests],
        )
        return [
            self._output(request, chances.tolist(), fits)
            for request, (chances, fits) in zip(requests, found, strict=True)
        ]

    def _output(
        self, request: ClassifyInput, chances: Sequence[float], fits: float
    ) -> ClassifyOutput | InvalidInput:
        if request.none and not self._model.knows_none:
            return InvalidInput(
                "this checkpoint was not calibrated to tell when no label fits "
                "(benchmarks/calibrate.py does it); leave none out, or add a label such as: thing"
            )
        some = fits if request.none else 1.0
        shares = {
            label: some * chance for label, chance in zip(request.labels, chances, strict=True)
        }
        if request.none:
            shares[NONE] = 1 - some
        return ClassifyOutput(
            probabilities=tuple(
                Labelled(label=label, probability=share(chance))
                for label, chance in sorted(shares.items(), key=lambda pair: -pair[1])
            )
        )

    def _worded(self, label: str) -> str:
        first = label.split()[0].lower()
        named = first in ("a", "an", "the", "no", "two", "three", "four") or first.isdigit()
        article = "" if named else "an " if first[0] in "aeiou" else "a "
        return self.options.template.replace("{label}", article + label)


TOOL = Classify
