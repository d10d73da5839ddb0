"""Segment: which pixels of a picture belong to a thing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tools import view
from tools.base import Progress, Record, Text, Tool, share
from tools.errors import InvalidInput
from tools.ground import Ground, GroundInput
from tools.values import Box, Image, Mask

if TYPE_CHECKING:
    from models.sam import Cut, Sam

Point = tuple[float, float]


class SegmentOptions(Record):
    """Set in the profile, as for `ground`: when the detector is believed."""

    threshold: float = Field(0.25, ge=0, le=1, description="of the detector")
    overlap: float = Field(0.5, gt=0, le=1, description="of the detector")


class SegmentInput(Record):
    """What to cut out: exactly one of boxes, points, phrase and everything."""

    image: Image = Field(description="the picture")
    boxes: tuple[Box, ...] | None = Field(
        None, min_length=1, max_length=64, description="x0, y0, x1, y1 in pixels; one mask each"
    )
    points: tuple[Point, ...] | None = Field(
        None, min_length=1, max_length=32, description="clicks x, y in pixels about one thing"
    )
    labels: tuple[Literal[0, 1], ...] | None = Field(
        None, description="for each click 1 on the thing, 0 off it; leave it out for all on it"
    )
    phrase: Text | None = Field(None, description="such as: red apple; one mask for each found")
    everything: bool = Field(False, description="true for a mask of each thing there is")


class SegmentOutput(Record):
    """The masks; a phrase that is absent gives none."""

    masks: tuple[Mask, ...] = Field(description="one for each box, for all clicks, or each thing")
    scores: tuple[float, ...] = Field(description="estimated IoU of each mask, 0..1")


class Segment(Tool[SegmentInput, SegmentOutput]):
    """Cut things out of a picture: by box, by click, by name, or all there is.

    Segment Anything, Kirillov et al. 2023 (arXiv:2304.02643). A picture is read once: further
    clicks on it cost a fraction of the first. Names are found by the tool `ground`, held as a part.

    Raises:
        InvalidInput: not exactly one kind of prompt, a place outside the picture, or a phrase
            where the profile names no detector.
        Unavailable: the checkpoint is not on this machine.
    """

    name = "segment"
    input = SegmentInput
    output = SegmentOutput
    options_type = SegmentOptions
    options: SegmentOptions
    needs = ("ground",)
    _model: Sam
    _ground: Ground

    def load(self, checkpoint: str, device: str, dtype: str) -> None:
        from models import sam

        self._model = sam.load(checkpoint, device, dtype)
        self._ground = Ground(
            {"threshold": self.options.threshold, "overlap": self.options.overlap}
        )
        if "ground" in self.parts:
            self._ground.load(self.parts["ground"], device, dtype)

    def check(self, request: SegmentInput) -> None:
        asked = (request.boxes, request.points, request.phrase, request.everything or None)
        if sum(one is not None for one in asked) != 1:
            raise InvalidInput("segment takes exactly one of: boxes, points, phrase, everything")
        if request.phrase is not None and "ground" not in self.parts:
            raise InvalidInput(
                "this profile names no detector for segment (parts: {ground: …}), so no phrase can "
                "be looked for; give boxes or points"
            )
        if request.labels is not None and len(request.labels) != len(request.points or ()):
            raise InvalidInput(
                f"labels are one for each point; got {len(request.labels)} for "
                f"{len(request.points or ())} points"
            )
        for box in request.boxes or ():
            view.check(request.image, box)
        width, height = request.image.size_wh
        for x, y in request.points or ():
            if not (0 <= x < width and 0 <= y < height):
                raise InvalidInput(f"point {(x, y)} is not inside the picture of {width}x{height}")

    def answer(
        self, requests: Sequence[SegmentInput], progress: Progress | None
    ) -> list[SegmentOutput]:
        return [self._one(request) for request in requests]

    def _one(self, request: SegmentInput) -> SegmentOutput:
        pixels, key = request.image.pixels, request.image.id
        cuts: Sequence[Cut]
        if request.points is not None:
            labels = request.labels or (1,) * len(request.points)
            cuts = [self._model.at_points(pixels, key, request.points, labels)]
        elif request.everything:
            cuts = self._model.everything(pixels, key)
        else:
            boxes = self._found(request) if request.boxes is None else request.boxes
            cuts = self._model.in_boxes(pixels, key, boxes)
        return SegmentOutput(
            masks=tuple(Mask(cut.mask) for cut in cuts),
            scores=tuple(share(cut.score) for cut in cuts),
        )

    def _found(self, request: SegmentInput) -> tuple[Box, ...]:
        """Boxes of what the phrase names, the most believed first."""
        asked = GroundInput(image=request.image, phrases=(str(request.phrase),))
        (found,) = self._ground.answer([asked], None)
        return tuple(one.box for one in found.boxes)


TOOL = Segment
