"""Ground: words that choose one of several things."""

from __future__ import annotations

import asyncio

import pytest

from miniature.world.scene import Scene, Thing, draw
from tools import selector
from tools.ground import GroundInput, GroundOutput
from tools.toolbox import LocalToolbox
from tools.values import Image

DOGS = Scene("white", (Thing("dog", None, "small", 8, 8), Thing("dog", None, "small", 80, 72)))


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("dog", ("dog", None)),
        ("the left dog", ("dog", "left")),
        ("rightmost red apple", ("red apple", "right")),
        ("dog on the left", ("dog", "left")),
        ("the cat at the top", ("cat", "top")),
        ("lower dog", ("dog", "bottom")),
        ("the biggest dog", ("dog", "largest")),
        ("the left of the dog", ("the left of the dog", None)),
        ("dog to the left of the cat", ("dog to the left of the cat", None)),
    ],
)
def test_choosing_words_are_told_from_the_rest(said: str, meant: tuple[str, str | None]) -> None:
    assert selector.read(said) == meant


def test_the_left_dog_is_one_dog(miniature: LocalToolbox) -> None:
    phrases = ("dog", "the left dog", "dog at the bottom")
    request = GroundInput(image=Image.from_pixels(draw(DOGS)), phrases=phrases)
    output = asyncio.run(miniature.call("ground", request))
    assert isinstance(output, GroundOutput)
    boxes = {said: [one.box for one in output.boxes if one.phrase == said] for said in phrases}
    assert len(boxes["dog"]) == 2
    assert [box[0] < 48 for box in boxes["the left dog"]] == [True]
    assert [box[1] > 48 for box in boxes["dog at the bottom"]] == [True]
