"""Alignment: rewards on held-out pairs of pictures, and the U-Net tuned by one beside the untuned.

    python -m miniature.train.rewards
    python -m miniature.train.align
    python -m benchmarks.alignment --rewards build/rewards --aligned build/aligned

Of two pictures a reward must prefer the one that shows what was asked. The U-Nets draw the same
requests from the same noise in as many steps; the independent judge says which pictures are right.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import report
from benchmarks.bench import Bench
from benchmarks.hands_trials import shows
from benchmarks.judge import Judge
from miniature.train.preferences import FAULTS, Pair, pair, pictures
from miniature.world.language import describe
from miniature.world.scene import Scene, sample
from miniature.world.splits import FIRST_SEED
from models import diffusion_load, scorers
from models.diffusion import Diffusion, Manner, Order
from models.diffusion_concept import CHANGE_FILE
from tools.errors import InvalidInput

FIRST_PAIR = FIRST_SEED["test"] + 80_000_000
FIRST_REQUEST = FIRST_SEED["test"] + 90_000_000
SPLITS = {"seen": False, "held out": True}
SHIPPED = "miniature/weights/clip"
DRAWS = "miniature/weights/stable-diffusion"
STEPS, GUIDANCE, TOGETHER = 12, 1.5, 16  # as in profiles/miniature.yaml; pictures at once
UNTUNED = "untuned"
BENCH = Bench(
    seeds="pairs and requests of the test split in order; noise by the number of the request",
    higher=("rewards.*.*.accuracy", "nets.*.*.right"),
    needs="--rewards",
    over={"rewards.*.*.accuracy": "pairs", "nets.*.*.right": "requests"},
)

Pixels = NDArray[np.uint8]


def held_pairs(count: int, *, held_out: bool) -> tuple[list[Pair], list[Pixels], list[Pixels]]:
    """Pairs that no training saw, with their better and their worse pictures."""
    pairs = [pair(FIRST_PAIR + i, held_out=held_out) for i in range(count)]
    better: list[Pixels] = []
    worse: list[Pixels] = []
    for start in range(0, count, 50):
        rng = np.random.default_rng(FIRST_PAIR + start)
        for side, x in zip((better, worse), pictures(pairs[start : start + 50], rng), strict=True):
            values = x.add(1).mul(127.5).round().clamp(0, 255).byte()
            side += list(values.permute(0, 2, 3, 1).numpy())
    return pairs, better, worse


def preferred(
    scorer: scorers.Scorer, pairs: Sequence[Pair], better: list[Pixels], worse: list[Pixels]
) -> dict[str, Any]:
    """How often a scorer prefers the better picture, in all and by what is wrong with the other."""
    words = [one.words for one in pairs]
    right = scorer.similarity(better, words) > scorer.similarity(worse, words)
    found: dict[str, Any] = {"accuracy": float(right.mean()), "pairs": len(pairs), "faults": {}}
    for fault in FAULTS:
        own = [bool(ok) for ok, one in zip(right, pairs, strict=True) if one.fault == fault]
        found["faults"][fault] = {"right": report.share(own), "of": len(own)}
    return found


def requests(count: int, *, held_out: bool) -> list[Scene]:
    """Scenes of one thing in a colour that no training drew."""
    found: list[Scene] = []
    seed = FIRST_REQUEST
    while len(found) < count:
        scene = sample(seed, held_out_pair=held_out, composed=True)
        seed += 1
        if len(scene.things) == 1 and scene.things[0].colour:
            found.append(scene)
    return found


def hand(change: Path | None) -> Diffusion:
    """The shipped pipeline, with a LoRA in its weights if one is given."""
    pipeline = diffusion_load.pipeline(DRAWS, "cpu", "float32")
    if change is not None:
        pipeline.load_lora_weights(change, weight_name=CHANGE_FILE, local_files_only=True)
        pipeline.fuse_lora()
        pipeline.unload_lora_weights()
    return Diffusion(pipeline)


def drawn_right(draws: Diffusion, judge: Judge, scenes: Sequence[Scene]) -> list[bool]:
    """Whether the judge sees just what was asked on each drawing."""
    right: list[bool] = []
    for start in range(0, len(scenes), TOGETHER):
        part = scenes[start : start + TOGETHER]
        orders = [Order(describe(scene), "", start + i) for i, scene in enumerate(part)]
        made = draws.draw(orders, manner=Manner(STEPS, GUIDANCE), size_wh=draws.size_wh)
        seen = judge.look(made)
        right += [all(shows(scene)(sight)) for scene, sight in zip(part, seen, strict=True)]
    return right


def beside(untuned: list[bool], tuned: list[bool]) -> dict[str, Any]:
    """The tuned net's share, and where it gains and loses against the untuned."""
    both = list(zip(untuned, tuned, strict=True))
    return {
        "right": report.share(tuned),
        "requests": len(tuned),
        "gains": both.count((False, True)),
        "regressions": both.count((True, False)),
    }


def measure(
    found: dict[str, Path], load: Callable[[Path], Any], figures: Callable[[Any, bool], Any]
) -> dict[str, Any]:
    """Figures of each network on seen and on held-out pairs."""
    made: dict[str, Any] = {}
    for name, folder in found.items():
        network = load(folder)
        made[name] = {split: figures(network, held_out) for split, held_out in SPLITS.items()}
        print({name: made[name]}, flush=True)
    return made


def body(found: dict[str, Any]) -> str:
    """The figures as markdown."""
    parts = [
        "Which of two pictures shows what was asked: the scene, or the same with one thing wrong, "
        "both drawn in the same hand. Chance is 50%."
    ]
    for split in SPLITS:
        rows = [
            (
                f"`{name}`",
                report.percent(one[split]["accuracy"]),
                *(report.percent(one[split]["faults"][fault]["right"]) for fault in FAULTS),
            )
            for name, one in found["rewards"].items()
        ]
        sizes = next(iter(found["rewards"].values()))[split]
        counts = [str(sizes["faults"][fault]["of"]) for fault in FAULTS]
        parts += [
            f"## Rewards, {split} pairs",
            report.table(
                ("reward", "all", *FAULTS), [*rows, ("pairs", str(sizes["pairs"]), *counts)]
            ),
        ]
    rows = [
        (
            f"`{name}`",
            split,
            report.percent(one["right"]),
            one["requests"],
            one["gains"],
            one["regressions"],
        )
        for name, splits in found["nets"].items()
        for split, one in splits.items()
    ]
    return "\n\n".join(
        (
            *parts,
            "## The U-Net, untuned and tuned",
            f"One thing in a colour on a background, {STEPS} steps, the same noise for all. Right "
            "as the independent judge sees it; gains and regressions against the untuned.",
            report.table(
                ("U-Net", "thing and colour", "right", "requests", "gains", "regressions"), rows
            ),
        )
    )


def within(folder: Path, file: str) -> dict[str, Path]:
    """The folders in a folder that hold a file, by name."""
    found = {one.parent.name: one.parent for one in sorted(folder.glob(f"*/{file}"))}
    if not found:
        raise InvalidInput(f"no {file} in the folders of {folder}; the recipes there make them")
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Rewards, and the U-Nets tuned by them.")
    parser.add_argument("--rewards", type=Path, required=True, help="by miniature.train.rewards")
    parser.add_argument("--aligned", type=Path, required=True, help="by miniature.train.align")
    parser.add_argument("--count", type=int, default=350, help="pairs, seen and held out each")
    parser.add_argument("--requests", type=int, default=96, help="seen and held out each")
    given = parser.parse_args()
    pairs = {held: held_pairs(given.count, held_out=held) for held in SPLITS.values()}
    critics = {"shipped clip": Path(SHIPPED), **within(given.rewards, "config.json")}
    rewards = measure(
        critics,
        lambda folder: scorers.load(str(folder.resolve()), "cpu", "float32"),
        lambda scorer, held_out: preferred(scorer, *pairs[held_out]),
    )
    judge = Judge()
    scenes = {held: requests(given.requests, held_out=held) for held in SPLITS.values()}
    plain = hand(None)
    untuned = {held: drawn_right(plain, judge, scenes[held]) for held in SPLITS.values()}
    nets = {
        UNTUNED: {split: beside(untuned[held], untuned[held]) for split, held in SPLITS.items()},
        **measure(
            within(given.aligned, CHANGE_FILE),
            lambda folder: hand(folder.resolve()),
            lambda draws, held: beside(untuned[held], drawn_right(draws, judge, scenes[held])),
        ),
    }
    found = {"steps": STEPS, "rewards": rewards, "nets": nets}
    command = " ".join(["python -m benchmarks.alignment", *sys.argv[1:]])
    report.write("alignment", "Alignment with intent", command, found, body(found))


if __name__ == "__main__":
    main()
