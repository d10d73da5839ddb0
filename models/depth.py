"""Depth: how near each pixel of one picture is (Yang et al. 2024, arXiv:2406.09414).

Depth Anything, and DPT (Ranftl et al. 2021, arXiv:2103.13413). Both give relative nearness.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import (
    AutoImageProcessor,
    DepthAnythingForDepthEstimation,
    DPTForDepthEstimation,
)

from models import weights
from models.device import copies, loading, network
from models.shelf import kept

KINDS = {
    "DepthAnythingForDepthEstimation": DepthAnythingForDepthEstimation,
    "DPTForDepthEstimation": DPTForDepthEstimation,
}


class Depth:
    """A loaded depth network."""

    def __init__(self, model: Any, processor: Any) -> None:
        self._model = model
        self._processor = processor

    @torch.inference_mode()
    def maps(self, pictures: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        """Nearness of each pixel.

        Pictures are read one by one: they keep their proportions, so sizes differ.

        Args:
            pictures: each RGB, uint8, (H, W, 3).

        Returns:
            For each picture float32, (H, W), 0 the farthest, 1 the nearest; 0.5 where all is even.
        """
        found = []
        for picture in pictures:
            inputs = self._processor(images=copies([picture]), return_tensors="pt")
            values = inputs["pixel_values"].to(self._model.device, self._model.dtype)
            near = self._model(pixel_values=values).predicted_depth.float()[:, None]
            sized = torch.nn.functional.interpolate(near, picture.shape[:2], mode="bicubic")[0, 0]
            low, high = sized.min(), sized.max()
            even = torch.full_like(sized, 0.5)
            scaled = (sized - low) / (high - low) if high > low else even
            found.append(scaled.cpu().numpy())
        return found


@kept
def load(checkpoint: str, device: str, dtype: str) -> Depth:
    """Load a depth network's folder; a second call gives the same network.

    Raises:
        Unavailable: it is missing, damaged, or of another class.
    """
    folder = weights.expect(checkpoint, *KINDS)
    model = network(KINDS[weights.architecture(folder)], checkpoint, device, dtype)
    with loading(checkpoint):
        prepare: Any = AutoImageProcessor  # untyped
        return Depth(model, prepare.from_pretrained(folder, local_files_only=True))
