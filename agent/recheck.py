"""Recheck: a further witness that looks at each crop by itself.

The detector proposes boxes; here another network says what the crop looks like, and its pixels
say which colour it has. So a claim can pass where the one who answers questions is not sure,
and a box around nothing in particular is not taken at its word.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent import words
from agent.checklist import Claim
from agent.palette import background_shares, box_shares
from agent.state import Verdict, Witness
from agent.witnesses import Found, Seen, gap_between, likeliest
from tools.values import Box

DISTRACTORS = (
    *("person", "dog", "cat", "bird", "fish", "cow", "car", "airplane", "tree", "flower", "house"),
    *("apple", "banana", "pizza", "ball", "star", "heart", "book", "umbrella", "key", "shirt"),
)
NAME = "recheck"


def labels(nouns: Sequence[str]) -> tuple[str, ...]:
    """What a crop may look like: the nouns looked for, and other common things."""
    return tuple(dict.fromkeys([*nouns, *DISTRACTORS]))


def by_recheck(claim: Claim, seen: Seen) -> Witness | None:
    """What the crops say, or None where there is nothing to look at or they leave it open."""
    if claim.kind in ("background", "size") or not seen.boxes.get(claim.subject):
        return None
    if claim.kind == "colour":
        return _colour(claim, seen)
    looks = _looks(claim.subject, claim.colour, seen)
    if claim.kind == "relation":
        return _relation(claim, looks, seen)
    alike = sum(look is True for look in looks.values())
    detail = f"{alike} of {len(looks)} crops look like it"
    if claim.kind == "count":
        return None if None in looks.values() else _witness(alike == claim.count, detail)
    if alike:
        return _witness(claim.kind == "exists", detail)
    return None if None in looks.values() else _witness(claim.kind == "absent", detail)


def _relation(claim: Claim, looks: dict[Box, bool | None], seen: Seen) -> Witness | None:
    others = _looks(str(claim.other), claim.other_colour, seen)
    subjects = [box for box, look in looks.items() if look]
    targets = [box for box, look in others.items() if look]
    if not subjects or not targets:
        return None
    gap = gap_between(claim, subjects, targets, seen.image)
    if abs(gap) < seen.limits.apart:
        return None
    return _witness(gap > 0, f"crops look like both and lie {'so' if gap > 0 else 'otherwise'}")


def _looks(noun: str, colour: str | None, seen: Seen) -> dict[Box, bool | None]:
    """Whether each crop looks like the noun, and has the colour if one is claimed."""
    found: dict[Box, bool | None] = {}
    for one in seen.boxes.get(noun, []):
        shares = seen.names.get((noun, one.box), {})
        belief = shares.get(noun, 0.5)
        alike = (
            True if belief >= seen.limits.alike or (shares and likeliest(shares) == noun) else None
        )
        alike = False if belief < seen.limits.unlike else alike
        if alike and colour:
            alike = _colour_of(one.box, colour, seen)
        found[one.box] = alike if shares else None
    return found


def _colour(claim: Claim, seen: Seen) -> Witness | None:
    found: list[Found] = seen.boxes[claim.subject]
    said = [_colour_of(one.box, str(claim.colour), seen) for one in found]
    if None in said:
        return None
    return _witness(
        all(said), f"pixels in {sum(map(bool, said))} of {len(said)} boxes are {claim.colour}"
    )


def _colour_of(box: Box, colour: str, seen: Seen) -> bool | None:
    """Whether a colour is what most of a box is painted in; None if the pixels leave it open."""
    around = likeliest(
        background_shares(seen.image, [f.box for b in seen.boxes.values() for f in b])
    )
    if colour == around:
        return None  # what is painted cannot be told from what is behind it
    shares = box_shares(seen.image, box)
    others = {
        word: share
        for word, share in shares.items()
        if word not in (colour, around, "black", "white", "gray") and words.colour(word)
    }
    mine, most = shares.get(colour, 0.0), max(others.values(), default=0.0)
    if mine >= most and mine > 0:
        return True
    return False if most >= seen.limits.clear * mine else None


def _witness(holds: bool, detail: str) -> Witness:
    says: Verdict = "pass" if holds else "fail"
    return Witness(name=NAME, says=says, support=0.9 if holds else 0.1, detail=detail)
