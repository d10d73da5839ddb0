"""View: what a network is shown of a picture when only the part inside a box is meant."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from tools.base import Record
from tools.errors import InvalidInput
from tools.values import Box, Image, Pixels


class ViewOptions(Record):
    """Set in the profile."""

    outside: Literal["cut", "plain"] = Field(
        "cut",
        description="what becomes of the picture outside a box: cut off, so that the box fills "
        "the network's view, or painted over plain, for networks that know one scale only",
    )


def check(image: Image, box: Box | None) -> None:
    """Refuse a box that leaves the picture.

    Raises:
        InvalidInput: says where the picture ends.
    """
    if box is None:
        return
    x0, y0, x1, y1 = box
    width, height = image.size_wh
    if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
        raise InvalidInput(
            f"box {box} is not inside the picture of {width}x{height}; "
            "it is x0, y0, x1, y1 in pixels"
        )


def inside(image: Image, box: Box | None, outside: Literal["cut", "plain"]) -> Pixels:
    """The part of a picture that is meant: RGB, uint8, (h, w, 3), or (H, W, 3) if plain around."""
    if box is None:
        return image.pixels
    part = image.crop(box).pixels
    if outside == "cut":
        return part
    x, y = int(box[0]), int(box[1])
    meant = np.zeros(image.pixels.shape[:2], np.bool_)
    meant[y : y + part.shape[0], x : x + part.shape[1]] = True
    if meant.all():
        return image.pixels
    view = image.pixels.copy()
    view[~meant] = np.median(view[~meant], axis=0)
    return view
