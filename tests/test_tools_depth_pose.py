"""Depth and pose: the maps that `control` draws along, from checkpoints of the public classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models import pose as network
from models.pose import JOINTS, Joint
from tools.depth import Depth, DepthOutput
from tools.errors import InvalidInput
from tools.pose import Pose, PoseOutput
from tools.values import Image

RNG = np.random.default_rng(0)
PICTURES = [
    Image.from_pixels(RNG.integers(0, 255, shape, dtype=np.uint8))
    for shape in ((40, 60, 3), (64, 48, 3))
]


def test_depth_is_grey_and_of_the_pictures_size(tiny: Path) -> None:
    tool = Depth()
    tool.load(str(tiny / "depth"), "cpu", "float32")
    found = tool.run([tool.parse({"image": one}) for one in PICTURES])
    for picture, output in zip(PICTURES, found, strict=True):
        assert isinstance(output, DepthOutput)
        pixels = output.image.pixels
        assert output.image.size_wh == picture.size_wh
        assert (pixels[..., 0] == pixels[..., 1]).all()
        assert (pixels.min(), pixels.max()) == (0, 255)


def test_poses_are_of_those_in_the_boxes(tiny: Path) -> None:
    tool = Pose({"least": 0.0})
    tool.load(str(tiny / "pose"), "cpu", "float32")
    boxes = ((0, 0, 30, 40), (20, 0, 60, 40))
    good = tool.parse({"image": PICTURES[0], "boxes": boxes})
    outside = tool.parse({"image": PICTURES[0], "boxes": ((0, 0, 90, 40),)})
    nobody = tool.parse({"image": PICTURES[0]})
    output, error, refusal = tool.run([good, outside, nobody])
    assert isinstance(output, PoseOutput)
    assert len(output.people) == 2
    assert tuple(joint.name for joint in output.people[0]) == JOINTS
    assert output.image.size_wh == PICTURES[0].size_wh
    assert output.image.pixels.any()
    assert isinstance(error, InvalidInput)
    assert isinstance(refusal, InvalidInput)
    assert "names no detector" in str(refusal)


def test_people_are_found_where_a_detector_is(tiny: Path) -> None:
    tool = Pose({"threshold": 0.0}, {"ground": str(tiny / "owl")})
    tool.load(str(tiny / "pose"), "cpu", "float32")
    (output,) = tool.run([tool.parse({"image": PICTURES[0]})])
    assert isinstance(output, PoseOutput)
    assert output.people


def test_a_joint_that_is_not_believed_is_not_drawn() -> None:
    person = [Joint(5 + 3 * i, 20, 0.9) for i in range(len(JOINTS))]
    assert network.drawn((64, 40), [person], 0.5).any()
    doubted = [one._replace(score=0.1) for one in person]
    assert not network.drawn((64, 40), [doubted], 0.5).any()
    assert network.drawn((64, 40), [], 0.5).shape == (40, 64, 3)
