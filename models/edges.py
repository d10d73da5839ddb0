"""Edges: where brightness changes sharply, as a map that pictures can be drawn along."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models import weights
from models.errors import Unavailable

CHECKPOINT = "package:opencv-python-headless"


class Edges:
    """Canny's detector, as OpenCV has it; there is nothing to train."""

    def __init__(self) -> None:
        # Late, so that a package that is not installed is told in words.
        import cv2

        self._cv2 = cv2

    def map(self, pixels: NDArray[np.uint8], *, low: int, high: int) -> NDArray[np.uint8]:
        """Draw the edges of a picture.

        Args:
            pixels: RGB, uint8, (H, W, 3), 0..255.
            low: a step of brightness that prolongs an edge; in gradient units, below `high`.
            high: a step of brightness that begins one.

        Returns:
            RGB, uint8, (H, W, 3): 255 on edges one pixel wide, 0 elsewhere; ControlNet's form.
        """
        grey = self._cv2.cvtColor(np.array(pixels), self._cv2.COLOR_RGB2GRAY)
        lines = np.asarray(self._cv2.Canny(grey, low, high), dtype=np.uint8)
        return np.repeat(lines[..., None], 3, axis=2)


def load(checkpoint: str, device: str, dtype: str) -> Edges:
    """Bring the detector; it runs on the CPU in whole numbers, whatever device is wanted.

    Raises:
        Unavailable: the package is not here, or the checkpoint names another.
    """
    weights.expect(checkpoint, CHECKPOINT)
    try:
        return Edges()
    except ImportError as error:
        raise Unavailable(
            f"OpenCV cannot be imported ({error}); "
            "`pip install --force-reinstall opencv-python-headless` mends it"
        ) from error
