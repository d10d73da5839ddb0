"""Turns: the records in which a conversation is remembered."""

from __future__ import annotations

from pydantic import JsonValue

from agent.checklist import Claim
from tools.base import Record


class Wishes(Record):
    """What a person struck from or added to the checklists of a conversation."""

    struck: tuple[str, ...] = ()
    added: tuple[Claim, ...] = ()

    def amend(self, claims: tuple[Claim, ...]) -> tuple[Claim, ...]:
        """A checklist without what was struck and with what was added."""
        kept = [claim for claim in claims if claim.text not in self.struck]
        return tuple(dict.fromkeys([*kept, *self.added]))


class Turn(Record):
    """One request and what came of it."""

    number: int
    state: str
    request: str
    reply: str | None = None
    result: JsonValue = None
