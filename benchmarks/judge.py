"""Judge: what a picture shows, read by a network that no tool of the loop uses.

Its training is `miniature/train/judge.py`; how far it can be trusted is measured by
`python -m benchmarks.judge_accuracy`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file

from benchmarks.expectation import Expectation, Wanted
from benchmarks.paint import worn
from miniature.train.judge import (
    CELLS,
    FOLDER,
    GROUNDS,
    KINDS,
    SIDE,
    STRIDE,
    JudgeNetwork,
)
from miniature.world.vocabulary import Relation

THRESHOLD = 0.4  # of a peak's probability; best whole-scene accuracy on the calibration split
OVERLAP = 0.5  # two peaks whose boxes overlap more (IoU) are one object
APART = 8.0  # px between centres before a relation holds; scenes of the world have 16 or more


@dataclass(frozen=True)
class SeenThing:
    """One object the judge sees; box is x0, y0, x1, y1 in pixels of a 128 px picture."""

    name: str
    colour: str | None
    box: tuple[float, float, float, float]
    score: float

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y) in pixels."""
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2


@dataclass(frozen=True)
class Sight:
    """All that the judge sees in one picture."""

    background: str
    things: tuple[SeenThing, ...]

    def matching(self, wanted: Wanted) -> list[SeenThing]:
        """Objects of that name and, where one is asked for, that colour."""
        return [
            thing
            for thing in self.things
            if thing.name == wanted.name and wanted.colour in (None, thing.colour)
        ]

    def meets(self, expectation: Expectation) -> bool:
        """Whether everything that is expected is there."""
        return not self.shortfalls(expectation)

    def shortfalls(self, expectation: Expectation) -> list[str]:
        """What is not as expected: names of "objects", "count", "relation", "background"."""
        missing: list[str] = []
        for one in expectation.wanted:
            number = len(self.matching(one))
            if number < min(one.count, 1):
                missing.append("objects")
            elif number < one.count or ((one.exactly or one.count == 0) and number > one.count):
                missing.append("count")
        if expectation.relation and not missing:
            first, second = (self.matching(one) for one in expectation.wanted[:2])
            pairs = [(a, b) for a in first for b in second if a is not b]
            if not any(holds(expectation.relation, a, b) for a, b in pairs):
                missing.append("relation")
        if expectation.background not in (None, self.background):
            missing.append("background")
        return missing


def holds(relation: Relation, first: SeenThing, second: SeenThing) -> bool:
    """Whether `first` is so placed to `second`, centres at least APART on that axis."""
    dx = first.centre[0] - second.centre[0]
    dy = first.centre[1] - second.centre[1]
    return {"left": -dx, "right": dx, "above": -dy, "below": dy}[relation] >= APART


def overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union of two boxes."""
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    if wide <= 0 or high <= 0:
        return 0.0
    both = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return wide * high / (both - wide * high)


class Judge:
    """The trained network and how its maps are read."""

    def __init__(self, folder: Path = FOLDER, threshold: float = THRESHOLD) -> None:
        self.folder = folder
        self.threshold = threshold

    @cached_property
    def network(self) -> JudgeNetwork:
        """The weights, float32, loaded when first needed.

        Raises:
            FileNotFoundError: the weights are not in the folder.
        """
        network = JudgeNetwork()
        weights = load_file(self.folder / "model.safetensors")
        network.load_state_dict(
            {name: w.float() if w.is_floating_point() else w for name, w in weights.items()}
        )
        return network.eval()

    def look(self, pictures: Sequence[NDArray[np.uint8]]) -> list[Sight]:
        """Read pictures.

        Args:
            pictures: each RGB, uint8, (H, W, 3); other sizes are resized to 128x128.
        """
        sights: list[Sight] = []
        for start in range(0, len(pictures), 64):
            pixels = np.stack([_fitted(picture) for picture in pictures[start : start + 64]])
            batch = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
            with torch.inference_mode():
                heat, shape, ground = self.network(batch)
                heat = heat.sigmoid()
                best = heat.amax(1, keepdim=True)
                peaks = heat * ((heat == best) & (best == F.max_pool2d(best, 3, 1, 1)))
                grounds = ground.argmax(1)
            sights += [
                Sight(GROUNDS[int(grounds[i])], self._things(pixels[i], peaks[i], shape[i]))
                for i in range(len(pixels))
            ]
        return sights

    def _things(
        self, picture: NDArray[np.uint8], peaks: torch.Tensor, shape: torch.Tensor
    ) -> tuple[SeenThing, ...]:
        """Objects of one picture, surest first: peaks (kinds, 16, 16), shape (4, 16, 16)."""
        found: list[SeenThing] = []
        for kind, row, column in (peaks > self.threshold).nonzero().tolist():
            dx, dy, wide, high = shape[:, row, column].tolist()
            x, y = (column + dx) * STRIDE, (row + dy) * STRIDE
            half = max(wide, 1 / CELLS) * SIDE / 2, max(high, 1 / CELLS) * SIDE / 2
            box = (x - half[0], y - half[1], x + half[0], y + half[1])
            colour = worn(picture, KINDS[kind], box)
            found.append(SeenThing(KINDS[kind], colour, box, float(peaks[kind, row, column])))
        found.sort(key=lambda thing: -thing.score)
        kept: list[SeenThing] = []
        for thing in found:
            if all(overlap(thing.box, other.box) <= OVERLAP for other in kept):
                kept.append(thing)
        return tuple(kept)


def _fitted(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if picture.shape == (SIDE, SIDE, 3):
        return picture
    resized = Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return np.asarray(resized)
