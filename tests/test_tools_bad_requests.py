"""Bad requests to the tools that look: each is refused in one line, and only it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tools.base import Tool
from tools.errors import InvalidInput
from tools.registry import discover
from tools.values import Image

PICTURE = Image.from_pixels(np.full((40, 60, 3), 9, np.uint8))
GOOD: dict[str, dict[str, Any]] = {
    "caption": {},
    "vqa": {"question": "is there a dog?"},
    "ground": {"phrases": ["dog"]},
    "segment": {"boxes": [[0, 0, 9, 9]]},
    "classify": {"labels": ["dog", "cat"]},
    "score": {"text": "a dog"},
    "pose": {"boxes": [[0, 0, 9, 9]]},
    "depth": {},
    "edges": {},
    "ocr": {},
}


@pytest.mark.parametrize(
    ("name", "wrong", "says"),
    [
        ("caption", {"image": "img_gone"}, "image"),
        ("caption", {"image": None}, "image"),
        ("caption", {"picture": "x"}, "picture"),
        ("caption", {"box": [0, 0, 61, 9]}, "not inside the picture of 60x40"),
        ("vqa", {"question": ""}, "question: .* at least 1 character"),
        ("vqa", {"question": "   "}, "question"),
        ("vqa", {"question": "a" * 1001}, "at most 1000 characters"),
        ("vqa", {"question": 7}, "question: .* valid string"),
        ("ground", {"phrases": []}, "at least 1 item"),
        ("ground", {"phrases": ["dog"] * 33}, "at most 32 items"),
        ("ground", {"phrases": ["dog", " "]}, "phrases.1"),
        ("ground", {"threshold": 1.1}, "less than or equal to 1"),
        ("segment", {"points": [[1, 1]]}, "exactly one of"),
        ("segment", {"boxes": None}, "exactly one of"),
        ("segment", {"boxes": [[9, 9, 3, 20]]}, "not inside the picture of 60x40"),
        ("segment", {"boxes": [[0, 0, 61, 20]]}, "not inside the picture of 60x40"),
        ("segment", {"boxes": None, "points": [[60, 2]]}, r"point \(60.0, 2.0\) is not inside"),
        ("segment", {"boxes": None, "points": [[1, 1]], "labels": [1, 0]}, "one for each point"),
        ("segment", {"boxes": None, "points": [[1, 1]], "labels": [2]}, "labels.0"),
        ("segment", {"boxes": None, "phrase": "dog"}, "names no detector"),
        ("classify", {"labels": ["dog"]}, "at least 2 items"),
        ("classify", {"labels": ["dog", "dog"]}, "'dog' is there more than once"),
        ("classify", {"labels": ["dog", "none of these"], "none": True}, "more than once"),
        ("classify", {"box": [5, 5, 5, 9]}, "not inside the picture"),
        ("classify", {"box": [0, 0, float("nan"), 9]}, "box|inside"),
        ("score", {"text": None}, "text"),
        ("pose", {"boxes": [[-1, 0, 9, 9]]}, "not inside the picture"),
        ("pose", {"boxes": None}, "names no detector"),
        ("depth", {"image": {"pixels": []}}, "image"),
        ("edges", {"low": 300}, "low must be below high"),
        ("ocr", {"image": "img1", "language": "en"}, "language"),
    ],
)
def test_a_bad_request_is_refused_in_one_line(name: str, wrong: dict[str, Any], says: str) -> None:
    tool: Tool[Any, Any] = discover()[name]()
    good = {"image": PICTURE, **GOOD[name]}
    request = tool.parse(good)
    tool.check(request)
    before = PICTURE.id, PICTURE.pixels.copy()
    with pytest.raises(InvalidInput, match=says) as refusal:
        tool.check(tool.parse({**good, **wrong}))
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 400
    tool.check(tool.parse(good))
    assert before[0] == PICTURE.id
    np.testing.assert_array_equal(before[1], PICTURE.pixels)
