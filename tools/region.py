"""Region: where a picture may change, the window that a network sees, and the way back.

What lies outside a region is copied, byte for byte; a network never touches it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PIL

from tools.base import share
from tools.errors import InvalidInput
from tools.values import Box, Image, Mask, Pixels

SHADE = 48  # of 255, in any colour
SEAM = 64  # a seam is as wide as 1/64 of the picture's longer side, twice


class Window(NamedTuple):
    """A square of a picture; where it reaches beyond, the border is continued."""

    x: int
    y: int
    side: int


class Laid(NamedTuple):
    """A changed picture and how far it changed; both shares are 0 for none, 1 for all of it."""

    image: Image
    mask: Mask
    """Where it may differ from what it was: the region and its seam."""
    outside_change: float
    """Share of the pixels outside the mask that differ; 0.0, or something is broken."""
    inside_change: float
    """Mean difference inside the mask."""


def wanted(image: Image, mask: Mask | None, boxes: Sequence[Box]) -> NDArray[np.bool_]:
    """The region that a request names: bool, (H, W).

    Raises:
        InvalidInput: neither or both are given, the mask is empty or of another size, a box
            leaves the picture.
    """
    if (mask is None) == (not boxes):
        raise InvalidInput("give either a mask or boxes: where the picture shall change")
    if mask is not None:
        if mask.size_wh != image.size_wh:
            raise InvalidInput(
                f"the mask is {mask.size_wh[0]}x{mask.size_wh[1]}, the picture "
                f"{image.width}x{image.height}; they must be of one size"
            )
        if not mask.pixels.any():
            raise InvalidInput("the mask is empty; it must hold at least one pixel")
        return mask.pixels
    return filled(image.size_wh, boxes)


def filled(size_wh: tuple[int, int], boxes: Sequence[Box]) -> NDArray[np.bool_]:
    """All that lies in one of the boxes: bool, (H, W).

    Raises:
        InvalidInput: a box is empty or leaves the picture.
    """
    width, height = size_wh
    region = np.zeros((height, width), np.bool_)
    for box in boxes:
        x0, y0, x1, y1 = box
        if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
            raise InvalidInput(f"box {box} is not inside the picture of {width}x{height}")
        region[int(y0) : int(np.ceil(y1)), int(x0) : int(np.ceil(x1))] = True
    return region


def spread(masks: Sequence[NDArray[np.bool_]], margin: float) -> NDArray[np.bool_]:
    """Masks joined, each grown by a share of its thing's longer side: bool, (H, W).

    Args:
        masks: bool, (H, W) each, of one size; at least one.
        margin: the share, 0..1.

    Raises:
        InvalidInput: all of them are empty.
    """
    joined = np.zeros_like(masks[0])
    for mask in masks:
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if len(rows):
            longer = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
            joined |= mean(mask.astype(np.float32), max(1, round(float(longer) * margin))) > 0
    if not joined.any():
        raise InvalidInput("nothing could be cut out of the picture; give a mask or boxes")
    return joined


def window(region: NDArray[np.bool_], side: int) -> Window:
    """The square around a region that a network of that side shall see.

    At its own scale where the region leaves room for surroundings; larger, and then shrunk, where
    it does not; the whole picture where that is smaller.
    """
    height, width = region.shape
    rows, columns = np.flatnonzero(region.any(1)), np.flatnonzero(region.any(0))
    high, wide = int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1
    if high * wide > 0.75 * side * side or max(high, wide) > side:
        side = max(side, max(high, wide) * 3 // 2)
    side = min(side, max(height, width))
    x = _start((int(columns[0]) + int(columns[-1]) + 1 - side) // 2, side, width)
    y = _start((int(rows[0]) + int(rows[-1]) + 1 - side) // 2, side, height)
    return Window(x, y, side)


def around(region: NDArray[np.bool_], share: float) -> Window:
    """The square with a region in its middle, the region's longer side a share of its own."""
    rows, columns = np.flatnonzero(region.any(1)), np.flatnonzero(region.any(0))
    x0, x1, y0, y1 = columns[0], columns[-1] + 1, rows[0], rows[-1] + 1
    side = max(8, round(max(x1 - x0, y1 - y0) / share))
    return Window(int(x0 + x1 - side) // 2, int(y0 + y1 - side) // 2, side)


def cut(pixels: Pixels, where: Window, side: int) -> Pixels:
    """What a network sees: RGB, uint8, (side, side, 3)."""
    (top, bottom, left, right), inside = _reach(pixels.shape, where)
    whole = np.pad(pixels[inside], ((top, bottom), (left, right), (0, 0)), mode="edge")
    return resized(whole, side, side)


def cut_mask(region: NDArray[np.bool_], where: Window, side: int) -> NDArray[np.bool_]:
    """The region in the window: bool, (side, side); a thin part is kept when it shrinks."""
    (top, bottom, left, right), inside = _reach(region.shape, where)
    whole = np.pad(region[inside], ((top, bottom), (left, right))).astype(np.uint8) * 255
    if where.side == side:
        return whole > 0
    small = PIL.fromarray(whole).resize((side, side), PIL.Resampling.BOX)
    return np.asarray(small) > 0


def lay(
    image: Image, made: Pixels, where: Window, region: NDArray[np.bool_], *, soft: bool = True
) -> Laid:
    """Put what a network made back into the picture, inside the region and its seam only.

    Args:
        image: the picture as it was.
        made: RGB, uint8, the window as it shall be, of any size.
        where: the window.
        region: bool, (H, W) of the picture.
        soft: whether a seam is blended around the region.
    """
    (top, _, left, _), inside = _reach(image.pixels.shape, where)
    old = image.pixels[inside].astype(np.float32)
    new = resized(made, where.side, where.side)[
        top : top + old.shape[0], left : left + old.shape[1]
    ]
    width = max(1, max(image.size_wh) // SEAM) if soft else 0
    weight = seam(region[inside], width)[..., None]
    pixels = image.pixels.copy()
    pixels[inside] = np.rint(old + weight * (new - old)).astype(np.uint8)
    allowed = np.zeros_like(region)
    allowed[inside] = weight[..., 0] > 0
    return measured(image, Image.from_pixels(pixels), Mask(allowed))


def matched(made: Pixels, seen: Pixels, region: NDArray[np.bool_]) -> Pixels:
    """What a network made, shifted by as much as what it was to keep is off.

    A network gives surroundings back a shade lighter or darker, and what it paints beside them
    too. Where they differ by more than a shade, it did not mean to keep them.

    Args:
        made: RGB, uint8, (H, W, 3).
        seen: what it was shown, of the same size.
        region: bool, (H, W), where it was to paint.
    """
    off = seen.astype(np.float32) - made
    kept = (~region & (np.abs(off).max(2) <= SHADE)).astype(np.float32)
    rows, columns = np.flatnonzero(region.any(1)), np.flatnonzero(region.any(0))
    # from the middle of the region this reaches beyond its border
    width = int(max(rows[-1] - rows[0], columns[-1] - columns[0])) * 3 // 4 + 1
    there = mean(kept, width)
    shift = np.stack([mean(off[..., i] * kept, width) for i in range(3)], 2)
    shift /= np.maximum(there, np.finfo(np.float32).tiny)[..., None]
    return np.asarray(np.rint(made + shift).clip(0, 255), dtype=np.uint8)


def measured(before: Image, after: Image, mask: Mask) -> Laid:
    """Two pictures of one size, compared outside and inside a mask."""
    change = np.abs(after.pixels.astype(np.int16) - before.pixels).max(2)  # (H, W)
    outside, inside = change[~mask.pixels], change[mask.pixels]
    return Laid(
        after,
        mask,
        share(float((outside > 0).mean())) if outside.size else 0.0,
        share(float(inside.mean()) / 255) if inside.size else 0.0,
    )


def seam(region: NDArray[np.bool_], width: int) -> NDArray[np.float32]:
    """How much of the new is taken: float32, (H, W); 1 in the region, 0 from 2 x width px off."""
    if width == 0:
        return region.astype(np.float32)
    grown = mean(region.astype(np.float32), width) > 0
    return np.where(region, np.float32(1), mean(grown.astype(np.float32), width))


def resized(pixels: Pixels, width: int, height: int) -> Pixels:
    """RGB, uint8, (height, width, 3), by Lanczos's filter; the same array if nothing changes."""
    if pixels.shape[:2] == (height, width):
        return pixels
    scaled = PIL.fromarray(pixels).resize((width, height), PIL.Resampling.LANCZOS)
    return np.asarray(scaled, dtype=np.uint8)


def mean(values: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """Mean over squares of 2 x width + 1 pixels, the border continued."""
    for axis in (0, 1):
        edges = [(0, 0), (0, 0)]
        edges[axis] = (width + 1, width)
        # 0 and 1 summed stay whole numbers: an empty square is exactly 0, a full one exactly 1
        summed = np.cumsum(np.pad(values, edges, mode="edge"), axis=axis, dtype=np.float64)
        span = 2 * width + 1
        upper = np.take(summed, np.arange(span, summed.shape[axis]), axis)
        lower = np.take(summed, np.arange(summed.shape[axis] - span), axis)
        values = np.rint(upper - lower).astype(np.float32)
    return values / np.float32((2 * width + 1) ** 2)


def _start(start: int, side: int, length: int) -> int:
    """Where a window begins: inside where it fits, else around the middle."""
    if side > length:
        return (length - side) // 2
    return min(max(start, 0), length - side)


def _reach(
    shape: Sequence[int], where: Window
) -> tuple[tuple[int, int, int, int], tuple[slice, slice]]:
    """How far the window reaches beyond (top, bottom, left, right), and its part inside."""
    height, width = shape[0], shape[1]
    x1, y1 = where.x + where.side, where.y + where.side
    beyond = (max(0, -where.y), max(0, y1 - height), max(0, -where.x), max(0, x1 - width))
    inside = (slice(max(0, where.y), min(y1, height)), slice(max(0, where.x), min(x1, width)))
    return beyond, inside
