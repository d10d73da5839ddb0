"""Grounding DINO: where in a picture a phrase is (Liu et al. 2023, arXiv:2303.05499).

The network reads all phrases as one text in which they may sway each other. Here each is asked
by itself, so that what else is looked for changes nothing; that costs a pass for each phrase.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.ops import box_convert
from transformers import GroundingDinoForObjectDetection, GroundingDinoProcessor

from models import weights
from models.device import copies, network, parts, processor
from models.owl import Found, select

BATCH = 4


class GroundingDino:
    """A loaded Grounding DINO."""

    def __init__(self, model: Any, processor: Any) -> None:
        self._model = model
        self._processor = processor

    def boxes(
        self,
        pictures: Sequence[NDArray[np.uint8]],
        phrases: Sequence[Sequence[str]],
        *,
        thresholds: Sequence[float],
        overlap: float,
    ) -> list[list[Found]]:
        """Find each phrase by itself; arguments and answers as those of `Owl.boxes`."""
        asked = [(i, j) for i, row in enumerate(phrases) for j in range(len(row))]
        found: list[list[Found]] = [[] for _ in pictures]
        for part in parts(asked, BATCH):
            scores, boxes = self._forward(
                [pictures[i] for i, _ in part], [phrases[i][j] for i, j in part]
            )
            for (i, j), belief, near in zip(part, scores, boxes, strict=True):
                height, width = pictures[i].shape[:2]
                kept = select(
                    belief[:, None],
                    box_convert(near, "cxcywh", "xyxy")
                    * torch.tensor([width, height, width, height]),
                    size_wh=(width, height),
                    threshold=thresholds[i],
                    overlap=overlap,
                )
                found[i] += [one._replace(phrase=j) for one in kept]
        return [sorted(row, key=lambda one: -one.score) for row in found]

    @torch.inference_mode()
    def _forward(
        self, pictures: Sequence[NDArray[np.uint8]], phrases: Sequence[str]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Scores (B, Q) and boxes (B, Q, 4), cxcywh in parts of the picture.

        A query's score for a phrase is that of the word it fits best, as in the paper's code.
        """
        tokenizer = self._processor.tokenizer
        words = tokenizer(
            [f"{phrase.lower().strip(' .')}." for phrase in phrases],
            padding=True,
            truncation=True,
            max_length=self._model.config.max_text_len,
            return_tensors="pt",
            return_special_tokens_mask=True,
        ).to(self._model.device)
        dot = tokenizer.convert_tokens_to_ids(".")
        meant = (words["special_tokens_mask"] == 0) & (words["input_ids"] != dot)
        seen = self._processor.image_processor(copies(pictures), return_tensors="pt")
        output = self._model(
            pixel_values=seen["pixel_values"].to(self._model.device, self._model.dtype),
            pixel_mask=seen["pixel_mask"].to(self._model.device),
            input_ids=words["input_ids"],
            token_type_ids=torch.zeros_like(words["input_ids"]),
            attention_mask=words["attention_mask"],
        )
        fits = output.logits[..., : meant.shape[1]].float().sigmoid()  # (B, Q, tokens)
        scores = fits.masked_fill(~meant[:, None], 0).amax(-1)
        return scores.cpu(), output.pred_boxes.float().cpu()


@cache
def load(checkpoint: str, device: str, dtype: str) -> GroundingDino:
    """Load a GroundingDinoForObjectDetection folder; a second call gives the same network.

    Raises:
        Unavailable: it is missing, damaged, or of another class.
    """
    weights.expect(checkpoint, "GroundingDinoForObjectDetection")
    return GroundingDino(
        network(GroundingDinoForObjectDetection, checkpoint, device, dtype),
        processor(GroundingDinoProcessor, checkpoint),
    )
