"""Wording: what a small planner made of a request, held to the checklist of that request.

A model of 135 million weights now and then draws a kangaroo for a koala, or two pictures for two
sentences. What the request claims for certain is read by rule (agent/checklist.py); a prompt that
lost some of it is worded anew from the claims.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from difflib import get_close_matches

from agent import words
from agent.checklist import Claim, compile_checklist
from agent.plan import Plan
from agent.refine import worded

CLOSE = 0.75  # likeness of two words, from which on one is the other with a slip of the finger
SEVERAL = re.compile(
    r"\b(?:pictures|images|drawings|versions|variants|variations|another|separate(?:ly)?|each|"
    r"second|also draw|then (?:draw|make|paint))\b"
)


def held_to(request: str, plan: Plan, *, follows: bool = False) -> Plan:
    """The plan with one drawing that says all that the request claims, if its own do not.

    Args:
        follows: whether the request may be about what was drawn before.
    """
    drawn = [call for call in plan.calls if call.tool == "generate"]
    gone = {call.id for call in drawn[1:]}
    if not drawn or (gone and SEVERAL.search(request.lower())):
        return plan
    if any(need in gone for call in plan.calls for need in call.needs()):
        return plan
    told_again = {call.id for call in drawn[1:] if call.input == drawn[0].input}
    if told_again:
        drawn = [call for call in drawn if call.id not in told_again]
        plan = _without(plan, told_again)
    prompts = [str(call.input.get("prompt", "")) for call in drawn]
    each = [compile_checklist(f"draw {prompt}") for prompt in prompts]
    held = {claim for claims in each for claim in claims}
    asked = _certain(compile_checklist(request, ", ".join(prompts)), request, held)
    if follows and {claim.subject for claim in held - set(asked)} - {""}:
        return plan  # part of it was said before
    prompt = worded(asked)
    named = [{claim.subject for claim in claims if claim.subject} for claims in each]
    twice = any(one & named[0] for one in named[1:])  # one thing is told in several sentences
    if not prompt or (not twice and all(_said(claim, held) for claim in asked)):
        return plan
    first = drawn[0].model_copy(update={"input": {**drawn[0].input, "prompt": prompt}})
    calls = tuple(first if call is drawn[0] else call for call in plan.calls)
    return _without(plan.model_copy(update={"calls": calls}), gone)


def _without(plan: Plan, gone: Collection[str]) -> Plan:
    kept = tuple(call for call in plan.calls if call.id not in gone)
    return plan.model_copy(update={"calls": kept})


def _certain(asked: Collection[Claim], request: str, held: Collection[Claim]) -> tuple[Claim, ...]:
    """The claims whose things the prompts name too, or that stand to such a thing in a relation.

    None where the planner may have mended a slip of the finger. All, where it drew something
    that the request does not speak of.
    """
    said, drawn = request.lower(), {claim.subject for claim in held if claim.subject}
    strange = {claim.subject for claim in asked if claim.subject} - drawn
    if any(_mended(name, drawn) for name in strange):
        return ()
    if any(name in said for name in drawn):
        pairs = [{claim.subject, claim.other} for claim in asked if claim.kind == "relation"]
        strange -= {name for pair in pairs if pair & drawn for name in pair}
        asked = [claim for claim in asked if not {claim.subject, claim.other} & strange]
    ground = [claim for claim in held if claim.background and claim.background in said]
    if any(claim.background or claim.colour == one.background for claim in asked for one in ground):
        ground = []
    numbers = {words.number(word) for word in re.findall(r"\w+", said)} | {None, 1}
    if re.search(r"\b(?:pair|couple)\b", said):
        numbers.add(2)
    counted = all(claim.count in numbers for claim in asked)  # else told twice, not two
    return (*asked, *ground[:1]) if counted else ()


def _mended(name: str, drawn: Collection[str]) -> bool:
    """Whether a thing was drawn whose name is nearly, but not partly, the one asked for."""
    return any(one not in name for one in get_close_matches(name, drawn, 1, CLOSE))


def _said(claim: Claim, held: Collection[Claim]) -> bool:
    """Whether a prompt says as much; what must not be there stands elsewhere."""
    if claim.kind == "count" and claim.count == 1:
        return any((one.subject, one.colour) == (claim.subject, claim.colour) for one in held)
    return claim.kind == "absent" or claim in held
