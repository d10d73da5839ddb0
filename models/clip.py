"""CLIP: how well words fit a picture (Radford et al. 2021, arXiv:2103.00020)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from transformers import CLIPModel, CLIPProcessor

from models import calibration, weights
from models.calibration import AS_IT_IS, Curve
from models.device import copies, network, parts, processor
from models.shelf import kept

BATCH = 32
_LONGEST = 8  # sides at most 1:8, else resizing the short side makes a picture of any size


class Clip:
    """A loaded CLIP."""

    speaks = True

    def __init__(
        self, model: Any, processor: Any, curves: Mapping[str, Curve] | None = None
    ) -> None:
        self._model = model
        self._processor = processor
        self._curves = curves or {}

    @torch.inference_mode()
    def pictures(self, pictures: Sequence[NDArray[np.uint8]]) -> torch.Tensor:
        """Unit vectors of pictures.

        Args:
            pictures: each RGB, uint8, (H, W, 3).

        Returns:
            float32, (N, D).
        """
        found = []
        for part in parts([_squarer(one) for one in pictures], BATCH):
            inputs = self._processor.image_processor(copies(part), return_tensors="pt")
            values = inputs["pixel_values"].to(self._model.device, self._model.dtype)
            found.append(_vectors(self._model.get_image_features(pixel_values=values)))
        return torch.cat(found)

    @torch.inference_mode()
    def texts(self, texts: Sequence[str]) -> torch.Tensor:
        """Unit vectors of texts, cut at the network's length: float32, (N, D)."""
        found = []
        length = self._model.config.text_config.max_position_embeddings
        for part in parts(texts, BATCH):
            inputs = self._processor.tokenizer(
                list(part), padding=True, truncation=True, max_length=length, return_tensors="pt"
            ).to(self._model.device)
            vectors = self._model.get_text_features(
                input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]
            )
            found.append(_vectors(vectors))
        return torch.cat(found)

    def similarity(
        self, pictures: Sequence[NDArray[np.uint8]], texts: Sequence[str]
    ) -> NDArray[np.float32]:
        """Cosine of each picture with its own text: float32, (N,), -1..1."""
        cosines = (self.pictures(pictures) * self.texts(texts)).sum(-1).clamp(-1, 1)
        return np.asarray(cosines.cpu().numpy(), dtype=np.float32)

    @property
    def knows_none(self) -> bool:
        """Whether it was calibrated to tell that no label fits."""
        return "fits" in self._curves

    def zero_shot(
        self, pictures: Sequence[NDArray[np.uint8]], labels: Sequence[Sequence[str]]
    ) -> list[tuple[NDArray[np.float32], float]]:
        """Which label fits each picture, and whether any does.

        Returns:
            For each picture the probability of each label if one of them fits, float32,
            (labels,), sum 1; and the belief that one does, 0..1: 1 where `knows_none` is not.
        """
        sharp = self._curves.get("label", AS_IT_IS).slope
        scale = sharp * self._model.logit_scale.detach().float().exp()
        flat = list(dict.fromkeys(label for row in labels for label in row))
        place_of = {label: index for index, label in enumerate(flat)}
        cosines = self.pictures(pictures) @ self.texts(flat).T  # (N, all labels)
        found = []
        for row, own in zip(cosines, labels, strict=True):
            mine = row[[place_of[label] for label in own]]
            chances = np.asarray((scale * mine).softmax(-1).cpu().numpy())
            found.append((chances, self._fits(float(mine.max()))))
        return found

    def _fits(self, cosine: float) -> float:
        """Belief that the best of all labels is true of the picture, by its cosine."""
        return float(self._curves["fits"]((1 + cosine) / 2)) if self.knows_none else 1.0


@kept
def load(checkpoint: str, device: str, dtype: str) -> Clip:
    """Load a CLIPModel folder; a second call gives the same network.

    Raises:
        Unavailable: it is missing, damaged, or no CLIPModel.
    """
    folder = weights.expect(checkpoint, "CLIPModel")
    model = network(CLIPModel, checkpoint, device, dtype)
    return Clip(model, processor(CLIPProcessor, checkpoint), calibration.read(folder))


def _vectors(output: Any) -> torch.Tensor:
    return F.normalize(output.pooler_output.float(), dim=-1)


def _squarer(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Widen a sliver with white, to sides of at most 1:8."""
    height, width = pixels.shape[:2]
    down = max(0, -(-width // _LONGEST) - height)
    right = max(0, -(-height // _LONGEST) - width)
    if not down and not right:
        return pixels
    around = ((down // 2, down - down // 2), (right // 2, right - right // 2), (0, 0))
    return np.pad(pixels, around, constant_values=255)
