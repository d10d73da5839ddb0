"""Commands: requests about the conversation itself, such as "undo that"; no tool does them."""

from __future__ import annotations

import re
from typing import Literal

from agent.requests import POLITE

Command = Literal["undo", "redo"]
LEAD = rf"^(?:(?:{POLITE}|can you|could you)[ ,]+)*"
THAT = r"(?: (?:that|it|this|the last (?:one|step|change|edit|picture)|last (?:step|change)))?"
END = r"(?: (?:please|again|now|for me))*[ .!?]*$"
UNDO = re.compile(
    rf"{LEAD}(?:undo|revert|roll back|take back){THAT}{END}"
    rf"|{LEAD}(?:go|step) back(?: one step| a step)?{END}"
    rf"|{LEAD}(?:no, )?(?:take|bring) (?:that|it) back{END}"
    r"|^(?:it|that) was better before[ .!]*$"
)
REDO = re.compile(rf"{LEAD}(?:redo|restore)(?: (?:that|it|what you undid))?{END}")


def command(text: str) -> Command | None:
    """The command in a request, or None if it is for the planner."""
    plain = " ".join(text.lower().split())
    if UNDO.match(plain):
        return "undo"
    return "redo" if REDO.match(plain) else None
