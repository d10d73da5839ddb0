"""Marked parts of pictures: from strokes and boxes to what a request does with them."""

from __future__ import annotations

import numpy as np
import pytest

from tools.errors import InvalidInput
from tools.toolbox import LocalToolbox
from tools.values import Image, Mask
from ui.face.marking import boxed, framed, painted, part, wanted
from ui.overlay import mask_over

WHITE = Image.from_pixels(np.full((96, 128, 3), 255, np.uint8))
MASK = boxed(WHITE, (16.0, 16.0, 48.0, 64.0))


def test_a_stroke_covers_where_the_brush_went_and_nothing_far_from_it() -> None:
    mask = painted(WHITE, [(20, 20), (100, 20)]).pixels
    assert mask.shape == (96, 128)
    assert mask[20, 20:101].all()
    assert not mask[40:].any()


def test_a_dot_is_as_wide_as_the_brush() -> None:
    assert 30 < painted(WHITE, [(60, 50)]).pixels.sum() < 100


def test_a_box_may_be_dragged_from_any_corner() -> None:
    assert framed(WHITE, [(48, 64), (30, 30), (16, 16)]) == (16, 16, 48, 64)
    assert MASK.pixels.sum() == 32 * 48


def test_a_box_without_area_is_refused_in_words() -> None:
    with pytest.raises(InvalidInput, match="press, drag"):
        framed(WHITE, [(10, 10), (10.5, 60)])


@pytest.mark.parametrize(
    ("words", "tool", "argument", "value"),
    [
        ("what is it?", "vqa", "question", "what is it?"),
        ("how many keys are there", "vqa", "question", "how many keys are there"),
        ("describe it", "caption", "image", "img7"),
        ("remove it", "remove", "image", "img1"),
        ("a yellow star", "inpaint", "prompt", "a yellow star"),
        ("replace it with a yellow star", "inpaint", "prompt", "a yellow star"),
        ("please put a red apple here.", "inpaint", "prompt", "a red apple"),
        ("draw a key", "inpaint", "prompt", "a key"),
    ],
)
def test_words_decide_what_is_done_with_a_marked_part(
    miniature: LocalToolbox, words: str, tool: str, argument: str, value: str
) -> None:
    found = wanted(words, "img1", WHITE, MASK, miniature, "img7")
    (call,) = found.plan.calls
    assert (call.tool, call.input[argument]) == (tool, value)
    assert len(found.images) == (tool in ("vqa", "caption"))


def test_words_that_say_nothing_are_asked_for(miniature: LocalToolbox) -> None:
    with pytest.raises(InvalidInput, match="such as"):
        wanted("replace it with", "img1", WHITE, MASK, miniature, "img2")


def test_the_marked_part_is_cut_out_with_a_little_around_it() -> None:
    assert part(WHITE, MASK).size_wh == (32 + 12, 48 + 12)


def test_what_is_marked_is_tinted_and_the_rest_is_left() -> None:
    shown = mask_over(WHITE, MASK)
    assert shown.size_wh == (512, 384)
    assert (shown.pixels[0, 0] == 255).all()
    assert (shown.pixels[160, 120] != 255).any()
    assert mask_over(WHITE, Mask(np.zeros((96, 128), np.bool_))).pixels.min() == 255
