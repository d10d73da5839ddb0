"""Pose: the joints of people, as a map for `control`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from tools import view
from tools.base import Progress, Record, Tool, share
from tools.errors import InvalidInput
from tools.ground import Ground, GroundInput
from tools.values import Box, Image

if TYPE_CHECKING:
    from models.pose import Pose as Network


class PoseOptions(Record):
    """Set in the profile: what is believed."""

    threshold: float = Field(0.25, ge=0, le=1, description="of the detector of people")
    overlap: float = Field(0.5, gt=0, le=1, description="of the detector of people")
    least: float = Field(0.3, ge=0, le=1, description="belief from which on a joint is drawn")


class PoseInput(Record):
    """Whom to look at."""

    image: Image = Field(description="the picture")
    boxes: tuple[Box, ...] | None = Field(
        None,
        min_length=1,
        max_length=32,
        description="x0, y0, x1, y1 in pixels, one for each person; leave it out to find them",
    )


class Joint(Record):
    """One joint."""

    name: str = Field(description="such as left elbow")
    x: float = Field(description="pixels")
    y: float = Field(description="pixels")
    score: float = Field(ge=0, le=1)


class PoseOutput(Record):
    """The map, and what it was drawn from."""

    image: Image = Field(description="coloured limbs on black, of the picture's size")
    people: tuple[tuple[Joint, ...], ...] = Field(description="joints of each person")


class Pose(Tool[PoseInput, PoseOutput]):
    """Find the joints of people and draw them as a map of limbs on black.

    ViTPose, Xu et al. 2022 (arXiv:2204.12484); people are found by the tool `ground`, held as a
    part. The map has the limbs and colours of OpenPose, which ControlNet knows.

    Raises:
        InvalidInput: a box leaves the picture, or there is none and no detector in the profile.
        Unavailable: the checkpoint is not on this machine.
    """

    name = "pose"
    input = PoseInput
    output = PoseOutput
    options_type = PoseOptions
    options: PoseOptions
    needs = ("ground",)
    _model: Network
    _ground: Ground

    def load(self, checkpoint: str, device: str, dtype: str) -> None:
        from models import pose

        self._model = pose.load(checkpoint, device, dtype)
        self._ground = Ground(
            {"threshold": self.options.threshold, "overlap": self.options.overlap}
        )
        if "ground" in self.parts:
            self._ground.load(self.parts["ground"], device, dtype)

    def check(self, request: PoseInput) -> None:
        if request.boxes is None and "ground" not in self.parts:
            raise InvalidInput(
                "this profile names no detector for pose (parts: {ground: …}), so nobody can be "
                "looked for; give boxes"
            )
        for box in request.boxes or ():
            view.check(request.image, box)

    def answer(self, requests: Sequence[PoseInput], progress: Progress | None) -> list[PoseOutput]:
        return [self._one(request) for request in requests]

    def _one(self, request: PoseInput) -> PoseOutput:
        from models import pose

        boxes = request.boxes
        if boxes is None:
            asked = GroundInput(image=request.image, phrases=("person",))
            (found,) = self._ground.answer([asked], None)
            boxes = tuple(one.box for one in found.boxes)
        people = self._model.joints(request.image.pixels, boxes)
        return PoseOutput(
            image=Image.from_pixels(pose.drawn(request.image.size_wh, people, self.options.least)),
            people=tuple(
                tuple(
                    Joint(name=name, x=round(one.x, 2), y=round(one.y, 2), score=share(one.score))
                    for name, one in zip(pose.JOINTS, person, strict=True)
                )
                for person in people
            ),
        )


TOOL = Pose
