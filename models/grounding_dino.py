"""Grounding DINO: where in a picture a phrase is (Liu et al. 2023, arXiv:2303.05499).

The network reads all phrases as one text in which they may sway each other. Here each is asked
by itself, so that what else is looked for changes nothing; that costs a pass for each phrase.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.ops import box_convert
from transformers import GroundingDinoForObjectDetection, GroundingDinoProcessor

from models import weights
from models.device import copies, network, processor
from models.generation import of_one_length
from models.owl import Found, select
from models.shelf import kept

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
        found = []
        for picture, row, threshold in zip(pictures, phrases, thresholds, strict=True):
            height, width = picture.shape[:2]
            sides = torch.tensor([width, height, width, height])
            ids = self._read(row)
            kept: list[Found] = []
            for part in of_one_length(ids, BATCH):
                scores, boxes = self._forward(picture, [ids[j] for j in part])
                for j, belief, near in zip(part, scores, boxes, strict=True):
                    mine = select(
                        belief[:, None],
                        box_convert(near, "cxcywh", "xyxy") * sides,
                        size_wh=(width, height),
                        threshold=threshold,
                        overlap=overlap,
                    )
                    kept += [one._replace(phrase=j) for one in mine]
            found.append(sorted(kept, key=lambda one: -one.score))
        return found

    def _read(self, phrases: Sequence[str]) -> list[list[int]]:
        """Tokens of each phrase, as a sentence of its own."""
        sentences = [f"{phrase.lower().strip(' .')}." for phrase in phrases]
        length = self._model.config.max_text_len
        read = self._processor.tokenizer(sentences, truncation=True, max_length=length)
        return [[int(token) for token in one] for one in read["input_ids"]]

    @torch.inference_mode()
    def _forward(
        self, picture: NDArray[np.uint8], phrases: Sequence[Sequence[int]]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Scores (B, Q) and boxes (B, Q, 4), cxcywh in parts of the picture.

        A query's score for a phrase is that of the word it fits best, as in the paper's code.
        Phrases are of one length and about one picture: what is padded would sway the answers.
        """
        tokenizer = self._processor.tokenizer
        words = torch.tensor(phrases, device=self._model.device)
        marks = [*tokenizer.all_special_ids, tokenizer.convert_tokens_to_ids(".")]
        meant = ~torch.isin(words, torch.tensor(marks, device=words.device))
        seen = self._processor.image_processor(copies([picture]), return_tensors="pt")
        values = seen["pixel_values"].to(self._model.device, self._model.dtype)
        output = self._model(
            pixel_values=values.expand(len(words), -1, -1, -1),
            input_ids=words,
            token_type_ids=torch.zeros_like(words),
            attention_mask=torch.ones_like(words),
        )
        fits = output.logits[..., : words.shape[1]].float().sigmoid()  # (B, Q, tokens)
        scores = fits.masked_fill(~meant[:, None], 0).amax(-1)
        return scores.cpu(), output.pred_boxes.float().cpu()


@kept
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
