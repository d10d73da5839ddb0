"""SAM: masks from boxes and clicks (Kirillov et al. 2023, arXiv:2304.02643).

SAM 2.1 (Ravi et al. 2024, arXiv:2408.00714) answers the same questions; its memory of videos is
not used.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.ops import masks_to_boxes, nms
from transformers import Sam2ImageProcessor, Sam2Model, SamImageProcessor, SamModel

from models import weights
from models.device import copies, loading, network, parts
from models.shelf import kept

KEPT = 32  # pictures whose embeddings are kept: 4 MiB each for ViT-B
PROMPTS = 64  # decoded at once
GRID = 16  # clicks along each side when everything is asked for
STABLE = 0.9  # least IoU of the mask cut a little higher with the mask cut a little lower
CUT = 1.0  # by so much, in logits
BELIEVED = 0.8  # least estimated IoU of a mask among everything
ALIKE = 0.7  # IoU of boxes above which two masks of everything are one
LEAST = 16  # px of a mask among everything

Point = tuple[float, float]  # x, y in pixels
Box = tuple[float, float, float, float]  # x0, y0, x1, y1 in pixels; x1, y1 excluded


class Cut(NamedTuple):
    """One mask.

    Attributes:
        mask: bool, (H, W), of the picture's size.
        score: 0..1, the network's own estimate of the mask's IoU.
    """

    mask: NDArray[np.bool_]
    score: float


class Sam:
    """A loaded SAM. The picture is read once, by its id; a further click costs only the decoder."""

    def __init__(self, model: Any, processor: Any) -> None:
        self._model = model
        self._processor = processor
        self._kept: OrderedDict[str, Any] = OrderedDict()

    def in_boxes(self, pixels: NDArray[np.uint8], key: str, boxes: Sequence[Box]) -> list[Cut]:
        """The object in each box.

        Args:
            pixels: RGB, uint8, (H, W, 3).
            key: what tells the picture from all others.
            boxes: at least one.
        """
        found = []
        for part in parts(boxes, PROMPTS):
            asked = self._scaled(np.array(part, np.float32).reshape(-1, 2, 2), pixels)
            logits, beliefs = self._decode(pixels, key, input_boxes=asked.reshape(1, -1, 4))
            found += self._cuts(logits, beliefs, pixels)
        return found

    def at_points(
        self, pixels: NDArray[np.uint8], key: str, points: Sequence[Point], labels: Sequence[int]
    ) -> Cut:
        """The one object that all clicks are about; label 1 lies on it, 0 off it."""
        asked = self._scaled(np.array(points, np.float32)[None], pixels)
        logits, beliefs = self._decode(
            pixels, key, input_points=asked[None], input_labels=torch.tensor([[list(labels)]])
        )
        (cut,) = self._cuts(logits, beliefs, pixels)
        return cut

    def everything(self, pixels: NDArray[np.uint8], key: str) -> list[Cut]:
        """A mask for each thing that a grid of clicks meets, the most believed first.

        Unstable, unlikely and repeated masks are dropped, as in the paper's section 5.
        """
        height, width = pixels.shape[:2]
        steps = (np.arange(GRID) + 0.5) / GRID
        clicks = np.stack(np.meshgrid(steps * width, steps * height), -1).reshape(-1, 1, 2)
        kept: list[Cut] = []
        scaled = self._scaled(clicks.astype(np.float32), pixels)
        for start in range(0, len(scaled), PROMPTS):
            part = scaled[start : start + PROMPTS]
            labels = torch.ones(1, len(part), 1, dtype=torch.long)
            logits, beliefs = self._decode(
                pixels, key, input_points=part[None], input_labels=labels
            )
            best = logits[torch.arange(len(part)), beliefs.argmax(1)]
            stable = (best > CUT).sum((-1, -2)) / (best > -CUT).sum((-1, -2)).clamp(min=1)
            good = (stable >= STABLE) & (beliefs.max(1).values >= BELIEVED)
            kept += self._cuts(logits[good], beliefs[good], pixels)
        return _once([cut for cut in kept if cut.mask.sum() >= LEAST])

    @torch.inference_mode()
    def _embedding(self, pixels: NDArray[np.uint8], key: str) -> Any:
        """What the network made of the picture: a tensor, of SAM 2.1 one for each scale."""
        if key not in self._kept:
            inputs = self._processor(copies([pixels]), return_tensors="pt")
            values = inputs["pixel_values"].to(self._model.device, self._model.dtype)
            self._kept[key] = self._model.get_image_embeddings(values)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)  # the one that was not asked for longest
        self._kept.move_to_end(key)
        return self._kept[key]

    @torch.inference_mode()
    def _decode(
        self, pixels: NDArray[np.uint8], key: str, **prompts: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Mask logits (P, M, h, w) and estimated IoUs (P, M); one mask a box, three a click."""
        device = self._model.device
        made = self._model(
            image_embeddings=self._embedding(pixels, key),
            multimask_output="input_points" in prompts,
            **{name: value.to(device) for name, value in prompts.items()},
        )
        return made.pred_masks[0].float().cpu(), made.iou_scores[0].float().cpu()

    def _scaled(self, places: NDArray[np.float32], pixels: NDArray[np.uint8]) -> torch.Tensor:
        """Places (..., 2), x and y px of the picture, as px of what the network sees."""
        height, width = pixels.shape[:2]
        seen_height, seen_width = self._seen(pixels)
        return torch.from_numpy(places) * torch.tensor([seen_width / width, seen_height / height])

    def _side(self) -> int:
        """Side of the network's square, px."""
        return int(self._processor.pad_size["height"])

    def _seen(self, pixels: NDArray[np.uint8]) -> tuple[int, int]:
        """Height and width of the picture inside the network's square."""
        height, width = pixels.shape[:2]
        scale = self._processor.size["longest_edge"] / max(height, width)
        return int(height * scale + 0.5), int(width * scale + 0.5)

    def _cuts(
        self, logits: torch.Tensor, beliefs: torch.Tensor, pixels: NDArray[np.uint8]
    ) -> list[Cut]:
        """The most believed proposal of each prompt, at the picture's own size."""
        if not len(logits):
            return []
        rows = torch.arange(len(logits))
        best = logits[rows, beliefs.argmax(1)][:, None]
        side = self._side()
        seen_height, seen_width = self._seen(pixels)
        whole = torch.nn.functional.interpolate(best, (side, side), mode="bilinear")
        sized = torch.nn.functional.interpolate(
            whole[..., :seen_height, :seen_width], pixels.shape[:2], mode="bilinear"
        )
        scores = beliefs.max(1).values.clamp(0, 1).tolist()
        return [
            Cut(mask.numpy(), score) for mask, score in zip(sized[:, 0] > 0, scores, strict=True)
        ]


class Sam2(Sam):
    """A loaded SAM 2.1, which sees every picture stretched to its square."""

    def _side(self) -> int:
        return int(self._processor.size["height"])

    def _seen(self, pixels: NDArray[np.uint8]) -> tuple[int, int]:
        return self._side(), self._side()


def _once(cuts: Sequence[Cut]) -> list[Cut]:
    """Each thing once: of masks whose boxes are nearly the same, the most believed."""
    if not cuts:
        return []
    boxes = masks_to_boxes(torch.from_numpy(np.stack([cut.mask for cut in cuts])))
    kept = nms(boxes, torch.tensor([cut.score for cut in cuts]), ALIKE)
    return [cuts[int(i)] for i in kept]


@kept
def load(checkpoint: str, device: str, dtype: str) -> Sam:
    """Load a SamModel or Sam2Model folder; a second call gives the same network.

    The public SAM 2.1 folders name the class for videos, whose weights hold those for pictures.

    Raises:
        Unavailable: it is missing, damaged, or of another class.
    """
    folder = weights.expect(checkpoint, "SamModel", "Sam2Model", "Sam2VideoModel")
    if weights.architecture(folder) == "SamModel":
        model = network(SamModel, checkpoint, device, dtype)
        with loading(checkpoint):
            return Sam(model, SamImageProcessor.from_pretrained(folder, local_files_only=True))
    model = network(Sam2Model, checkpoint, device, dtype)
    with loading(checkpoint):
        return Sam2(model, Sam2ImageProcessor.from_pretrained(folder, local_files_only=True))
