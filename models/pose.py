"""Pose: where the joints of people are (ViTPose, Xu et al. 2022, arXiv:2204.12484)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as PIL
from PIL import ImageDraw
from transformers import VitPoseForPoseEstimation, VitPoseImageProcessor

from models import weights
from models.device import copies, loading, network
from models.shelf import kept

JOINTS = (
    *("nose", "left eye", "right eye", "left ear", "right ear", "left shoulder"),
    *("right shoulder", "left elbow", "right elbow", "left wrist", "right wrist", "left hip"),
    *("right hip", "left knee", "right knee", "left ankle", "right ankle"),
)  # COCO's, in its order
NECK = len(JOINTS)  # the middle of the shoulders, which OpenPose has beside them
# OpenPose's limbs, in the colours that ControlNet was shown (Cao et al. 2017, arXiv:1611.08050)
LIMBS = (
    *((NECK, 6), (NECK, 5), (6, 8), (8, 10), (5, 7), (7, 9), (NECK, 12), (12, 14), (14, 16)),
    *((NECK, 11), (11, 13), (13, 15), (NECK, 0), (0, 2), (2, 4), (0, 1), (1, 3)),
)
COLOURS = (
    *((255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0)),
    *((0, 255, 0), (0, 255, 85), (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255)),
    *((0, 0, 255), (85, 0, 255), (170, 0, 255), (255, 0, 255), (255, 0, 170)),
)

Box = tuple[float, float, float, float]  # x0, y0, x1, y1 in pixels; x1, y1 excluded


class Joint(NamedTuple):
    """One joint of one person: x, y in pixels, and the belief in it, 0..1."""

    x: float
    y: float
    score: float


class Pose:
    """A loaded ViTPose."""

    def __init__(self, model: Any, processor: Any) -> None:
        self._model = model
        self._processor = processor

    @torch.inference_mode()
    def joints(self, picture: NDArray[np.uint8], people: Sequence[Box]) -> list[list[Joint]]:
        """The joints of the person in each box, in the order of `JOINTS`.

        Args:
            picture: RGB, uint8, (H, W, 3).
            people: boxes, one for each person; none give none.
        """
        if not people:
            return []
        corners = [[[x0, y0, x1 - x0, y1 - y0] for x0, y0, x1, y1 in people]]
        inputs = self._processor(images=copies([picture]), boxes=corners, return_tensors="pt")
        values = inputs["pixel_values"].to(self._model.device, self._model.dtype)
        extra: dict[str, Any] = {}
        if self._model.config.backbone_config.num_experts > 1:  # ViTPose++: 0 is COCO
            extra["dataset_index"] = torch.zeros(
                len(people), dtype=torch.long, device=values.device
            )
        output = self._model(pixel_values=values, **extra)
        output.heatmaps = output.heatmaps.float()  # numpy has no bfloat16
        (found,) = self._processor.post_process_pose_estimation(output, boxes=corners)
        return [
            [
                Joint(float(x), float(y), min(1.0, max(0.0, float(score))))
                for (x, y), score in zip(one["keypoints"], one["scores"], strict=True)
            ]
            for one in found
        ]


def drawn(
    size_wh: tuple[int, int], people: Sequence[Sequence[Joint]], least: float
) -> NDArray[np.uint8]:
    """The joints as the map that ControlNet draws along: RGB, uint8, (H, W, 3).

    Args:
        size_wh: of the map.
        people: joints of each.
        least: belief below which a joint, and what hangs on it, is left out.
    """
    canvas = PIL.new("RGB", size_wh)
    pen = ImageDraw.Draw(canvas)
    stroke = max(1, round(max(size_wh) / 128))
    for person in people:
        places = [*person, _neck(person)]
        for (a, b), colour in zip(LIMBS, COLOURS, strict=True):
            one, other = places[a], places[b]
            if min(one.score, other.score) >= least:
                dim = tuple(int(0.6 * value) for value in colour)
                pen.line([one[:2], other[:2]], fill=dim, width=stroke)
        for place, colour in zip(places, (*COLOURS, (255, 0, 85)), strict=True):
            if place.score >= least:
                x, y = place[:2]
                pen.ellipse([x - stroke, y - stroke, x + stroke, y + stroke], fill=colour)
    return np.asarray(canvas)


def _neck(person: Sequence[Joint]) -> Joint:
    left, right = person[JOINTS.index("left shoulder")], person[JOINTS.index("right shoulder")]
    return Joint((left.x + right.x) / 2, (left.y + right.y) / 2, min(left.score, right.score))


@kept
def load(checkpoint: str, device: str, dtype: str) -> Pose:
    """Load a VitPoseForPoseEstimation folder; a second call gives the same network.

    Raises:
        Unavailable: it is missing, damaged, or of another class.
    """
    folder = weights.expect(checkpoint, "VitPoseForPoseEstimation")
    model = network(VitPoseForPoseEstimation, checkpoint, device, dtype)
    with loading(checkpoint):
        return Pose(model, VitPoseImageProcessor.from_pretrained(folder, local_files_only=True))
