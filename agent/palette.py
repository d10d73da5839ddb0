"""Palette: which colour word fits a patch of pixels; the witness that is no network."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from tools.values import Box, Image

# Strong and pale examples of each word: people call both a strong and a pale blue blue.
EXAMPLES: dict[str, tuple[tuple[int, int, int], ...]] = {
    "white": ((255, 255, 255), (244, 244, 242)),
    "gray": ((128, 128, 128), (184, 186, 190), (90, 90, 92)),
    "black": ((0, 0, 0), (35, 35, 38)),
    "red": ((226, 59, 48), (178, 30, 28), (255, 0, 0), (240, 150, 145)),
    "orange": ((247, 138, 32), (211, 100, 14), (255, 165, 0), (252, 205, 150)),
    "yellow": ((252, 226, 43), (232, 176, 20), (255, 255, 0), (252, 240, 178)),
    "green": ((96, 180, 62), (58, 128, 40), (0, 128, 0), (196, 230, 180)),
    "blue": (
        (72, 143, 226),
        (35, 92, 178),
        (0, 0, 255),
        (30, 60, 200),
        (20, 30, 110),
        (178, 212, 244),
    ),
    "purple": ((150, 92, 196), (108, 56, 152), (128, 0, 128), (210, 190, 234)),
    "pink": ((255, 150, 190), (226, 104, 150), (255, 105, 180), (252, 208, 224)),
    "brown": ((139, 90, 43), (101, 67, 33), (194, 160, 126)),
}
_WORDS = tuple(word for word, shades in EXAMPLES.items() for _ in shades)
_SRGB_TO_XYZ = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
)
_WHITE = np.array([0.9505, 1.0, 1.089])  # D65


def lab(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """CIELAB of sRGB pixels.

    Args:
        rgb: uint8, (..., 3), 0..255.

    Returns:
        float64, (..., 3): L 0..100, a and b about -128..127.
    """
    linear = rgb / 255.0
    linear = np.where(linear <= 0.04045, linear / 12.92, ((linear + 0.055) / 1.055) ** 2.4)
    ratio = (linear @ _SRGB_TO_XYZ.T) / _WHITE
    root = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    x, y, z = root[..., 0], root[..., 1], root[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


_EXAMPLES_LAB = lab(np.array([s for shades in EXAMPLES.values() for s in shades], dtype=np.uint8))


def named(rgb: NDArray[np.uint8]) -> tuple[str, ...]:
    """The colour word nearest to each of n colours, uint8, (n, 3)."""
    distances = np.linalg.norm(lab(rgb)[:, None] - _EXAMPLES_LAB[None], axis=-1)  # (n, examples)
    return tuple(_WORDS[index] for index in distances.argmin(axis=1))


def background_shares(image: Image, boxes: Iterable[Box]) -> dict[str, float]:
    """Share of each colour word among the pixels outside all boxes, the largest first.

    Where boxes leave less than a fiftieth of the picture, its border of one pixel is read.
    """
    outside = np.ones(image.pixels.shape[:2], dtype=bool)  # (H, W)
    for x0, y0, x1, y1 in boxes:
        rows = slice(max(0, int(y0) - 1), int(np.ceil(y1)) + 1)
        outside[rows, max(0, int(x0) - 1) : int(np.ceil(x1)) + 1] = False
    if outside.mean() < 0.02:
        outside[:] = False
        outside[0], outside[-1], outside[:, 0], outside[:, -1] = True, True, True, True
    return _shares(image.pixels[outside])


def box_shares(image: Image, box: Box) -> dict[str, float]:
    """Share of each colour word among the pixels inside a box, the largest first."""
    return _shares(image.crop(box).pixels.reshape(-1, 3))


def _shares(pixels: NDArray[np.uint8]) -> dict[str, float]:
    """Share of each colour word among pixels, uint8, (n, 3)."""
    coarse = pixels // 8 * 8 + 4  # few distinct colours: naming is cheap
    colours, counts = np.unique(coarse, axis=0, return_counts=True)
    shares: dict[str, float] = {}
    for word, count in zip(named(colours), counts, strict=True):
        shares[word] = shares.get(word, 0.0) + float(count) / len(coarse)
    return dict(sorted(shares.items(), key=lambda pair: -pair[1]))
