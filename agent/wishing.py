"""Wishing: what a person may say about a checklist, in words.

store.strike(conversation, "the box is red")       # a claim as the checklist shows it
store.add_claim(conversation, claim("no text"))    # one more, from plain words
store.forget_wish(conversation, "the box is red")  # and back
"""

from __future__ import annotations

from agent.checklist import Claim
from agent.claims import claims_in
from tools.errors import InvalidInput


def claim(text: str) -> Claim:
    """The one claim that some words make, such as "there are two dogs" or "no text".

    Raises:
        InvalidInput: they make none, or several.
    """
    found = [one for one in claims_in(text) or claims_in(f"draw {text}") if not one.compares]
    if len(found) > 1:  # `the dog is red` says that there is one, too; the last is what was meant
        told = [one for one in found if one.kind not in ("exists",)]
        found = told if len(told) == 1 else found
    if len(found) != 1:
        shown = "; ".join(one.text for one in found) or "none"
        raise InvalidInput(f"{text!r} makes {len(found)} claims ({shown}); say one at a time")
    return found[0]
