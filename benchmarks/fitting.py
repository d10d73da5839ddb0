"""Fitting: logistic curves and temperatures of highest likelihood."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.calibration import Curve, logit

SLIGHT, FIRM = 1e-3, 2.0  # ridges: on the curve itself, and on what sets one word apart
SHARPNESS = np.geomspace(0.1, 3.0, 80)  # factors tried on logits


def curve(
    scores: Sequence[float], true: Sequence[bool], words: Sequence[str] | None = None
) -> Curve:
    """The curve from scores to beliefs (Platt 1999), by Newton's method.

    Args:
        scores: 0..1.
        true: whether each came true; both must occur.
        words: what each is about: middles of their own are fitted, drawn firmly to the common one,
            so that few cases move a word little.

    Returns:
        The curve; as it is where all came true or none, for then nothing can be fitted.
    """
    told = np.asarray(true, bool)
    if told.all() or not told.any():
        return Curve()
    known = sorted(set(words or ()))
    own = np.array([[word == one for one in known] for word in words or [""] * len(told)], float)
    x = np.concatenate([logit(scores)[:, None], np.ones((len(told), 1)), own], 1)
    ridge = np.array([SLIGHT] * 2 + [FIRM] * len(known))
    weights = newton(x, told, ridge)
    slope = max(float(weights[0]), 1e-3)  # a score that says nothing makes the curve flat
    middles = {word: -float(weights[1] + off) / slope for word, off in zip(known, weights[2:])}  # noqa: B905
    return Curve(slope, -float(weights[1]) / slope, middles)


def newton(
    x: NDArray[np.float64], true: NDArray[np.bool_], ridge: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Weights of a logistic regression of `true` (N,) on features (N, D), with a ridge (D,)."""
    weights = np.zeros(x.shape[1])
    for _ in range(50):
        p = 0.5 + 0.5 * np.tanh(x @ weights / 2)
        gradient = x.T @ (p - true) + ridge * weights
        curvature = (x * (p * (1 - p))[:, None]).T @ x + np.diag(ridge)
        step = np.linalg.solve(curvature, gradient)
        weights -= step * min(1.0, 2.0 / (np.abs(step).max() + 1e-9))
    return weights


def sharpness(chances: Sequence[Sequence[float]], right: Sequence[int]) -> float:
    """The factor on logits that makes the right choices likeliest (Guo et al. 2017).

    Args:
        chances: for each case the probability of each choice.
        right: for each case the index of the right one.
    """

    def likelihood(factor: float) -> float:
        total = 0.0
        for row, index in zip(chances, right, strict=True):
            logs = factor * np.log(np.maximum(row, 5e-5))  # probabilities come with four decimals
            total += float(logs[index] - np.log(np.exp(logs).sum()))
        return total

    return float(max(SHARPNESS, key=likelihood))


def error(beliefs: Sequence[float], true: Sequence[bool], bins: int = 10) -> float:
    """Expected calibration error: mean gap between belief and share that came true, by bins."""
    gaps = [
        len(inside) / len(beliefs) * abs(float(np.mean([b for b, _ in inside])) - share)
        for inside, share in reliability(beliefs, true, bins)
    ]
    return sum(gaps)


def reliability(
    beliefs: Sequence[float], true: Sequence[bool], bins: int = 10
) -> list[tuple[list[tuple[float, bool]], float]]:
    """Cases by tenths of belief, without empty bins, and the share of each that came true."""
    pairs = list(zip(beliefs, true, strict=True))
    found = []
    for step in range(bins):
        inside = [one for one in pairs if step == min(bins - 1, int(one[0] * bins))]
        if inside:
            found.append((inside, sum(came for _, came in inside) / len(inside)))
    return found
