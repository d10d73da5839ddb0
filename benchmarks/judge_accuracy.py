"""Judge accuracy: whole scenes and single claims, on held-out real scenes.

    python -m benchmarks.judge_accuracy --count 1000

The scenes come from the test split; the judge's own training scenes are none of them.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import torch

from benchmarks import report
from benchmarks.bench import Bench
from benchmarks.expectation import Expectation, Wanted
from benchmarks.judge import Judge, Sight, overlap
from miniature.world.scene import Scene, boxes, draw, opposite, relations, sample
from miniature.world.splits import FIRST_SEED, has_held_out_pair
from miniature.world.vocabulary import BACKGROUNDS, COLOURS, OBJECTS

BENCH = Bench(
    full="--count 1000",
    quick="--count 100",
    seeds="scenes of the test split in order; claims from seed 0",
    higher=("whole_scene", "claim"),
    over={"whole_scene": "scenes", "claim": "claims"},
)
T = TypeVar("T")
Claim = tuple[str, Expectation, bool]  # kind, what it says, whether it is true


def whole_scene_right(scene: Scene, sight: Sight) -> bool:
    """Same background, and the same objects in the same colours at boxes of IoU >= 0.5."""
    if sight.background != scene.background or len(sight.things) != len(scene.things):
        return False
    left = list(sight.things)
    for thing, box in zip(scene.things, boxes(scene).tolist(), strict=True):
        for seen in left:
            same = (seen.name, seen.colour) == thing.group
            if same and overlap(seen.box, box) >= 0.5:
                left.remove(seen)
                break
        else:
            return False
    return True


def claims(scene: Scene, rng: np.random.Generator) -> list[Claim]:
    """True and false claims about a scene, as many of each."""
    things = scene.things
    thing = things[int(rng.integers(len(things)))]
    number = sum(other.name == thing.name for other in things)
    absent = _other(tuple(OBJECTS), {other.name for other in things}, rng)
    wrong = _other((1, 2, 3, 4), {number}, rng)
    ground = _other(tuple(BACKGROUNDS), {scene.background}, rng)
    found: list[Claim] = [
        ("exists", Expectation((Wanted(thing.name),)), True),
        ("exists", Expectation((Wanted(absent),)), False),
        ("absent", Expectation((Wanted(absent, count=0),)), True),
        ("absent", Expectation((Wanted(thing.name, count=0),)), False),
        ("count", Expectation((Wanted(thing.name, None, number, True),)), True),
        ("count", Expectation((Wanted(thing.name, None, wrong, True),)), False),
        ("background", Expectation(background=scene.background), True),
        ("background", Expectation(background=ground), False),
    ]
    if thing.colour:
        worn = {other.colour for other in things if other.name == thing.name}
        other_colour = _other(tuple(COLOURS), worn, rng)
        found.append(("colour", Expectation((Wanted(thing.name, thing.colour),)), True))
        found.append(("colour", Expectation((Wanted(thing.name, other_colour),)), False))
    single = [one for one in things if sum(one.name == other.name for other in things) == 1]
    if len(single) >= 2 and (held := relations(single[0], single[1])):
        pair = (Wanted(single[0].name), Wanted(single[1].name))
        found.append(("relation", Expectation(pair, held[0]), True))
        found.append(("relation", Expectation(pair, opposite(held[0])), False))
    return found


def _other(words: Sequence[T], taken: set[T], rng: np.random.Generator) -> T:
    free = [word for word in words if word not in taken]
    return free[int(rng.integers(len(free)))]


def measure(judge: Judge, count: int, first_seed: int = FIRST_SEED["test"]) -> dict[str, Any]:
    """Accuracies on `count` scenes from `first_seed` on, all 0..1."""
    rng = np.random.default_rng(0)
    scenes = [sample(seed) for seed in range(first_seed, first_seed + count)]
    sights = judge.look([draw(scene) for scene in scenes])
    whole = [whole_scene_right(*pair) for pair in zip(scenes, sights, strict=True)]
    unseen = [has_held_out_pair(thing.group for thing in scene.things) for scene in scenes]
    asked: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for scene, sight in zip(scenes, sights, strict=True):
        for kind, expectation, truth in claims(scene, rng):
            key = f"{kind}, {str(truth).lower()}"
            asked[key] += 1
            right[key] += sight.meets(expectation) == truth
    return {
        "scenes": count,
        "whole_scene": float(np.mean(whole)),
        "whole_scene_without_held_out_pair": _mean(whole, [not u for u in unseen]),
        "whole_scene_with_held_out_pair": _mean(whole, unseen),
        "claims": sum(asked.values()),
        "claim": right.total() / asked.total(),
        "claim_by_kind": {key: right[key] / asked[key] for key in sorted(asked)},
    }


def _mean(values: list[bool], chosen: list[bool]) -> float | None:
    kept = [value for value, keep in zip(values, chosen, strict=True) if keep]
    return float(np.mean(kept)) if kept else None


def body(found: dict[str, Any]) -> str:
    """The figures as markdown."""
    rows = [(kind, report.percent(value)) for kind, value in found["claim_by_kind"].items()]
    return "\n\n".join(
        (
            f"Of {found['scenes']:,} scenes the judge reads "
            f"{report.percent(found['whole_scene'])} wholly right: every thing, its colour and "
            "place, and the background. Without a pair that training never saw: "
            f"{report.percent(found['whole_scene_without_held_out_pair'])}; with one: "
            f"{report.percent(found['whole_scene_with_held_out_pair'])}.",
            f"Of {found['claims']:,} claims, half of them false, it judges "
            f"{report.percent(found['claim'])} right:",
            report.table(("claim, and whether it is true", "judged right"), rows),
        )
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="How far the judge can be trusted.")
    parser.add_argument("--count", type=int, default=1000, help="held-out scenes")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found = measure(Judge(), arguments.count)
    print(body(found))
    command = f"python -m benchmarks.judge_accuracy --count {arguments.count}"
    report.write(
        *("judge_accuracy", "Judge: how far it can be trusted", command, found, body(found))
    )


if __name__ == "__main__":
    main()
