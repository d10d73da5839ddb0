"""Verifier: how often it lets something false pass, fails something true, or does not know.

    python -m benchmarks.verifier

True and false claims about held-out scenes, a third of them as drawn, the rest as a diffusion
model draws them. The limits in `agent/verifier.json` were fitted on other scenes
(`python -m benchmarks.calibrate --tools verifier`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from agent import witnesses
from agent.checklist import Claim, compile_checklist
from agent.state import Check
from agent.verify import check, observe
from agent.witnesses import LIMITS, Limits, Seen
from benchmarks import fitting, report
from benchmarks.bench import Bench
from benchmarks.pictured import Pictures, pictures
from miniature.world.language import describe, edits
from miniature.world.scene import Scene, Thing, relations
from miniature.world.splits import FIRST_SEED
from miniature.world.vocabulary import COUNT_WORDS, OBJECTS
from tools.toolbox import Toolbox

LIMITS_FILE = Path(witnesses.__file__).with_name("verifier.json")
FALSE_PASS, FALSE_FAIL = 0.02, 0.05  # the goals
TRIED: dict[str, tuple[float, ...]] = {
    "box": (0.0, 0.6, 0.7, 0.8, 0.9),
    "sure": (0.55, 0.6, 0.7, 0.8, 0.9, 0.95),
    "alike": (0.1, 0.2, 0.3, 0.5),
    "unlike": (0.003, 0.01, 0.03, 0.1),
    "apart": (0.02, 0.04, 0.06, 0.08),
    "clear": (1.5, 2.0, 3.0, 5.0),
}
BENCH = Bench(
    full="",
    quick="--count 40",
    seeds="scenes of the test split in order, claims from seed 11",
    higher=("*.decided",),
    lower=("*.false_pass", "*.false_fail"),
    over={"*.false_pass": "false", "*.false_fail": "true", "*.decided": "claims"},
)


class Judged(NamedTuple):
    """A claim about a picture, whether it is true, and what was seen of it."""

    claim: Claim
    true: bool
    seen: Seen


def holds(claim: Claim, scene: Scene) -> bool | None:
    """Whether a claim is true of a scene; None where the scene leaves it open."""

    def named(noun: str | None, colour: str | None) -> list[Thing]:
        alike = [thing for thing in scene.things if thing.name == noun]
        return [thing for thing in alike if colour in (None, thing.colour)]

    things = named(claim.subject, claim.colour)
    if claim.kind == "background":
        return scene.background == claim.background
    if claim.kind == "exists":
        return bool(things)
    if claim.kind == "absent":
        return not things
    if claim.kind == "count":
        return len(things) == claim.count
    if claim.kind == "colour":
        return bool(things) and len(things) == len(named(claim.subject, None))
    if claim.kind == "relation":
        side = str(claim.relation).removesuffix(" of")
        held = [relations(one, other) for one in things for other in named(claim.other, None)]
        if held and not any(held):
            return None
        return any(side in sides for sides in held)
    return None


def claims(scene: Scene, rng: np.random.Generator) -> list[Claim]:
    """What is said of a scene: its description, that of an edit, a number, something absent."""
    ways = edits(scene, rng)
    changed = ways[int(rng.integers(len(ways)))].after
    name = scene.things[int(rng.integers(len(scene.things)))].name
    rest = [other for other in OBJECTS if all(other != thing.name for thing in scene.things)]
    number = COUNT_WORDS[int(rng.integers(2, 5))]
    said = [
        describe(scene),
        describe(changed),
        f"exactly {number} {OBJECTS[name].plural}",
        f"no {OBJECTS[name].plural}",
        f"no {OBJECTS[rest[int(rng.integers(len(rest)))]].plural}",
    ]
    return list(dict.fromkeys(claim for words in said for claim in compile_checklist(words)))


async def judged(toolbox: Toolbox, given: Pictures, seed: int) -> list[Judged]:
    """What the tools see of each claim about each picture."""
    rng = np.random.default_rng(seed)
    found = []
    for scene, image in zip(given.scenes, given.images, strict=True):
        said = claims(scene, rng)
        (seen,) = await observe([image], said, toolbox)
        truth = [holds(claim, scene) for claim in said]
        found += [
            Judged(claim, true, seen)
            for claim, true in zip(said, truth, strict=True)
            if true is not None
        ]
    return found


def checks(cases: Sequence[Judged], limits: Limits) -> list[Check]:
    """The verdicts under some limits."""
    for case in cases:
        case.seen.limits = limits
    return [check(case.claim, case.seen) for case in cases]


def rates(cases: Sequence[Judged], verdicts: Sequence[Check]) -> dict[str, Any]:
    """Shares of false claims that pass, of true ones that fail, and of all that are decided."""
    both = list(zip(cases, verdicts, strict=True))
    false = [one.verdict == "pass" for case, one in both if not case.true]
    true = [one.verdict == "fail" for case, one in both if case.true]
    return {
        "claims": len(both),
        "false": len(false),
        "true": len(true),
        "false_pass": report.share(false) or 0.0,
        "false_fail": report.share(true) or 0.0,
        "decided": report.share([one.verdict != "unsure" for one in verdicts]) or 0.0,
    }


async def fit(toolbox: Toolbox, given: Pictures) -> Limits:
    """Find limits that decide most within the goals, one at a time, and write them down."""
    cases = await judged(toolbox, given, seed=9)

    def cost(limits: Limits) -> float:
        found = rates(cases, checks(cases, limits))
        passed, failed = float(found["false_pass"]), float(found["false_fail"])
        over = (
            max(0.0, passed - FALSE_PASS) / FALSE_PASS + max(0.0, failed - FALSE_FAIL) / FALSE_FAIL
        )
        return over + 1 - float(found["decided"]) + passed + failed

    best = LIMITS
    for name, values in TRIED.items():
        tried = [best._replace(**{name: value}) for value in values]
        best = min([best, *tried], key=cost)
    LIMITS_FILE.write_text(json.dumps(best._asdict()) + "\n", encoding="utf-8")
    return best


def belief(one: Check) -> float:
    """Mean support of the witnesses that took a side; one half where none did."""
    said = [witness.support for witness in one.witnesses if witness.says != "unsure"]
    return float(np.mean(said)) if said else 0.5


async def measure(toolbox: Toolbox, count: int) -> dict[str, Any]:
    """Rates over all claims and by kind, on pictures with and without unseen pairs."""
    found: dict[str, Any] = {}
    for key, held_out in (("seen", False), ("held out", True)):
        given = pictures(count, FIRST_SEED["test"] + 300_000, held_out=held_out)
        cases = await judged(toolbox, given, seed=11)
        verdicts = checks(cases, LIMITS)
        by_kind: dict[str, list[int]] = defaultdict(list)
        for index, case in enumerate(cases):
            by_kind[case.claim.kind].append(index)
        beliefs = [belief(one) for one in verdicts]
        bins = fitting.reliability(beliefs, [case.true for case in cases])
        found[key] = {
            **rates(cases, verdicts),
            "by_kind": {
                kind: rates([cases[i] for i in rows], [verdicts[i] for i in rows])
                for kind, rows in sorted(by_kind.items())
            },
            "calibration_error": fitting.error(beliefs, [case.true for case in cases]),
            "reliability": [
                [float(np.mean([value for value, _ in inside])), share, len(inside)]
                for inside, share in bins
            ],
        }
    return found


def plot(found: dict[str, Any], path: Path) -> None:
    """Share of claims that are true against mean support of their witnesses."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.8", linewidth=1)
    for key, values in found.items():
        beliefs, shares, numbers = zip(*values["reliability"], strict=True)
        axes.plot(beliefs, shares, marker="o", label=f"{key} pairs, {sum(numbers)} claims")
    axes.set_xlabel("mean support of the witnesses")
    axes.set_ylabel("share of claims that are true")
    axes.legend(frameon=False)
    figure.savefig(path, metadata={"Date": None})


def body(found: dict[str, Any]) -> str:
    """The rates as markdown."""
    rows = []
    for key, values in found.items():
        for kind, one in [("all", values), *values["by_kind"].items()]:
            rows.append(
                (
                    f"{key} pairs, {kind}",
                    one["claims"],
                    report.percent(one["false_pass"]),
                    report.percent(one["false_fail"]),
                    report.percent(1 - one["decided"]),
                )
            )
    head = ("claims about", "number", "false pass", "false fail", "unsure")
    return "\n\n".join(
        [
            report.table(head, rows),
            f"Goals: false pass {FALSE_PASS:.0%}, false fail {FALSE_FAIL:.0%}, unsure 10%.",
            "![share of true claims against support](verifier.svg)",
        ]
    )


def main() -> None:
    """Command line."""
    from tools.profile import load_profile
    from tools.toolbox import LocalToolbox

    parser = argparse.ArgumentParser(description="How far verdicts are to be believed.")
    parser.add_argument("--profile", default="miniature")
    parser.add_argument("--count", type=int, default=150, help="scenes of each sort")
    arguments = parser.parse_args()
    found = asyncio.run(measure(LocalToolbox(load_profile(arguments.profile)), arguments.count))
    print(body(found))
    command = "python -m benchmarks.verifier"
    if arguments.count != parser.get_default("count"):
        command += f" --count {arguments.count}"
    path = report.write(
        *("verifier", "Verifier: how far verdicts are to be believed", command, found, body(found)),
        profile=arguments.profile,
    )
    plot(found, path.with_name("verifier.svg"))


if __name__ == "__main__":
    main()
