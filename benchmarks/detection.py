"""Detection: average precision of boxes found for phrases, at an IoU of 0.5."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.judge import overlap

Box = Sequence[float]  # x0, y0, x1, y1 px, x1 y1 excluded


@dataclass(frozen=True)
class Answer:
    """What a detector found for one phrase in one picture.

    Attributes:
        phrase: what was looked for.
        kind: "there", "absent" or "other colour".
        truth: the true boxes; none if it is not there.
        seen: score and box of each find.
    """

    phrase: str
    kind: str
    truth: Sequence[Box]
    seen: Sequence[tuple[float, Box]]


def hits(answer: Answer) -> list[tuple[float, bool]]:
    """Score of each find, surest first, and whether it is the first on a true box."""
    free = list(answer.truth)
    found: list[tuple[float, bool]] = []
    for score, box in sorted(answer.seen, key=lambda one: -one[0]):
        fits = [true for true in free if overlap(true, box) >= 0.5]
        if fits:
            free.remove(max(fits, key=lambda true: overlap(true, box)))
        found.append((score, bool(fits)))
    return found


def average_precision(answers: Sequence[Answer]) -> float | None:
    """Mean over phrases of the area under precision and recall, 0..1; None without true boxes.

    Pictures that lack an object count against its phrase, as in COCO.
    """
    by_phrase: dict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        by_phrase[answer.phrase].append(answer)
    areas = [_area(group) for group in by_phrase.values() if any(answer.truth for answer in group)]
    return float(np.mean(areas)) if areas else None


def _area(answers: Sequence[Answer]) -> float:
    found = sorted((hit for one in answers for hit in hits(one)), key=lambda hit: -hit[0])
    if not found:
        return 0.0
    true = np.cumsum([hit for _, hit in found])
    precision = true / np.arange(1, len(found) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    recall = true / sum(len(one.truth) for one in answers)
    return float(np.sum(np.diff(recall, prepend=0.0) * envelope))
