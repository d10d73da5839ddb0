"""Verification: two witnesses, agreement or unsure, evidence for each verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from agent.checklist import compile_checklist
from agent.drawing import Candidate, Drawing
from agent.palette import background_shares, named
from agent.state import Check, Verdict
from agent.verify import standing, verify, verify_many
from agent.witnesses import Found, one_thing_one_name
from tests.agent_drawn import Classify, Generate, Ground, HereToolbox, Vqa, painted
from tools.errors import Unavailable
from tools.values import Image
from tools.vqa import VqaInput, VqaOutput

SCENE = painted(("red", "box"), ("blue", "bar"), None, ("blue", "bar"))


class LyingVqa(Vqa):
    """Say yes to everything."""

    def answer(self, requests: Sequence[VqaInput], progress: Any) -> list[VqaOutput]:
        return [VqaOutput(answer="yes", confidence=0.99) for _ in requests]


class ShyVqa(Vqa):
    """Answer right and believe nothing of it."""

    def answer(self, requests: Sequence[VqaInput], progress: Any) -> list[VqaOutput]:
        right = super().answer(requests, progress)
        return [one.model_copy(update={"confidence": 0.51}) for one in right]


class DeadGround(Ground):
    """Find nothing, loudly."""

    def answer(self, requests: Any, progress: Any) -> Any:
        raise Unavailable("the detector is away")


async def verdicts(request: str, *tools: type, image: Image = SCENE) -> dict[str, str]:
    box = HereToolbox(*(tools or (Ground, Vqa, Classify)))
    checks = await verify(image, compile_checklist(request), box)
    return {check.claim.text: check.verdict for check in checks}


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ("a red box", {"there is a box": "pass", "the box is red": "pass"}),
        ("a blue box", {"there is a box": "pass", "the box is blue": "fail"}),
        ("a plank", {"there is a plank": "fail"}),
        (
            "a red plank above a box",
            {
                "there is a plank": "fail",
                "the plank is red": "fail",
                "there is a box": "pass",
                "the plank is above the box": "fail",
            },
        ),
        ("two bars", {"there are exactly two bars": "pass"}),
        ("three bars", {"there are exactly three bars": "fail"}),
        ("one box, no planks", {"there is exactly one box": "pass", "there is no plank": "pass"}),
        ("no boxes", {"there is no box": "fail"}),
        (
            "a box left of a bar",
            {
                "there is a box": "pass",
                "there is a bar": "pass",
                "the box is to the left of the bar": "pass",
            },
        ),
        (
            "a box to the right of a bar",
            {
                "there is a box": "pass",
                "there is a bar": "pass",
                "the box is to the right of the bar": "fail",
            },
        ),
        (
            "a box on a white background",
            {"there is a box": "pass", "the background is white": "pass"},
        ),
        (
            "a box on a green background",
            {"there is a box": "pass", "the background is green": "fail"},
        ),
    ],
)
async def test_both_witnesses_agree_on_plain_pictures(
    request_: str, expected: dict[str, str]
) -> None:
    assert await verdicts(request_) == expected


async def test_a_disagreement_is_unsure_never_a_silent_pass() -> None:
    assert await verdicts("a plank", Ground, LyingVqa) == {"there is a plank": "unsure"}


async def test_an_answer_that_is_hardly_believed_decides_nothing() -> None:
    assert await verdicts("a box", Ground, ShyVqa) == {"there is a box": "unsure"}


async def test_a_look_at_the_crops_stands_in_for_an_unsure_answer() -> None:
    found = await verdicts("a red box left of two bars", Ground, ShyVqa, Classify)
    assert set(found.values()) == {"pass"}
    assert await verdicts("a plank", Ground, ShyVqa, Classify) == {"there is a plank": "unsure"}


async def test_a_box_around_something_else_is_not_taken_at_its_word() -> None:
    class Eager(Ground):
        """Find a plank in every bar."""

        def answer(self, requests: Any, progress: Any) -> Any:
            bars = [one.model_copy(update={"phrases": ("bar",)}) for one in requests]
            found = super().answer(bars, progress)
            return [
                one.model_copy(
                    update={
                        "boxes": tuple(b.model_copy(update={"phrase": "plank"}) for b in one.boxes)
                    }
                )
                for one in found
            ]

    found = await verdicts("a plank and a bar", Eager, LyingVqa, Classify)
    assert found["there is a plank"] == "unsure"


@pytest.mark.parametrize("tools", [(Vqa,), (Ground,), (Vqa, DeadGround), (Generate,)])
async def test_without_one_of_the_witnesses_nothing_passes_or_fails(
    tools: tuple[type, ...],
) -> None:
    found = await verdicts("a red box, no planks", *tools)
    assert set(found.values()) == {"unsure"}


async def test_evidence_names_boxes_answers_and_crops() -> None:
    (exists, colour) = await verify(
        SCENE, compile_checklist("a red box"), HereToolbox(Ground, Vqa, Classify)
    )
    assert exists.evidence["answers"] == {"is there a box?": "yes"}
    assert exists.evidence["boxes"] == [
        {"phrase": "box", "box": [4.0, 4.0, 24.0, 24.0], "score": 0.9}
    ]
    assert exists.evidence["image"] == SCENE.id
    assert [witness.name for witness in colour.witnesses] == ["ground+classify", "vqa", "recheck"]
    crops = colour.evidence["crops"]
    assert isinstance(crops, dict)
    assert set(crops) == {"box 1"}


async def test_many_pictures_cost_one_call_of_each_tool_and_each_question_once() -> None:
    box = HereToolbox(Ground, Vqa, Classify)
    Vqa.asked.clear()
    claims = compile_checklist("a red box left of a bar on a white background")
    many = await verify_many([SCENE, painted(), painted(("red", "box"))], claims, box)
    assert [name for kind, name, _ in box.log if kind == "start"].count("ground") == 1
    assert sorted(name for kind, name, _ in box.log if kind == "start") == [
        "classify",
        "ground",
        "vqa",
    ]
    assert len(Vqa.asked) == 3 * len(set(Vqa.asked))
    assert standing(many[0])[:2] == (0, 0)
    assert standing(many[1])[0] > standing(many[2])[0] > 0


def test_a_box_of_an_absent_thing_yields_to_the_thing_that_is_there() -> None:
    dog, cat = Found((0, 0, 10, 10), 0.9), Found((0, 0, 10, 9), 0.4)
    elsewhere = Found((50, 50, 60, 60), 0.3)
    kept = one_thing_one_name({"dog": [dog], "cat": [cat, elsewhere]})
    assert kept == {"dog": [dog], "cat": [elsewhere]}


@pytest.mark.parametrize(
    ("rgb", "word"),
    [
        ((255, 255, 255), "white"),
        ((184, 186, 190), "gray"),
        ((178, 212, 244), "blue"),
        ((30, 60, 200), "blue"),
        ((252, 240, 178), "yellow"),
        ((196, 230, 180), "green"),
        ((210, 190, 234), "purple"),
        ((252, 208, 224), "pink"),
        ((194, 160, 126), "brown"),
        ((200, 20, 20), "red"),
        ((10, 10, 10), "black"),
    ],
)
def test_colours_have_the_names_people_give_them(rgb: tuple[int, int, int], word: str) -> None:
    near = np.array([rgb], np.int16) + np.array([[4, -4, 3]])
    assert named(np.clip(near, 0, 255).astype(np.uint8)) == (word,)


def test_the_background_is_what_lies_outside_the_boxes() -> None:
    shares = background_shares(SCENE, [(4, 4, 24, 24)])
    assert next(iter(shares)) == "white"
    assert background_shares(SCENE, [(0, 0, 64, 64)])["white"] > 0.9


def test_what_is_kept_never_stands_worse(monkeypatch: pytest.MonkeyPatch) -> None:
    claims = compile_checklist("a box and a bar and a plank")
    random = np.random.default_rng(0)

    def candidate(number: int) -> Candidate:
        checks = tuple(
            Check(
                claim=claim,
                verdict=("pass", "fail", "unsure")[int(random.integers(3))],
                witnesses=(),
            )
            for claim in claims
        )
        return Candidate(image=f"{number}", call="c1", arm="", checks=checks)

    drawing = Drawing(call="c1", tool="generate", input={}, wanted=2, claims=claims)
    seen: list[Candidate] = []
    for batch in range(30):
        fresh = [candidate(batch * 3 + i) for i in range(3)]
        seen += fresh
        before = [one.standing() for one in drawing.best]
        drawing = drawing.with_verified(fresh)
        after = [one.standing() for one in drawing.best]
        assert all(new <= old for new, old in zip(after, before, strict=False))
        assert after == sorted(one.standing() for one in seen)[:2]


def test_among_equals_the_one_that_fits_the_whole_prompt_better_is_kept() -> None:
    (claim,) = compile_checklist("a box")
    verdicts: list[tuple[str, Verdict, float]] = [
        ("plain", "unsure", 0.2),
        ("better", "unsure", 0.9),
        ("wrong", "fail", 1.0),
    ]
    seen = [
        Candidate(
            image=name,
            call="c1",
            checks=(Check(claim=claim, verdict=verdict, witnesses=()),),
            fit=fit,
        )
        for name, verdict, fit in verdicts
    ]
    drawing = Drawing(call="c1", tool="generate", input={}, wanted=1, claims=(claim,))
    assert [one.image for one in drawing.with_verified(seen).best] == ["better"]
