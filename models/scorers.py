"""Scorers: networks that say how well words fit a picture; which one is told by the checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models import clip, reward, weights


class Scorer(Protocol):
    """A loaded network that weighs pictures by their words."""

    def similarity(
        self, pictures: Sequence[NDArray[np.uint8]], texts: Sequence[str]
    ) -> NDArray[np.float32]:
        """Of each picture with its own text: float32, (N,); on which scale, the network says.

        Args:
            pictures: each RGB, uint8, (H, W, 3).
            texts: one for each picture.
        """
        ...


KINDS: dict[str, Callable[[str, str, str], Scorer]] = {
    "CLIPModel": clip.load,
    "BlipForImageTextRetrieval": reward.load,
}


def load(checkpoint: str, device: str, dtype: str) -> Scorer:
    """Load a scorer of any kind that is known; a second call gives the same network.

    Raises:
        Unavailable: it is missing, damaged, or of another class.
    """
    folder = weights.expect(checkpoint, *KINDS)
    return KINDS[weights.architecture(folder)](checkpoint, device, dtype)
