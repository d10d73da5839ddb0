"""Calibrate: thresholds for the profile, from scenes that no evaluation and no training reads.

    python -m benchmarks.calibrate

Prints what to put into the options of `ground` and `score` in the profile: for `ground` the
lowest threshold with nearly the most right numbers of boxes and few boxes on absent phrases, for
`score` the logistic curve that best tells descriptions from those of the scene with one edit.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import report
from benchmarks.detection import Answer
from benchmarks.eyes import ask, grounding, picture, scenes
from miniature.world.language import describe, edits
from miniature.world.splits import FIRST_SEED
from tools.score import ScoreInput, ScoreOutput
from tools.toolbox import Toolbox

ALLOWED = 0.03  # share of absent phrases that may be boxed; the goal on the test split is 0.05
NEARLY = 0.01  # of right numbers given up for a lower threshold, which unsharp pictures need


def at(answers: Sequence[Answer], threshold: float) -> dict[str, float]:
    """Shares 0..1 when boxes below the threshold are dropped."""
    kept = [(one, sum(score >= threshold for score, _ in one.seen)) for one in answers]
    wrong = [number > 0 for one, number in kept if one.kind == "absent"]
    colour = [number > 0 for one, number in kept if one.kind == "other colour"]
    right = [number == len(one.truth) for one, number in kept if one.kind == "there"]
    return {
        "threshold": threshold,
        "right_number": report.share(right) or 0.0,
        "absent": report.share(wrong) or 0.0,
        "other_colour": report.share(colour) or 0.0,
    }


async def threshold(toolbox: Toolbox, count: int) -> dict[str, Any]:
    """The best threshold of `ground` and what it gives."""
    chosen = scenes(count, held_out=False, first=FIRST_SEED["calibration"])
    answers, _ = await grounding(toolbox, chosen, seed=3)
    tried = [at(answers, round(0.02 * step, 2)) for step in range(1, 50)]
    allowed = [one for one in tried if one["absent"] <= ALLOWED] or tried[-1:]
    best = max(one["right_number"] for one in allowed)
    return next(one for one in allowed if one["right_number"] >= best - NEARLY)


def logistic(raw: NDArray[np.float64], true: NDArray[np.bool_]) -> tuple[float, float]:
    """Middle and slope of the curve 1 / (1 + exp(-slope (raw - middle))) of highest likelihood.

    Newton's method on the two parameters (Platt 1999), a small ridge keeping the slope finite.

    Args:
        raw: float64, (N,), similarities.
        true: bool, (N,), whether picture and text belong together.
    """
    centre, spread = raw.mean(), raw.std() + 1e-9
    x = np.stack([(raw - centre) / spread, np.ones_like(raw)], 1)
    weights = np.zeros(2)
    for _ in range(30):
        p = 1 / (1 + np.exp(-x @ weights))
        gradient = x.T @ (p - true) + 1e-3 * weights
        curvature = (x * (p * (1 - p))[:, None]).T @ x + 1e-3 * np.eye(2)
        weights -= np.linalg.solve(curvature, gradient)
    slope = weights[0] / spread
    return float(centre - weights[1] / slope), float(slope)


async def curve(toolbox: Toolbox, count: int) -> dict[str, float]:
    """Middle and slope for `score`, and how well they tell right descriptions from wrong."""
    rng = np.random.default_rng(4)
    chosen = scenes(count, held_out=False, first=FIRST_SEED["calibration"] + 100_000)
    pairs = [(scene, describe(scene), True) for scene in chosen]
    for scene in chosen:
        ways = edits(scene, rng)
        pairs.append((scene, describe(ways[int(rng.integers(len(ways)))].after), False))
    inputs = [ScoreInput(image=picture(scene), text=text) for scene, text, _ in pairs]
    answers = await ask(toolbox, "score", inputs, ScoreOutput)
    raw = np.array([answer.raw for answer in answers])
    true = np.array([truth for _, _, truth in pairs])
    middle, slope = logistic(raw, true)
    return {"middle": middle, "slope": slope, "right": float(np.mean((raw > middle) == true))}


def main() -> None:
    """Command line."""
    from tools.profile import load_profile
    from tools.toolbox import LocalToolbox

    parser = argparse.ArgumentParser(description="Thresholds for the profile.")
    parser.add_argument("--profile", default="miniature")
    parser.add_argument("--count", type=int, default=300, help="scenes")
    parser.add_argument(
        "--tools", nargs="+", choices=("ground", "score"), default=["ground", "score"]
    )
    arguments = parser.parse_args()
    toolbox = LocalToolbox(load_profile(arguments.profile))
    for name in arguments.tools:
        figure = {"ground": threshold, "score": curve}[name](toolbox, arguments.count)
        print(name, json.dumps(asyncio.run(figure)))


if __name__ == "__main__":
    main()
