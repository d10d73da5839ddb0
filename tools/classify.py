"""Classify: which of some labels fits a picture, or a part of it, best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from tools.base import Progress, Record, Text, Tool, share
from tools.errors import InvalidInput
from tools.values import Box, Image, Pixels

if TYPE_CHECKING:
    from models.clip import Clip


class ClassifyOptions(Record):
    """Set in the profile: how a label is worded for the network."""

    template: str = Field(
        "a photo of {label}",
        pattern=r"\{label\}",
        description="sentence around the label, which brings its article",
    )
    outside: Literal["cut", "plain"] = Field(
        "cut",
        description="what becomes of the picture outside a box: cut off, so that the box fills "
        "the network's view, or painted over plain, for networks that know one scale only",
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


class Labelled(Record):
    """One label."""

    label: str
    probability: float = Field(ge=0, le=1)


class ClassifyOutput(Record):
    """All labels."""

    probabilities: tuple[Labelled, ...] = Field(description="the highest first; their sum is 1")


class Classify(Tool[ClassifyInput, ClassifyOutput]):
    """Tell which of some labels fits a picture, or the part of it inside a box, best.

    CLIP zero-shot, Radford et al. 2021 (arXiv:2103.00020).

    Raises:
        InvalidInput: two labels are alike, or the box leaves the picture.
        Unavailable: the checkpoint is not on this machine.
    """

    name = "classify"
    input = ClassifyInput
    output = ClassifyOutput
    options_type = ClassifyOptions
    options: ClassifyOptions
    _model: Clip

    def load(self, checkpoint: str, device: str, dtype: str) -> None:
        from models import clip

        self._model = clip.load(checkpoint, device, dtype)

    def check(self, request: ClassifyInput) -> None:
        twice = sorted({one for one in request.labels if request.labels.count(one) > 1})
        if twice:
            raise InvalidInput(f"labels must differ; {twice[0]!r} is there more than once")
        if request.box is not None:
            x0, y0, x1, y1 = request.box
            width, height = request.image.size_wh
            if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
                raise InvalidInput(
                    f"box {request.box} is not inside the picture of {width}x{height}; "
                    "it is x0, y0, x1, y1 in pixels"
                )

    def answer(
        self, requests: Sequence[ClassifyInput], progress: Progress | None
    ) -> list[ClassifyOutput]:
        found = self._model.zero_shot(
            [self._view(request) for request in requests],
            [[self._worded(label) for label in request.labels] for request in requests],
        )
        return [
            ClassifyOutput(
                probabilities=tuple(
                    Labelled(label=label, probability=share(float(probability)))
                    for label, probability in sorted(
                        zip(request.labels, row, strict=True), key=lambda pair: -pair[1]
                    )
                )
            )
            for request, row in zip(requests, found, strict=True)
        ]

    def _view(self, request: ClassifyInput) -> Pixels:
        if request.box is None:
            return request.image.pixels
        part = request.image.crop(request.box).pixels
        if self.options.outside == "cut":
            return part
        x, y = int(request.box[0]), int(request.box[1])
        inside = np.zeros(request.image.pixels.shape[:2], np.bool_)
        inside[y : y + part.shape[0], x : x + part.shape[1]] = True
        if inside.all():
            return request.image.pixels
        view = request.image.pixels.copy()
        view[~inside] = np.median(view[~inside], axis=0)
        return view

    def _worded(self, label: str) -> str:
        first = label.split()[0].lower()
        named = first in ("a", "an", "the", "no", "two", "three", "four") or first.isdigit()
        article = "" if named else "an " if first[0] in "aeiou" else "a "
        return self.options.template.replace("{label}", article + label)


TOOL = Classify
