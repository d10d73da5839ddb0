"""Selector: words that choose one of several things by its place or size, as in "the left dog"."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tools.values import Box

_ORDER: dict[str, Callable[[Box], float]] = {
    # the chosen box has the least of it
    "left": lambda box: box[0] + box[2],
    "right": lambda box: -(box[0] + box[2]),
    "top": lambda box: box[1] + box[3],
    "bottom": lambda box: -(box[1] + box[3]),
    "largest": lambda box: -(box[2] - box[0]) * (box[3] - box[1]),
    "smallest": lambda box: (box[2] - box[0]) * (box[3] - box[1]),
}
_SAME = {"upper": "top", "lower": "bottom", "biggest": "largest"}
_WORDS = "left|right|top|bottom|upper|lower"
_BEFORE = re.compile(
    rf"^(?:the )?(?:({_WORDS})(?:most)?|(largest|biggest|smallest)) (?!of\b)(.+)$", re.IGNORECASE
)
_AFTER = re.compile(rf"^(?:the )?(.+?) (?:on|at|to) the ({_WORDS})$", re.IGNORECASE)


class Selection(NamedTuple):
    """A phrase taken apart.

    Attributes:
        phrase: what to look for.
        by: a key of the orders above; None keeps all that is found.
    """

    phrase: str
    by: str | None


def read(phrase: str) -> Selection:
    """Take the choosing words off: "the leftmost dog", "dog on the left" are "dog", "left"."""
    if found := _BEFORE.match(phrase):
        word, noun = found[1] or found[2], found[3]
    elif found := _AFTER.match(phrase):
        noun, word = found[1], found[2]
    else:
        return Selection(phrase, None)
    word = word.lower()
    return Selection(noun, _SAME.get(word, word))


def chosen(boxes: Sequence[Box], by: str) -> int:
    """The place of the box that the word means, of at least one."""
    return min(range(len(boxes)), key=lambda i: _ORDER[by](boxes[i]))
