"""Segment: what may be asked of it, on an untrained network; what ours cuts out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from miniature.world.scene import Scene, Thing, draw, masks
from tools.errors import InvalidInput
from tools.ground import GroundInput, GroundOutput
from tools.segment import Segment, SegmentInput, SegmentOutput
from tools.toolbox import LocalToolbox
from tools.values import Image

SCENE = Scene("blue", (Thing("apple", "red", "large", 0, 0), Thing("cat", None, "small", 80, 80)))
PICTURE = Image.from_pixels(draw(SCENE))


@pytest.fixture(scope="module")
def segment(tiny: Path) -> Segment:
    tool = Segment({"threshold": 0.0}, {"ground": str(tiny / "owl")})
    tool.load(str(tiny / "sam"), "cpu", "auto")
    return tool


def cut(tool: Segment, **asked: Any) -> SegmentOutput:
    (output,) = tool.run([tool.parse({"image": PICTURE, **asked})])
    if isinstance(output, Exception):
        raise output
    return output


def test_each_box_has_its_mask_of_the_pictures_size(segment: Segment) -> None:
    found = cut(segment, boxes=[[0, 0, 60, 60], [80, 80, 128, 128]])
    assert [mask.size_wh for mask in found.masks] == [(128, 128)] * 2
    assert len(found.scores) == 2


def test_all_clicks_are_about_one_thing(segment: Segment) -> None:
    found = cut(segment, points=[[32, 36], [100, 100]], labels=[1, 0])
    assert len(found.masks) == len(found.scores) == 1


def test_a_phrase_has_a_mask_for_each_box_of_the_detector(segment: Segment) -> None:
    boxes = segment._ground.run([GroundInput(image=PICTURE, phrases=("cat",))])[0]
    assert isinstance(boxes, GroundOutput)
    assert len(cut(segment, phrase="cat").masks) == len(boxes.boxes)


def test_a_profile_without_a_detector_says_so() -> None:
    tool = Segment()
    with pytest.raises(InvalidInput, match="names no detector"):
        tool.check(tool.parse({"image": PICTURE, "phrase": "cat"}))


def test_a_second_click_does_not_read_the_picture_again(segment: Segment) -> None:
    network = segment._model
    first = network.at_points(PICTURE.pixels, "anew", [(32, 36)], [1])
    other = np.zeros_like(PICTURE.pixels)
    again = network.at_points(other, "anew", [(32, 36)], [1])  # known by its name, not looked at
    assert np.array_equal(first.mask, again.mask)
    assert len(network._kept) <= 32


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({}, "exactly one of"),
        ({"phrase": "cat", "everything": True}, "exactly one of"),
        ({"boxes": [[0, 0, 1, 1]], "points": [[1, 1]]}, "exactly one of"),
        ({"boxes": [[0, 0, 129, 9]]}, "not inside the picture of 128x128"),
        ({"boxes": [[9, 9, 9, 20]]}, "not inside"),
        ({"boxes": [[-1, 0, 9, 9]]}, "not inside"),
        ({"boxes": [[float("nan"), 0, 9, 9]]}, "not inside"),
        ({"points": [[128, 0]]}, "not inside the picture"),
        ({"points": [[0, float("inf")]]}, "not inside the picture"),
        ({"points": [[1, 1]], "labels": [1, 0]}, "one for each point; got 2 for 1"),
        ({"phrase": "cat", "labels": [1]}, "got 1 for 0 points"),
        ({"points": [[1, 1]], "labels": [2]}, "labels"),
        ({"points": [[1]]}, "points"),
        ({"boxes": [[0, 0, 9]]}, "boxes"),
        ({"boxes": []}, "boxes"),
        ({"phrase": "   "}, "phrase"),
        ({"phrase": "x" * 1001}, "phrase"),
        ({"everything": "perhaps"}, "everything"),
        ({"image": "photo.png"}, "image"),
        ({"box": [0, 0, 9, 9]}, "box"),
    ],
)
def test_a_wrong_request_says_what_is_wrong(
    segment: Segment, asked: dict[str, Any], says: str
) -> None:
    with pytest.raises(InvalidInput, match=says):
        cut(segment, **asked)


@pytest.mark.parametrize(
    "asked",
    [{"boxes": ((2, 2, 62, 62),)}, {"points": ((32, 36),)}, {"phrase": "red apple"}],
    ids=["box", "click", "phrase"],
)
async def test_the_miniature_cuts_along_the_thing(
    miniature: LocalToolbox, asked: dict[str, Any]
) -> None:
    found = await miniature.call("segment", SegmentInput(image=PICTURE, **asked))
    assert isinstance(found, SegmentOutput)
    (mask,) = found.masks
    truth = masks(SCENE)[0]
    assert (mask.pixels & truth).sum() / (mask.pixels | truth).sum() > 0.85


async def test_the_miniature_finds_everything_there_is(miniature: LocalToolbox) -> None:
    found = await miniature.call("segment", SegmentInput(image=PICTURE, everything=True))
    assert isinstance(found, SegmentOutput)
    for truth in masks(SCENE):
        assert any(
            (mask.pixels & truth).sum() / (mask.pixels | truth).sum() > 0.8 for mask in found.masks
        )
