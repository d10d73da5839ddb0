"""Messages: what was said in a conversation, and what a call told the planner."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tools.base import Record

Status = Literal["done", "failed", "skipped", "cancelled"]
"""How a call ended: `skipped` never ran, since a call it needs did not end `done`."""


class Message(Record):
    """One turn of a conversation, by the person or by the agent."""

    role: Literal["user", "assistant"]
    text: str = Field(description="the words, as written")
    images: tuple[str, ...] = Field(
        default=(), description="handles of the pictures that came with this turn, such as img1"
    )


class Observation(Record):
    """What the planner is told about an earlier plan, so that it can do better."""

    call: str = Field(description="id of the call; empty if it is about the plan as a whole")
    tool: str = Field(default="", description="name of the tool; empty for the plan as a whole")
    status: Status
    text: str = Field(description="the error, or what came out, in one line")
