"""Paint: which colour word an object in a box wears, by the drawing that explains its pixels best.

Nothing here is learnt: of the seven ways to paint a kind of object, the one whose pixels differ
least from those in the box. So a pair of object and colour that no training saw is read as well as
any other.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from miniature.world.sprites import sprite
from miniature.world.vocabulary import COLOURS, OBJECTS, SIZES

WORDS = tuple(COLOURS)
CAP = 120.0  # RGB distance beyond which a pixel says no more: it is outline or background


@cache
def drawings(name: str) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """A kind of object in every colour, and where the colours differ.

    Returns:
        float32, (7, H, W, 3), RGB 0..255, cropped to the drawing; bool, (H, W).
    """
    painted = np.stack([sprite(name, word, SIZES["large"]) for word in WORDS]).astype(np.float32)
    solid = painted[0, ..., 3] >= 128
    rows, columns = np.flatnonzero(solid.any(1)), np.flatnonzero(solid.any(0))
    painted = painted[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    spread = painted[..., :3].max(0) - painted[..., :3].min(0)
    return painted[..., :3], (painted[0, ..., 3] >= 255) & (spread.max(-1) > 60)


def worn(
    picture: NDArray[np.uint8], name: str, box: tuple[float, float, float, float]
) -> str | None:
    """The colour of an object.

    Args:
        picture: RGB, uint8, (H, W, 3).
        name: a word of OBJECTS.
        box: x0, y0, x1, y1 px, x1 y1 excluded; may reach beyond the picture.

    Returns:
        A word of COLOURS; None for objects that have only their own colours.
    """
    if not OBJECTS[name].recolourable:
        return None
    painted, where = drawings(name)
    height, width = where.shape
    crop = Image.fromarray(picture).resize(
        (width, height), Image.Resampling.BILINEAR, box=_inside(box, picture)
    )
    apart = np.linalg.norm(np.asarray(crop, np.float32)[where] - painted[:, where], axis=-1)
    return WORDS[int(np.minimum(apart, CAP).mean(1).argmin())]


def _inside(
    box: tuple[float, float, float, float], picture: NDArray[np.uint8]
) -> tuple[float, float, float, float]:
    """The box cut to the picture, at least one pixel wide and high."""
    height, width = picture.shape[:2]
    x0, y0 = min(max(box[0], 0), width - 1), min(max(box[1], 0), height - 1)
    return x0, y0, min(max(box[2], x0 + 1), width), min(max(box[3], y0 + 1), height)
