"""Detectors: networks that find things named in words; which one is told by the checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models import grounding_dino, owl, weights
from models.owl import Found


class Detector(Protocol):
    """A loaded network that finds phrases."""

    def boxes(
        self,
        pictures: Sequence[NDArray[np.uint8]],
        phrases: Sequence[Sequence[str]],
        *,
        thresholds: Sequence[float],
        overlap: float,
    ) -> list[list[Found]]:
        """As `Owl.boxes`."""
        ...


KINDS: dict[str, Callable[[str, str, str], Detector]] = {
    "Owlv2ForObjectDetection": owl.load,
    "GroundingDinoForObjectDetection": grounding_dino.load,
}


def load(checkpoint: str, device: str, dtype: str) -> Detector:
    """Load a detector of any kind that is known; a second call gives the same network.

    Raises:
        Unavailable: it is missing, damaged, or of another class.
    """
    folder = weights.expect(checkpoint, *KINDS)
    return KINDS[weights.architecture(folder)](checkpoint, device, dtype)
