"""Calibration: how far a network's own scores are to be believed, fitted on scenes of their own.

A checkpoint folder may hold `calibration.json`, one logistic curve for each kind of score
(Platt 1999; Guo et al. 2017, arXiv:1706.04599). `python -m benchmarks.calibrate` writes it beside
the weights it was fitted for, so that new weights never meet old curves unnoticed: the folder's
digest covers both. Without the file a score is passed on as it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.errors import Unavailable

FILE = "calibration.json"
_EDGE = 1e-6  # scores are kept so far from 0 and 1, whose logits are infinite


def logit(shares: ArrayLike) -> NDArray[np.float64]:
    """Log odds of shares, 0..1."""
    inside = np.clip(np.asarray(shares, np.float64), _EDGE, 1 - _EDGE)
    found: NDArray[np.float64] = np.log(inside / (1 - inside))
    return found


@dataclass(frozen=True)
class Curve:
    """1 / (1 + exp(-slope (logit - middle))).

    Attributes:
        slope: below 1 for a network that is too sure of itself.
        middle: log odds of the score that means one half.
        middles: the same for words that are known to be seen better or worse than others.
    """

    slope: float = 1.0
    middle: float = 0.0
    middles: Mapping[str, float] = field(default_factory=dict)

    def __call__(self, scores: ArrayLike, words: str = "") -> NDArray[np.float64]:
        """The beliefs, 0..1, that scores, 0..1, stand for.

        Args:
            scores: the network's own, of any shape.
            words: what they are about, "red apple"; the last word known there decides.
        """
        known = [self.middles[word] for word in words.lower().split() if word in self.middles]
        middle = known[-1] if known else self.middle
        found: NDArray[np.float64] = 0.5 + 0.5 * np.tanh(self.slope * (logit(scores) - middle) / 2)
        return found


AS_IT_IS = Curve()


def read(folder: Path) -> dict[str, Curve]:
    """The curves of a checkpoint folder by kind of score; none where it has no such file.

    Raises:
        Unavailable: the file is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return {}
    try:
        found: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
        return {name: Curve(**values) for name, values in found.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise Unavailable(
            f"{FILE} of checkpoint {folder.name!r} cannot be read: {error}; "
            "`python -m benchmarks.calibrate` writes it again"
        ) from error


def write(folder: Path, curves: Mapping[str, Curve]) -> Path:
    """Put curves beside the weights that they were fitted for, in place of those of their names."""
    kept = {**read(folder), **curves}
    values = {
        name: {
            "slope": round(curve.slope, 4),
            "middle": round(curve.middle, 4),
            "middles": {word: round(value, 4) for word, value in sorted(curve.middles.items())},
        }
        for name, curve in sorted(kept.items())
    }
    path = folder / FILE
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    return path
