"""Claims: the checklist of any request, whether it asks for a picture, a change or a follow-up."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent import words
from agent.changes import compile_changes
from agent.checklist import Claim, compile_checklist
from agent.requests import DRAW_VERB, normalised
from tools.errors import InvalidInput

LEAD = re.compile(
    r"^(?:(?:now|and|also|again|ok|okay|so|then|please|but|actually|no|rather|as|the|a|just|all)"
    r"[, ]+)*"
    r"(?:(?:same|same (?:again|thing|picture|one|as before)|like (?:that|this|it|the (?:first|last|"
    r"previous|second) (?:one|picture)?|before)|as before|before|(?:(?:it|that|this) )?again"
    r"|another one|one more)[, ]*)*"
)
FOLLOWS = re.compile(
    r"^(?:(?:please|ok|okay|so|hm|no|actually)[, ]+)*(?:now|and|also|again|but|the same|same|like "
    r"(?:that|this|it|the (?:first|last|previous|second))|as before|another|one more|with|without"
    r"|in)\b"
)
DRAWN_AGAIN = re.compile(
    r"^(?:(?:please|ok|okay|so|now|then|and|(?:can|could|would) you)[, ]+)*"
    rf"{DRAW_VERB}(?: me| us)? "
    r"(?=(?:the )?same\b|like (?:that|this|it)\b|(?:it|that|this) again\b|another one\b|one more\b)"
)
COLOUR_ALONE = re.compile(
    rf"^(?:(?:in|a|an|make it|painted|but|it|one|instead|please|this time) )*"
    rf"({'|'.join(sorted(words.COLOURS | words.COLOUR_ALIASES.keys()))})(?: one)?"
    r"(?: (?:instead|please|this time|now))*$"
)
COUNT_ALONE = re.compile(rf"^(?:but )?({'|'.join(words.NUMBERS)}|\d+) of (?:them|those|it)$")


def claims_in(
    request: str, prompt: str | None = None, *, before: Sequence[Claim] = ()
) -> tuple[Claim, ...]:
    """The claims in a request, in the order of the words.

    Args:
        request: plain English.
        prompt: what a planner made of it; see `agent.checklist.compile_checklist`.
        before: the claims of the picture that a follow-up such as "the same in green" is about.
    """
    if before and (followed := follow(request, before)):
        return followed
    return compile_changes(request) or compile_checklist(request, prompt)


def one_claim(text: str) -> Claim:
    """The one claim that some words make, such as "there are two dogs" or "no text".

    Raises:
        InvalidInput: they make none, or several.
    """
    found = [one for one in claims_in(text) or claims_in(f"draw {text}") if not one.compares]
    if len(found) > 1:  # `the dog is red` says that there is one, too; the last is what was meant
        told = [one for one in found if one.kind != "exists"]
        found = told if len(told) == 1 else found
    if len(found) != 1:
        shown = "; ".join(one.text for one in found) or "none"
        raise InvalidInput(f"{text!r} makes {len(found)} claims ({shown}); say one at a time")
    return found[0]


def follow(request: str, before: Sequence[Claim]) -> tuple[Claim, ...]:
    """The claims before, changed as a follow-up says; () if it does not follow."""
    before = tuple(claim for claim in before if not claim.compares)
    plain = normalised(request).strip(" .!?")
    if again := DRAWN_AGAIN.match(plain):
        plain = plain[again.end() :]
    elif not FOLLOWS.match(plain):
        return ()
    rest = re.sub(r"^(?:but|and|add|with|,)[, ]+", "", LEAD.sub("", plain).strip(" ,"))
    rest = re.sub(r"^(?:but|and|add|with|,)[, ]+", "", rest)
    if not rest:
        return before
    subjects = [claim for claim in before if claim.kind in ("exists", "count")]
    if (alone := COLOUR_ALONE.match(rest)) and len(subjects) == 1:
        colour = words.colour(alone[1])
        return merged(before, _about(subjects[0], colour=colour))
    if (number := COUNT_ALONE.match(rest)) and len(subjects) == 1:
        return merged(before, _about(subjects[0], count=words.number(number[1])))
    new = compile_changes(rest) or compile_checklist(f"draw {rest}") or compile_checklist(rest)
    kept = tuple(claim for claim in new if not claim.compares)
    return merged(before, kept) if kept else ()


def _about(
    subject: Claim, *, colour: str | None = None, count: int | None = None
) -> tuple[Claim, ...]:
    number = count if count is not None else subject.count
    many = number is not None and number != 1
    noun = words.plural(subject.subject) if many else subject.subject
    amount = words.NUMBER_WORDS.get(number, str(number)) if number is not None else "a"
    return compile_checklist(f"draw {amount} {colour or ''} {noun}")


def merged(before: Sequence[Claim], new: Sequence[Claim]) -> tuple[Claim, ...]:
    """What was claimed before, unless something new says otherwise of the same thing."""
    absent = {claim.subject for claim in new if claim.kind == "absent"}
    counted = {claim.subject for claim in new if claim.kind == "count"}
    backed = any(claim.kind == "background" for claim in new)
    coloured = {claim.subject for claim in new if claim.kind == "colour"}
    wanted = {claim.subject for claim in new if claim.kind in ("exists", "count")}
    numbered = {claim.subject for claim in before if claim.kind == "count"}
    kept = [
        claim
        for claim in before
        if not (
            claim.subject in absent
            or claim.other in absent
            or (claim.kind == "absent" and claim.subject in wanted)
            or (claim.kind in ("exists", "count") and claim.subject in counted)
            or (claim.kind == "background" and backed)
            or (claim.kind == "colour" and claim.subject in coloured)
        )
    ]
    added = [
        claim
        for claim in new
        if not (claim.kind == "exists" and claim.subject in numbered - absent)
    ]
    return tuple(dict.fromkeys([*kept, *added]))
