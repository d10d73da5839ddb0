"""Overlay: a picture with named boxes or a mask drawn over it, large enough to read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image as PIL
from PIL import ImageDraw, ImageFont

from tools.values import Box, Image, Mask

LEAST_SIDE = 512  # px; smaller pictures are enlarged by a whole factor
LETTERS = 13  # px
TINT = (255, 45, 120)  # of what is marked
INKS = ("#c00000", "#0050c8", "#007a33", "#8a2be2", "#b35900", "#00757a", "#a0006e", "#444444")


class Named(NamedTuple):
    """A box in pixels of the picture, and what it is."""

    name: str
    box: Box


def evidence_boxes(picture: str, evidence: Iterable[Mapping[str, Any]]) -> list[Named]:
    """The boxes that checks of one picture stand on, each once.

    Args:
        picture: its id.
        evidence: of every check of a run.
    """
    boxes = [
        Named(f"{each['phrase']} {each['score']:.2f}", tuple(each["box"]))
        for one in evidence
        if one.get("image") == picture
        for each in one.get("boxes", ())
    ]
    return list(dict.fromkeys(boxes))


def boxes_over(image: Image, boxes: Sequence[Named]) -> Image:
    """The picture, enlarged if it is small, with each box in the ink of its name."""
    scale = max(1, -(-LEAST_SIDE // max(image.size_wh)))
    width, height = image.width * scale, image.height * scale
    canvas = image.to_pil().resize((width, height), PIL.Resampling.BICUBIC)
    pen = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(LETTERS)
    names = list(dict.fromkeys(each.name.rpartition(" ")[0] for each in boxes))
    for name, box in boxes:
        ink = INKS[names.index(name.rpartition(" ")[0]) % len(INKS)]
        x0, y0, x1, y1 = (float(side) * scale for side in box)
        pen.rectangle((x0, y0, max(x0, x1 - 1), max(y0, y1 - 1)), outline=ink, width=2)
        left, top, right, bottom = pen.textbbox((0, 0), name, font=font)
        x = min(max(0.0, x0), max(0.0, width - (right - left) - 6))
        y = y0 - (bottom - top) - 6 if y0 >= bottom - top + 6 else y0
        pen.rectangle((x, y, x + right - left + 6, y + bottom - top + 6), fill=ink)
        pen.text((x + 3 - left, y + 3 - top), name, fill="white", font=font)
    return Image.from_pil(canvas)


def mask_over(image: Image, mask: Mask) -> Image:
    """The picture, enlarged if it is small, with what lies in the mask tinted and rimmed."""
    scale = max(1, -(-LEAST_SIDE // max(image.size_wh)))
    wide = np.kron(mask.pixels, np.ones((scale, scale), np.bool_))
    size = (image.width * scale, image.height * scale)
    pixels = np.asarray(image.to_pil().resize(size, PIL.Resampling.BICUBIC), np.float32)
    tinted = np.where(wide[..., None], 0.55 * pixels + 0.45 * np.array(TINT), pixels)
    inner = np.pad(wide, 2, mode="edge")
    inner = inner[:-4, 2:-2] & inner[4:, 2:-2] & inner[2:-2, :-4] & inner[2:-2, 4:]
    tinted[wide & ~inner] = TINT
    return Image.from_pixels(np.rint(tinted).astype(np.uint8))
