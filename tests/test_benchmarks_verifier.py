"""The verifier's benchmark: what is true is known, and rates are counted as they are named."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent.checklist import Claim, compile_checklist
from agent.state import Check, Verdict
from agent.witnesses import LIMITS, Seen
from benchmarks import verifier
from benchmarks.verifier import Judged, holds
from miniature.world.scene import Scene, Thing, draw
from tools.toolbox import LocalToolbox
from tools.values import Image

SCENE = Scene(
    "blue",
    (
        Thing("apple", "red", "small", 0, 0),
        Thing("apple", "green", "small", 80, 0),
        Thing("dog", None, "small", 8, 80),
    ),
)


@pytest.mark.parametrize(
    ("words", "true"),
    [
        ("a dog", [True]),
        ("a cat", [False]),
        ("no cats", [True]),
        ("no apples", [False]),
        ("two apples", [True]),
        ("exactly three apples", [False]),
        ("a red dog", [True, False]),
        ("a dog below an apple", [True, True, True]),
        ("a dog above an apple", [True, True, False]),
        ("a dog to the left of an apple", [True, True, True]),
        ("a dog on a blue background", [True, True]),
        ("a dog on a pink background", [True, False]),
    ],
)
def test_what_is_true_of_a_scene_is_known(words: str, true: list[bool]) -> None:
    assert [holds(claim, SCENE) for claim in compile_checklist(words)] == true


def test_a_side_that_the_scene_leaves_open_is_not_asked() -> None:
    near = Scene("blue", (Thing("cat", None, "small", 0, 0), Thing("dog", None, "small", 8, 8)))
    (*_, relation) = compile_checklist("a cat above a dog")
    assert relation.kind == "relation"
    assert holds(relation, near) is None


def test_rates_are_of_false_claims_that_pass_and_true_ones_that_fail() -> None:
    claim = Claim(kind="exists", text="there is a dog", subject="dog")
    seen = Seen(Image.from_pixels(draw(SCENE)))
    told: list[tuple[bool, Verdict]] = [
        (True, "pass"), (True, "fail"), (True, "unsure"), (True, "pass"),
        (False, "pass"), (False, "fail"),
    ]  # fmt: skip
    cases = [Judged(claim, true, seen) for true, _ in told]
    verdicts = [Check(claim=claim, verdict=said, witnesses=()) for _, said in told]
    found = verifier.rates(cases, verdicts)
    assert (found["false"], found["true"]) == (2, 4)
    assert (found["false_pass"], found["false_fail"]) == (0.5, 0.25)
    assert found["decided"] == pytest.approx(5 / 6)


def test_it_is_measured_on_pictures_and_plotted(miniature: LocalToolbox, tmp_path: Path) -> None:
    found = asyncio.run(verifier.measure(miniature, 2))
    assert set(found) == {"seen", "held out"}
    for one in found.values():
        assert one["claims"] == one["true"] + one["false"] > 8
        assert sum(kind["claims"] for kind in one["by_kind"].values()) == one["claims"]
        assert sum(number for *_, number in one["reliability"]) == one["claims"]
    assert "false pass" in verifier.body(found)
    verifier.plot(found, tmp_path / "plot.svg")
    assert (tmp_path / "plot.svg").read_text().startswith("<?xml")


def test_limits_change_verdicts_and_not_what_was_seen(miniature: LocalToolbox) -> None:
    from benchmarks.pictured import pictures

    cases = asyncio.run(verifier.judged(miniature, pictures(2, 0), seed=1))
    strict = verifier.checks(cases, LIMITS._replace(sure=1.0, box=1.0, alike=2.0))
    usual = verifier.checks(cases, LIMITS)
    assert verifier.checks(cases, LIMITS) == usual
    assert sum(one.verdict == "unsure" for one in strict) >= sum(
        one.verdict == "unsure" for one in usual
    )
