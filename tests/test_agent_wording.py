"""Wording: a small planner's prompt is held to what the request claims for certain."""

from __future__ import annotations

import pytest

from agent.plan import Call, Plan
from agent.wording import held_to


def plan(*prompts: str) -> Plan:
    calls = [
        Call(id=f"c{number}", tool="generate", input={"prompt": prompt})
        for number, prompt in enumerate(prompts, 1)
    ]
    return Plan(calls=tuple(calls))


@pytest.mark.parametrize(
    ("request_", "drawn", "meant"),
    [
        ("draw a zebra", ["a giraffe"], ["a zebra"]),
        ("three green cups on white", ["two green cups"], ["three green cups on white"]),
        ("A boot. Red. White background.", ["a boot on white"], ["a red boot on white"]),
        ("a hat, and it is purple", ["a hat", "a purple hat"], ["a purple hat"]),
        ("she loves owls. so, an owl", ["an owl", "an owl"], ["an owl"]),
        ("a lion below a kite", ["a lion and a kite"], ["a lion below a kite"]),
    ],
)
def test_what_the_prompt_lost_is_put_back(
    request_: str, drawn: list[str], meant: list[str]
) -> None:
    held = held_to(request_, plan(*drawn))
    prompts = [
        str(call.input["prompt"]).replace(" on a white background", " on white")
        for call in held.calls
    ]
    assert prompts == meant


@pytest.mark.parametrize(
    ("request_", "drawn"),
    [
        ("a dog", ["a dog"]),
        ("a purple elefant", ["a purple elephant"]),  # a slip of the finger was mended
        ("two pictures: a cat and a dog", ["a cat", "a dog"]),
        ("a drawing of a fox, then another of a bear", ["a fox", "a bear"]),
        ("a dog with a hat, watercolor", ["a dog with a hat, watercolor"]),
        ("no text please, a cat", ["a cat"]),
        ("describe it", []),
    ],
)
def test_a_prompt_that_says_it_all_stands(request_: str, drawn: list[str]) -> None:
    assert held_to(request_, plan(*drawn)) == plan(*drawn)


def test_a_drawing_that_another_call_needs_is_not_left_out() -> None:
    seen = Call(id="c3", tool="caption", input={"image": "@c2.images[0]"})
    made = plan("a hat", "a purple hat")
    made = made.model_copy(update={"calls": (*made.calls, seen)})
    assert held_to("a hat, and it is purple", made) == made


def test_a_follow_up_may_be_about_more_than_it_says() -> None:
    made = plan("a fox on a blue background")
    assert held_to("give me a different take on that", made, follows=True) == made
    assert held_to("a koala", plan("a koala"), follows=True) == plan("a koala")
