"""State: the records a run is made of. They hold ids of pictures, never pixels."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from agent.checklist import Claim
from agent.messages import Status
from tools.base import Record

Verdict = Literal["pass", "fail", "unsure"]
Stopped = Literal[
    "passed", "budget", "no_progress", "single", "unchecked", "answered", "reply", "failed"
]
"""Why a run ended.

passed: every check of every picture passed. budget: the next batch would not have fitted into
the seconds given. no_progress: several repairs in a row made nothing better. single: repair was
switched off. unchecked: the request says nothing that can be checked. answered: tools were
called, no picture was asked for. reply: no tool was needed. failed: no call gave a result.
"""


class CallRecord(Record):
    """One call and what became of it."""

    id: str
    tool: str
    input: dict[str, JsonValue] = Field(description="arguments as run; pictures as ids")
    output: dict[str, JsonValue] | None = Field(default=None, description="pictures as ids")
    error: str | None = None
    seconds: float = Field(default=0.0, ge=0, description="s of wall time, waiting included")
    status: Status


class Witness(Record):
    """What one witness says about one claim."""

    name: str = Field(description="the tool asked, such as ground, vqa, classify; or pixels")
    says: Verdict
    support: float = Field(ge=0, le=1, description="how strongly it holds that the claim is met")
    detail: str = Field(description="what it answered, in words")


class Check(Record):
    """One claim about one picture, with what the witnesses said."""

    claim: Claim
    verdict: Verdict = Field(description="pass or fail only where all witnesses agree")
    witnesses: tuple[Witness, ...]
    evidence: dict[str, JsonValue] = Field(
        default_factory=dict, description="boxes (x0, y0, x1, y1 in px), answers, probabilities"
    )


class ImageRecord(Record):
    """A picture that a run hands over."""

    handle: str = Field(description="its name in the conversation, such as img1")
    path: str = Field(description="where its PNG file lies")
    id: str = Field(description="content hash")
    tool: str = Field(description="the tool that made it")
    parents: tuple[str, ...] = Field(default=(), description="ids of the pictures it was made from")


class Spent(Record):
    """What a run was allowed and what it used. All in seconds but the counts."""

    seconds: float | None = Field(description="allowed; None is no limit")
    used: float = Field(description="wall time from the request to the reply")
    tools: float = Field(description="wall time while at least one tool was at work")
    planner: float = Field(description="wall time while only the planner was at work")
    overhead: float = Field(ge=0, description="share of wall time in neither tool nor planner")
    pictures: int = Field(description="candidates drawn, the first one included")
    repairs: int = Field(description="repair batches")
    loading: float = Field(default=0.0, description="wall time in which weights were loaded; free")
    calls: int = Field(default=0, description="requests to tools")
    most_calls: int | None = Field(default=None, description="allowed; None is no limit")
    tokens: int = Field(default=0, description="of the language model, read and written")
    most_tokens: int | None = Field(default=None, description="allowed; None is no limit")


class RunResult(Record):
    """What a run hands over."""

    reply: str
    images: tuple[ImageRecord, ...] = ()
    calls: tuple[CallRecord, ...] = ()
    checks: tuple[Check, ...] = ()
    checklist: tuple[Claim, ...] = Field(default=(), description="what the pictures had to satisfy")
    stopped: Stopped
    budget: Spent
