"""Edges: the map that `control` draws along."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models import edges as detector
from tools.edges import Edges, EdgesOutput
from tools.errors import InvalidInput, Unavailable
from tools.values import Image

SQUARE = np.zeros((40, 60, 3), np.uint8)
SQUARE[10:30, 20:40] = 255
PICTURE = Image.from_pixels(SQUARE)


@pytest.fixture(scope="module")
def edges() -> Edges:
    tool = Edges()
    tool.load(detector.CHECKPOINT, "auto", "auto")
    return tool


def mapped(tool: Edges, **asked: Any) -> Image:
    (output,) = tool.run([tool.parse({"image": PICTURE, **asked})])
    if not isinstance(output, EdgesOutput):
        raise output
    return output.image


def test_the_outline_is_white_on_black(edges: Edges) -> None:
    found = mapped(edges).pixels
    assert found.shape == SQUARE.shape
    assert set(np.unique(found)) == {0, 255}
    assert not found[13:27, 23:37].any()
    assert not found[:8].any()
    assert found[8:12, 25:35].any(axis=0).all()


def test_an_even_picture_has_no_edges(edges: Edges) -> None:
    assert not mapped(edges, image=Image.from_pixels(SQUARE[:8])).pixels.any()


def test_faint_edges_take_lower_steps(edges: Edges) -> None:
    faint = Image.from_pixels(SQUARE // 16)
    assert not mapped(edges, image=faint).pixels.any()
    assert mapped(edges, image=faint, low=10, high=20).pixels.any()


def test_steps_in_the_wrong_order_spoil_only_their_item(edges: Edges) -> None:
    good = edges.parse({"image": PICTURE})
    wrong = edges.parse({"image": PICTURE, "low": 200, "high": 200})
    first, error, last = edges.run([good, wrong, good])
    assert isinstance(error, InvalidInput)
    assert str(error) == "low is 200 and high 200; low must be below high"
    assert first == last == EdgesOutput(image=mapped(edges))


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"image": "img1"},
        {"image": PICTURE, "low": -1},
        {"image": PICTURE, "high": 1001},
        {"image": PICTURE, "low": "much"},
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=r"^edges: "):
        Edges().parse(arguments)


def test_another_package_is_refused() -> None:
    with pytest.raises(Unavailable, match="needs package:opencv-python-headless"):
        Edges().load("package:rapidocr", "cpu", "auto")
