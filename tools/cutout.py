"""Cutout: a thing drawn by itself, cut out of its plain ground and laid into a picture.

For networks that draw things on plain grounds, and draw a whole picture better than a part of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tools import region
from tools.values import Box, Image, Pixels

if TYPE_CHECKING:
    from models.diffusion import Diffusion, Manner, OnStep, Order

GROUND = 40  # of 255, in any colour: up to here a pixel may be the ground's
LEAST, MOST = 0.01, 0.6  # of the picture, that a thing covers which was drawn by itself


class Cutout(NamedTuple):
    """A thing without its ground.

    Attributes:
        pixels: RGB, uint8, (h, w, 3), no larger than the thing.
        solid: float32, (h, w), 1 on the thing, 0 on what was ground, between on its edge.
    """

    pixels: Pixels
    solid: NDArray[np.float32]


def drawn(
    model: Diffusion, order: Order, manner: Manner, words: str | None, on_step: OnStep | None
) -> Cutout | None:
    """What is ordered, drawn by itself and cut out; None where that cannot be told from its ground.

    Args:
        model: draws it at its own size.
        order: its prompt names a thing.
        manner: how.
        words: as `alone` in PaintOptions; without them nothing is drawn.
        on_step: see `Diffusion.draw`.
    """
    if words is None:
        return None
    order = order._replace(prompt=words.replace("{phrase}", order.prompt))
    made = model.draw([order], manner=manner, size_wh=model.size_wh, on_step=on_step)
    return cut(made[0])


def cut(picture: Pixels) -> Cutout | None:
    """The thing in the middle of a picture; None without ground around it, or without a thing."""
    far = _far(picture)
    solid = standing_out(picture)
    if not LEAST <= float(solid.mean()) <= MOST or solid[[0, -1]].any() or solid[:, [0, -1]].any():
        return None
    rows, columns = np.flatnonzero(solid.any(1)), np.flatnonzero(solid.any(0))
    tight = slice(rows[0] - 1, rows[-1] + 2), slice(columns[0] - 1, columns[-1] + 2)
    soft = np.where(solid, 1, far / (2 * GROUND)).astype(np.float32)  # the edge fades into it
    near = region.mean(solid.astype(np.float32), 1) > 0
    return Cutout(picture[tight], np.where(near, soft, 0)[tight])


def standing_out(picture: Pixels) -> NDArray[np.bool_]:
    """What is not the plain ground of a picture: bool, (H, W).

    The ground is what has the border's colour and is joined to the border: what it encloses, as
    an eye does white, belongs to the thing.
    """
    import cv2

    plain = (_far(picture) <= GROUND).astype(np.uint8)
    _, parts = cv2.connectedComponents(plain, connectivity=4)
    edge = np.concatenate([parts[[0, -1]].ravel(), parts[:, [0, -1]].ravel()])
    return np.asarray(~np.isin(parts, np.unique(edge[edge > 0])))


def _far(picture: Pixels) -> NDArray[np.int16]:
    """How far each pixel is from the border's colour, in the channel where it is farthest."""
    border = np.concatenate([picture[[0, -1]].reshape(-1, 3), picture[:, [0, -1]].reshape(-1, 3)])
    usual = np.median(border, 0).astype(np.int16)
    return np.asarray(np.abs(picture.astype(np.int16) - usual).max(2))


def lay(image: Image, thing: Cutout, box: Sequence[float]) -> Image:
    """A picture with a thing in a box of it, as large as fits, in its middle.

    Args:
        image: the picture; all outside the box keeps its bytes.
        thing: what is laid in.
        box: x0, y0, x1, y1 px, inside the picture.
    """
    where = _fitted(thing, box)
    x0, y0, x1, y1 = (round(edge) for edge in where)
    size = max(1, x1 - x0), max(1, y1 - y0)
    new = region.resized(thing.pixels, *size).astype(np.float32)
    grey = np.repeat((thing.solid * 255).round().astype(np.uint8)[..., None], 3, 2)
    weight = region.resized(grey, *size)[..., :1].astype(np.float32) / 255
    pixels = image.pixels.copy()
    place = slice(y0, y0 + size[1]), slice(x0, x0 + size[0])
    old = pixels[place].astype(np.float32)
    pixels[place] = np.rint(old + weight * (new - old)).clip(0, 255).astype(np.uint8)
    return Image.from_pixels(pixels)


def _fitted(thing: Cutout, box: Sequence[float]) -> Box:
    """The largest box of a thing's shape in the middle of another."""
    x0, y0, x1, y1 = box
    height, width = thing.solid.shape
    scale = min((x1 - x0) / width, (y1 - y0) / height)
    wide, high = scale * width, scale * height
    left, top = (x0 + x1 - wide) / 2, (y0 + y1 - high) / 2
    return left, top, left + wide, top + high
