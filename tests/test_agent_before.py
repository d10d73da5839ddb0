"""Before: what is told beside the picture that was changed, on flat shapes."""

from __future__ import annotations

import numpy as np
import pytest

from agent.before import check_resized, check_unchanged, region_of
from agent.changes import UNTOUCHED, compile_changes
from tools.ground import Detection
from tools.values import Box, Image, Mask

DOG: Box = (20.0, 20.0, 40.0, 40.0)
CAT: Box = (44.0, 20.0, 60.0, 36.0)


def drawn(*boxes: Box) -> Image:
    """White, 64 px wide and high, with dark boxes."""
    pixels = np.full((64, 64, 3), 255, np.uint8)
    for x0, y0, x1, y1 in boxes:
        pixels[int(y0) : int(y1), int(x0) : int(x1)] = 40
    return Image.from_pixels(pixels)


def found(*boxes: Box) -> tuple[Detection, ...]:
    return tuple(Detection(phrase="dog", box=box, score=0.9) for box in boxes)


@pytest.mark.parametrize(
    ("request_", "side", "verdict"),
    [
        ("make the dog bigger", 28, "pass"),
        ("make the dog bigger", 20, "fail"),
        ("make the dog bigger", 14, "fail"),
        ("make the dog smaller", 14, "pass"),
        ("make the dog smaller", 20, "fail"),
        ("shrink the dog", 28, "fail"),
    ],
)
def test_bigger_is_told_by_box_and_pixels_of_both_pictures(
    request_: str, side: int, verdict: str
) -> None:
    claim = compile_changes(request_)[0]
    now: Box = (20.0, 20.0, 20.0 + side, 20.0 + side)
    check = check_resized(claim, (drawn(DOG), found(DOG)), (drawn(now), found(now)))
    assert check.verdict == verdict
    assert {witness.name for witness in check.witnesses} == {"ground", "pixels"}


def test_a_box_that_grew_around_the_same_pixels_is_not_believed() -> None:
    claim = compile_changes("make the dog bigger")[0]
    wide: Box = (14.0, 14.0, 46.0, 46.0)
    check = check_resized(claim, (drawn(DOG), found(DOG)), (drawn(DOG), found(wide)))
    assert check.verdict == "unsure"


def test_what_is_not_found_any_more_is_not_told_bigger() -> None:
    claim = compile_changes("make the dog bigger")[0]
    check = check_resized(claim, (drawn(DOG), found(DOG)), (drawn(), ()))
    assert (check.verdict, check.witnesses[0].detail) == ("fail", "no dog found now")


def test_a_tool_that_paints_over_another_thing_is_not_excused_by_its_own_mask() -> None:
    before, after = drawn(DOG, CAT), drawn(DOG)  # the cat is gone
    pixels = np.zeros((64, 64), np.bool_)
    pixels[18:42, 18:62] = True
    mask = Mask(pixels).rle()
    own = region_of(after, mask, [DOG], told=False)
    assert check_unchanged(UNTOUCHED, before, after, own).verdict == "fail"
    told = region_of(after, mask, [DOG], told=True)
    assert check_unchanged(UNTOUCHED, before, after, told).verdict == "pass"
    alone = region_of(after, mask, [], told=False)
    assert check_unchanged(UNTOUCHED, before, after, alone).verdict == "pass"
    assert region_of(after, None, [], told=False) is None
