"""OWLv2: where in a picture a phrase is (Minderer et al. 2023, arXiv:2306.09683)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.ops import box_convert, box_iou, nms
from transformers import Owlv2ForObjectDetection, Owlv2Processor

from models import calibration, weights
from models.calibration import Curve
from models.device import copies, network, parts, processor
from models.shelf import kept

BATCH = 8
VOTE = 0.4  # IoU from which on a dropped box has a say in where the kept one lies


class Found(NamedTuple):
    """One box of one phrase.

    Attributes:
        phrase: index into the phrases asked for.
        box: x0, y0, x1, y1 in pixels of the picture, x1, y1 excluded, inside the picture.
        score: 0..1, belief that the phrase is there, calibrated where the checkpoint is.
    """

    phrase: int
    box: tuple[float, float, float, float]
    score: float


class Owl:
    """A loaded OWLv2."""

    def __init__(self, model: Any, processor: Any, curve: Curve) -> None:
        self._model = model
        self._processor = processor
        self._curve = curve

    @torch.inference_mode()
    def boxes(
        self,
        pictures: Sequence[NDArray[np.uint8]],
        phrases: Sequence[Sequence[str]],
        *,
        thresholds: Sequence[float],
        overlap: float,
    ) -> list[list[Found]]:
        """Find each phrase by itself: what else is asked changes nothing.

        Args:
            pictures: each RGB, uint8, (H, W, 3).
            phrases: for each picture, at least one.
            thresholds: for each picture, the least score that counts.
            overlap: IoU above which the weaker of two boxes of one phrase is dropped.

        Returns:
            For each picture its boxes, the highest score first.
        """
        found = []
        for part in parts(range(len(pictures)), BATCH):
            logits, boxes = self._forward([pictures[i] for i in part], [phrases[i] for i in part])
            for row, index in enumerate(part):
                height, width = pictures[index].shape[:2]
                asked = len(phrases[index])
                square = max(width, height)  # the picture was padded, right and below
                found.append(
                    select(
                        self._believed(logits[row, :, :asked].sigmoid(), phrases[index]),
                        box_convert(boxes[row], "cxcywh", "xyxy") * square,
                        size_wh=(width, height),
                        threshold=thresholds[index],
                        overlap=overlap,
                    )
                )
        return found

    def _believed(self, scores: torch.Tensor, phrases: Sequence[str]) -> torch.Tensor:
        """Scores (Q, P) of phrases through the curve of each."""
        if self._curve == calibration.AS_IT_IS:
            return scores
        columns = [
            torch.from_numpy(self._curve(scores[:, i], phrase)) for i, phrase in enumerate(phrases)
        ]
        return torch.stack(columns, 1).float()

    def _forward(
        self, pictures: Sequence[NDArray[np.uint8]], phrases: Sequence[Sequence[str]]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (B, Q, P) and boxes (B, Q, 4), cxcywh in parts of the padded square."""
        most = max(len(row) for row in phrases)
        padded = [text for row in phrases for text in (*row, *[row[0]] * (most - len(row)))]
        length = self._model.config.text_config.max_position_embeddings
        words = self._processor.tokenizer(
            padded, padding="max_length", truncation=True, max_length=length, return_tensors="pt"
        ).to(self._model.device)
        inputs = self._processor.image_processor(copies(pictures), return_tensors="pt")
        output = self._model(
            input_ids=words["input_ids"],
            attention_mask=words["attention_mask"],
            pixel_values=inputs["pixel_values"].to(self._model.device, self._model.dtype),
        )
        return output.logits.float().cpu(), output.pred_boxes.float().cpu()


def select(
    scores: torch.Tensor,
    boxes: torch.Tensor,
    *,
    size_wh: tuple[int, int],
    threshold: float,
    overlap: float,
) -> list[Found]:
    """Cut scores (Q, P) and boxes (Q, 4), px, down to what is believed, once each.

    A kept box is the mean of its neighbours weighted by score (box voting, Gidaris and Komodakis
    2015, arXiv:1505.01749): many patches see one object, each a little off.
    """
    width, height = size_wh
    boxes = torch.minimum(boxes.clamp(min=0), torch.tensor([width, height, width, height]))
    inside = (boxes[:, 2] - boxes[:, 0] >= 1) & (boxes[:, 3] - boxes[:, 1] >= 1)
    found = []
    for phrase in range(scores.shape[1]):
        rows = torch.nonzero(inside & (scores[:, phrase] >= threshold)).flatten()
        near, belief = boxes[rows], scores[rows, phrase]
        kept = nms(near, belief, overlap)
        votes = belief * (box_iou(near[kept], near) >= VOTE)  # (kept, near)
        voted = votes @ near / votes.sum(1, keepdim=True)
        for index in nms(voted, belief[kept], overlap).tolist():
            x0, y0, x1, y1 = voted[index].tolist()
            found.append(Found(phrase, (x0, y0, x1, y1), float(belief[kept][index])))
    return sorted(found, key=lambda one: -one.score)


@kept
def load(checkpoint: str, device: str, dtype: str) -> Owl:
    """Load an Owlv2ForObjectDetection folder; a second call gives the same network.

    Raises:
        Unavailable: it is missing, damaged, or of another class.
    """
    folder = weights.expect(checkpoint, "Owlv2ForObjectDetection")
    return Owl(
        network(Owlv2ForObjectDetection, checkpoint, device, dtype),
        processor(Owlv2Processor, checkpoint),
        calibration.read(folder).get("box", calibration.AS_IT_IS),
    )
