"""Witnesses: what the tools are asked about each claim, and how their answers are read.

Nothing here calls a tool: `agent/verify.py` asks for all claims of all pictures at once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from agent import words
from agent.checklist import Claim
from agent.palette import background_shares
from agent.state import Verdict, Witness
from tools.values import Box, Image

COLOUR_CHOICES = ("red", "orange", "yellow", "green", "blue", "purple", "pink")
SMALL, LARGE = 0.36, 0.4  # shares of the shorter side: at most, and at least
SAME_PLACE = 0.6  # IoU above which boxes of two phrases are about one thing


class Limits(NamedTuple):
    """When a witness is believed; fitted on a split of their own by `benchmarks/verifier.py`.

    Attributes:
        sure: belief below which an answer counts as no answer.
        box: score below which boxes alone say nothing about whether a thing is there.
        apart: share of the picture by which centres must differ before a side is told.
        alike: share among all labels from which a crop counts as what it is taken for.
        unlike: share below which it does not.
        clear: how many times as much of another colour makes the claimed one wrong.
    """

    sure: float
    box: float
    apart: float
    alike: float
    unlike: float
    clear: float


LIMITS = Limits(**json.loads(Path(__file__).with_name("verifier.json").read_text("utf-8")))


@dataclass(frozen=True)
class Found:
    """One box of the detector."""

    box: Box
    score: float


@dataclass
class Seen:
    """All that the tools said about one picture."""

    image: Image
    limits: Limits = LIMITS
    boxes: dict[str, list[Found]] = field(default_factory=dict)
    """Noun to its boxes, the highest score first."""
    answers: dict[str, tuple[str, float]] = field(default_factory=dict)
    """Question to answer and its probability."""
    colours: dict[tuple[str, Box], dict[str, float]] = field(default_factory=dict)
    """Noun and box to colour word to its probability."""
    names: dict[tuple[str, Box], dict[str, float]] = field(default_factory=dict)
    """Noun and box to label to its probability: what the crop looks like by itself."""
    scenes: dict[str, dict[str, float]] = field(default_factory=dict)
    """Scene claimed to label to its probability, over the whole picture."""


def phrases(claims: Sequence[Claim]) -> tuple[str, ...]:
    """Nouns the detector looks for, each once."""
    nouns = [noun for claim in claims for noun in (claim.subject, claim.other) if noun]
    return tuple(dict.fromkeys(nouns))


def questions(claim: Claim) -> tuple[str, ...]:
    """What is asked in words about one claim."""
    thing = claim.thing
    if claim.kind in ("exists", "absent"):
        return (f"is there {words.article(thing)}?",)
    if claim.kind == "count":
        total = f"how many {words.plural(claim.subject)} are there?"
        return (total, f"is there {words.article(thing)}?") if claim.colour else (total,)
    if claim.kind == "colour":
        return (f"what color is the {claim.subject}?",)
    if claim.kind == "size":
        return (f"is the {claim.subject} small or large?",)
    if claim.kind == "relation":
        return (_is_beside(thing, str(claim.relation), claim.other_thing),)
    if words.colour(claim.background or ""):
        return ("what is the background color?",)
    return (f"is the background {words.article(claim.background or '')}?",)


def coloured(claims: Sequence[Claim]) -> dict[str, tuple[str, ...]]:
    """Nouns whose boxes must be told apart by colour, each with the colours to choose from."""
    chosen: dict[str, tuple[str, ...]] = {}
    for claim in claims:
        for noun, colour in ((claim.subject, claim.colour), (claim.other, claim.other_colour)):
            if noun and colour:
                chosen[noun] = tuple(dict.fromkeys([*chosen.get(noun, COLOUR_CHOICES), colour]))
    return chosen


def one_thing_one_name(boxes: dict[str, list[Found]]) -> dict[str, list[Found]]:
    """Drop a box that a box of another noun covers with a higher score.

    A detector asked for an absent cat likes to box the dog; the dog's own box knows better.
    """
    return {
        noun: [
            found
            for found in mine
            if not any(
                rival.score > found.score and _overlap(rival.box, found.box) > SAME_PLACE
                for name, others in boxes.items()
                if name != noun
                for rival in others
            )
        ]
        for noun, mine in boxes.items()
    }


def by_detector(claim: Claim, seen: Seen) -> Witness:
    """What the boxes say, colours of crops included where the claim names one."""
    if claim.kind == "background":
        return _by_pixels(claim, seen)
    name = "ground+classify" if claim.colour or claim.other_colour else "ground"
    if blind := _blind(claim, seen):
        return Witness(name=name, says="unsure", support=0.5, detail=blind)
    boxes = _of_colour(claim.subject, claim.colour, seen)
    what = claim.thing
    best = max((found.score for found in boxes), default=0.0)
    if claim.kind == "colour":
        return _colour_by_crops(claim, seen)
    if claim.kind == "relation":
        return _relation_by_boxes(claim, seen, name)
    if claim.kind == "size":
        return _size_by_boxes(claim, seen)
    detail = f"{len(boxes)} {words.plural(what) if len(boxes) != 1 else what} found"
    doubtful = [found.score for found in boxes if found.score < seen.limits.box]
    if doubtful and (claim.kind == "count" or best < seen.limits.box):
        return Witness(name=name, says="unsure", support=0.5, detail=f"{detail}, hardly believed")
    if claim.kind == "exists":
        return _witness(name, bool(boxes), max(best, 0.5) if boxes else 0.0, detail)
    if claim.kind == "absent":
        return _witness(name, not boxes, 1 - best, detail)
    near = max(0.0, 1 - abs(len(boxes) - (claim.count or 0)) / max(1, claim.count or 1))
    return _witness(name, len(boxes) == claim.count, near if boxes else 0.0, detail)


def by_answers(claim: Claim, seen: Seen) -> Witness:
    """What the answers to the questions say."""
    asked = questions(claim)
    if any(question not in seen.answers for question in asked):
        return Witness(name="vqa", says="unsure", support=0.5, detail="no answer")
    if claim.kind in ("relation", "colour", "size") and (gone := _told_absent(claim, seen)):
        return gone
    answer, belief = seen.answers[asked[0]]
    detail = "; ".join(f"{question} {seen.answers[question][0]}" for question in asked)
    if claim.kind in ("exists", "relation"):
        return _answered(seen, answer == "yes", belief, detail)
    if claim.kind == "absent":
        return _answered(seen, answer == "no", belief, detail)
    if claim.kind == "count":
        number = words.number(answer)
        if claim.colour is None:
            return _answered(seen, number == claim.count, belief, detail, choices=3)
        there, sure = seen.answers[asked[1]]
        enough = number is not None and number >= (claim.count or 0)
        both = enough and (there == "yes") == bool(claim.count)
        return _answered(seen, both, min(belief, sure), detail)
    if claim.kind == "colour":
        return _answered(seen, words.colour(answer) == claim.colour, belief, detail, choices=3)
    if claim.kind == "size":
        return _answered(seen, answer == claim.size, belief, detail)
    if words.colour(claim.background or ""):
        return _answered(seen, words.colour(answer) == claim.background, belief, detail, choices=3)
    return _answered(seen, answer == "yes", belief, detail)


def _told_absent(claim: Claim, seen: Seen) -> Witness | None:
    """What is not there has no colour and lies on no side of anything."""
    for noun in (claim.subject, claim.other):
        question = f"is there {words.article(noun)}?" if noun else ""
        answer, belief = seen.answers.get(question, ("yes", 1.0))
        if answer == "no" and belief >= seen.limits.sure:
            return _answered(seen, False, belief, f"{question} no")
    return None


def _answered(seen: Seen, holds: bool, belief: float, detail: str, *, choices: int = 2) -> Witness:
    """An answer that is hardly believed by the one who gives it decides nothing.

    Args:
        choices: how many answers there are at least; what is not believed is spread over them.
    """
    support = belief if holds else (1 - belief) / (choices - 1)
    says: Verdict = ("pass" if holds else "fail") if belief >= seen.limits.sure else "unsure"
    return Witness(name="vqa", says=says, support=round(support, 4), detail=detail)


def _witness(name: str, holds: bool, support: float, detail: str) -> Witness:
    says: Verdict = "pass" if holds else "fail"
    bounded = min(1.0, max(0.0, support))
    return Witness(name=name, says=says, support=round(bounded, 4), detail=detail)


def _blind(claim: Claim, seen: Seen) -> str:
    """Why boxes and crops say nothing about a claim; empty if they do."""
    for noun, colour in ((claim.subject, claim.colour), (claim.other, claim.other_colour)):
        if noun and noun not in seen.boxes:
            return f"nobody looked for {words.article(noun)}"
        if noun and colour and any((noun, f.box) not in seen.colours for f in seen.boxes[noun]):
            return f"the colour of each {noun} was not classified"
    return ""


def _of_colour(noun: str, colour: str | None, seen: Seen) -> list[Found]:
    boxes = seen.boxes.get(noun, [])
    if colour is None:
        return boxes
    return [found for found in boxes if likeliest(seen.colours[noun, found.box]) == colour]


def likeliest(shares: dict[str, float]) -> str | None:
    """The word with the largest share, or None without any."""
    return max(shares, key=lambda word: shares[word], default=None)


def _colour_by_crops(claim: Claim, seen: Seen) -> Witness:
    boxes = seen.boxes.get(claim.subject, [])
    crops = [seen.colours[claim.subject, found.box] for found in boxes]
    name = "ground+classify"
    if not boxes:
        return _witness(name, False, 0.0, f"no {claim.subject} found")
    beliefs = [crop.get(str(claim.colour), 0.0) for crop in crops]
    named = ", ".join(str(likeliest(crop)) for crop in crops)
    holds = all(likeliest(crop) == claim.colour for crop in crops)
    return _witness(name, holds, min(beliefs), f"crop of each {claim.subject}: {named}")


def _size_by_boxes(claim: Claim, seen: Seen) -> Witness:
    """How long the boxes are, as a share of the picture's shorter side."""
    boxes = [found.box for found in seen.boxes.get(claim.subject, [])]
    if not boxes:
        return _witness("ground", False, 0.0, f"no {claim.subject} found")
    shorter = min(seen.image.size_wh)
    sides = [max(x1 - x0, y1 - y0) / shorter for x0, y0, x1, y1 in boxes]
    detail = f"{max(sides):.0%} of the picture long"
    if any(SMALL < side < LARGE for side in sides):
        return Witness(name="ground", says="unsure", support=0.5, detail=detail)
    holds = all(side >= LARGE if claim.size == "large" else side <= SMALL for side in sides)
    return _witness("ground", holds, 0.9 if holds else 0.1, detail)


def _relation_by_boxes(claim: Claim, seen: Seen, name: str) -> Witness:
    subjects = _of_colour(claim.subject, claim.colour, seen)
    others = _of_colour(str(claim.other), claim.other_colour, seen)
    absent = [n for n, b in ((claim.subject, subjects), (claim.other, others)) if not b]
    if absent:
        return _witness(name, False, 0.0, f"no {' and no '.join(map(str, absent))} found")
    gap = gap_between(claim, [one.box for one in subjects], [one.box for one in others], seen.image)
    detail = f"centres {'differ by' if gap >= 0 else 'lie the other way by'} {abs(gap):.0%}"
    if abs(gap) < seen.limits.apart:
        return Witness(name=name, says="unsure", support=0.5, detail=detail)
    return _witness(name, gap > 0, 0.5 + 2 * gap, f"{detail} of the picture")


def gap_between(
    claim: Claim, subjects: Sequence[Box], others: Sequence[Box], image: Image
) -> float:
    """How far the subject lies on its side, as a share of the picture; below 0 if it does not.

    All subjects count where the claim is about several, else the one that lies best.
    """
    best = [
        max(_gap(str(claim.relation), one, other, image) for other in others) for one in subjects
    ]
    return min(best) if claim.several else max(best)


def _gap(relation: str, one: Box, other: Box, image: Image) -> float:
    """How far `one` lies on its side of `other`, as a share of the picture; below 0 if not."""
    across = ((other[0] + other[2]) - (one[0] + one[2])) / 2 / image.width
    down = ((other[1] + other[3]) - (one[1] + one[3])) / 2 / image.height
    return {"left of": across, "right of": -across, "above": down, "below": -down}[relation]


def _by_pixels(claim: Claim, seen: Seen) -> Witness:
    background = str(claim.background)
    if not words.colour(background):
        shares = seen.scenes.get(background, {})
        if not shares:
            return Witness(name="classify", says="unsure", support=0.5, detail="not classified")
        belief = shares.get(background, 0.0)
        detail = f"{likeliest(shares)} fits best"
        return _witness("classify", likeliest(shares) == background, belief, detail)
    boxes = [found.box for each in seen.boxes.values() for found in each]
    shares = background_shares(seen.image, boxes)
    most = likeliest(shares)
    detail = f"{shares.get(str(most), 0.0):.0%} of the pixels around the things are {most}"
    return _witness("pixels", most == background, shares.get(background, 0.0), detail)


def _is_beside(thing: str, relation: str, other: str) -> str:
    place = f"to the {relation}" if relation in ("left of", "right of") else relation
    return f"is the {thing} {place} the {other}?"


def _overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return shared / (areas - shared)
