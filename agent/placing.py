"""Placing: boxes for the things of a picture that is yet to be drawn, by rule.

Places in words become boxes in pixels, and boxes become words again where no tool takes boxes.
"""

from __future__ import annotations

from collections.abc import Sequence

from tools.values import Box

PLACES: dict[str, tuple[float, float, float, float]] = {
    "left": (0.04, 0.25, 0.46, 0.75),
    "right": (0.54, 0.25, 0.96, 0.75),
    "top": (0.27, 0.04, 0.73, 0.46),
    "bottom": (0.27, 0.54, 0.73, 0.96),
    "middle": (0.25, 0.25, 0.75, 0.75),
    "top left": (0.05, 0.05, 0.45, 0.45),
    "top right": (0.55, 0.05, 0.95, 0.45),
    "bottom left": (0.05, 0.55, 0.45, 0.95),
    "bottom right": (0.55, 0.55, 0.95, 0.95),
}
"""Place in words to x0, y0, x1, y1 as shares of width and height."""


def box_at(place: str, size_wh: tuple[int, int]) -> Box:
    """The box of a place, in pixels of a picture of this width and height."""
    width, height = size_wh
    x0, y0, x1, y1 = PLACES[place]
    return (
        float(round(x0 * width)),
        float(round(y0 * height)),
        float(round(x1 * width)),
        float(round(y1 * height)),
    )


def sentence(things: Sequence[Sequence[str]], background: str | None = None) -> str:
    """Things with their places in one sentence, as captions are written.

    Args:
        things: pairs of a phrase and a place.
        background: a colour.
    """
    phrases = [phrase for phrase, _ in things]
    if len(things) == 2:
        text = f"{phrases[0]} {_relation(things[0][1], things[1][1])} {phrases[1]}"
    else:
        head = ", ".join(phrases[:-1])
        text = f"{head} and {phrases[-1]}" if head else phrases[0]
    return f"{text} on a {background} background" if background else text


def _relation(one: str, other: str) -> str:
    """How the first place lies to the second; the clearer of the two axes."""
    ax0, ay0, ax1, ay1 = PLACES[one]
    bx0, by0, bx1, by1 = PLACES[other]
    across, down = (bx0 + bx1) - (ax0 + ax1), (by0 + by1) - (ay0 + ay1)
    if abs(across) >= abs(down) and across:
        return "to the left of" if across > 0 else "to the right of"
    if down:
        return "above" if down > 0 else "below"
    return "and"
