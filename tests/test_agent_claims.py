"""Claims: what changes and follow-ups ask for, as claims; the benchmark's own file is in order."""

from __future__ import annotations

import pytest

from agent.changes import compile_changes
from agent.claims import claims_in
from benchmarks import checklist


def shorts(request: str, before: str = "") -> set[str]:
    held = claims_in(before) if before else ()
    return {checklist.short(claim) for claim in claims_in(request, before=held)}


@pytest.mark.parametrize(
    ("request_", "claims"),
    [
        ("make the box blue", {"colour: box blue", "unchanged"}),
        ("remove the cat and the mouse", {"absent: cat", "absent: mouse", "unchanged"}),
        ("replace the cat with two dogs", {"count: 2 dog", "absent: cat", "unchanged"}),
        ("change the background to pink", {"background: pink"}),
        (
            "make the key bigger, then remove the lock",
            {"size: key large", "absent: lock", "unchanged"},
        ),
        (
            "make the background green and the box blue",
            {"background: green", "colour: box blue"},
        ),
        ("paint the fish orange; everything else stays", {"colour: fish orange", "unchanged"}),
        ("add a small bee to it", {"exists: bee", "size: bee small", "unchanged"}),
    ],
)
def test_a_change_is_claimed_and_that_all_else_stays(request_: str, claims: set[str]) -> None:
    assert shorts(request_) == claims


@pytest.mark.parametrize(
    "request_", ["draw a cat", "a red car", "what is this?", "make it pop", ""]
)
def test_what_is_no_change_gives_no_claims_of_one(request_: str) -> None:
    assert compile_changes(request_) == ()


@pytest.mark.parametrize(
    ("before", "request_", "claims"),
    [
        ("draw a red box", "now in green", {"exists: box", "colour: box green"}),
        (
            "two cats on white",
            "the same on a pink background",
            {"count: 2 cat", "background: pink"},
        ),
        (
            "a dog and a cat",
            "like the first one, but without the cat",
            {"exists: dog", "absent: cat"},
        ),
        ("a star", "like that, but two of them", {"count: 2 star"}),
        ("a star", "another one", {"exists: star"}),
        (
            "draw a red car",
            "draw the same but on a blue background",
            {"exists: car", "colour: car red", "background: blue"},
        ),
        ("a star", "can you draw it again?", {"exists: star"}),
        ("make the dog bigger", "the same with a cat", {"exists: cat"}),
        ("a star", "draw a moon", {"exists: moon"}),
    ],
)
def test_a_follow_up_changes_the_claims_before_it(
    before: str, request_: str, claims: set[str]
) -> None:
    assert shorts(request_, before) == claims


@pytest.mark.parametrize("request_", ["draw the same in blue", "the same on white"])
def test_the_same_is_no_thing(request_: str) -> None:
    assert not any(claim.subject == "same" for claim in claims_in(request_))


@pytest.mark.parametrize(
    ("request_", "text", "compares"),
    [
        ("make the dog bigger", "the dog is bigger than before", True),
        ("shrink the dog", "the dog is smaller than before", True),
        ("make the dog twice as big", "the dog is bigger than before", True),
        ("make the dog tiny", "the dog is small", False),
    ],
)
def test_bigger_is_meant_against_the_picture_before(
    request_: str, text: str, compares: bool
) -> None:
    first = compile_changes(request_)[0]
    assert (first.text, first.size is not None, first.compares) == (text, True, compares)


def test_sides_are_told_one_way() -> None:
    assert shorts("a cat to the right of a dog") >= {"relation: dog left of cat"}


def test_the_compiler_stays_as_good_as_it_was_measured() -> None:
    requests = checklist.load()
    assert len(requests) >= 200
    assert len({one.id for one in requests}) == len(requests)
    assert checklist.figures(requests)["f1"] >= 0.96
