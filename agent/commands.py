"""Commands: requests about the conversation itself, which no tool does.

"Undo that", "redo", "what did you change?"
"""

from __future__ import annotations

import re
from typing import Literal

from agent.requests import POLITE

Command = Literal["undo", "redo", "changes"]
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

DONE = r"(?:change|alter|edit|modify|do|done|changed|altered|edited|modified|different)"
CHANGES = re.compile(
    rf"{LEAD}what (?:(?:did|have) you (?:just |now )?|has been |was |is |has )?{DONE}"
    r"(?: (?:now|here|there|just|so far|last|(?:to|in|on|with|about) (?:it|that"
    r"|(?:the|this) (?:picture|image|last (?:step|turn|one)))))*[ .!?]*$"
)


def command(text: str) -> Command | None:
    """The command in a request, or None if it is for the planner."""
    plain = " ".join(text.lower().split())
    if UNDO.match(plain):
        return "undo"
    if REDO.match(plain):
        return "redo"
    return "changes" if CHANGES.match(plain) else None
