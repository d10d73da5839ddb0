"""Events: the one typed stream that every door consumes.

Pictures are named by id; only `Preview` carries one, since it is never kept.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue, TypeAdapter

from agent.checklist import Claim
from agent.messages import Status
from agent.plan import Call
from agent.state import CallRecord, Check, RunResult
from tools.base import Record
from tools.values import Image


class PlanMade(Record):
    """The planner's plan was accepted; nothing has run yet."""

    type: Literal["plan"] = "plan"
    calls: tuple[Call, ...]
    reply: str | None = None
    checklist: tuple[Claim, ...] = Field(default=(), description="what pictures must satisfy")


class ApprovalAsked(Record):
    """Calls wait for a person's yes; the run goes on when it is given or refused."""

    type: Literal["approval"] = "approval"
    calls: tuple[Call, ...]
    text: str = Field(description="the question, in words")


class ToolStarted(Record):
    """A call was handed to its tool."""

    type: Literal["tool_started"] = "tool_started"
    call: str
    tool: str
    input: dict[str, JsonValue]


class ProgressMade(Record):
    """A call has done one step of its work."""

    type: Literal["progress"] = "progress"
    call: str
    step: int = Field(description="steps done, from 1")
    total: int


class Preview(Record):
    """A picture in the making."""

    type: Literal["preview"] = "preview"
    call: str
    step: int
    total: int
    image: Image


class ToolFinished(Record):
    """A call ended, well or not, or was skipped."""

    type: Literal["tool_finished"] = "tool_finished"
    call: str
    status: Status
    record: CallRecord


class Checked(Record):
    """One claim was checked on the best picture so far."""

    type: Literal["check"] = "check"
    image: str = Field(description="id of the picture")
    check: Check


class Repair(Record):
    """A batch of new candidates is about to be drawn."""

    type: Literal["repair"] = "repair"
    round: int = Field(description="from 1")
    call: str = Field(description="id under which this batch is recorded")
    action: str = Field(description="what is done differently, in words")
    failing: tuple[str, ...] = Field(description="claims of the best picture that do not pass")
    pictures: int = Field(description="candidates in this batch")
    tool: str = Field(default="", description="the tool that repairs")
    why: str = Field(default="", description="for which claim it was chosen, in words")
    gain: float = Field(default=0.0, description="checks it is expected to mend")
    seconds: float = Field(default=0.0, description="s it is expected to take")


class Repaired(Record):
    """A repair was verified: what it gave is kept, or rolled back since it stands no better."""

    type: Literal["repaired"] = "repaired"
    round: int = Field(description="as in its `repair`")
    call: str
    kept: bool
    gained: float = Field(description="checks mended; an unsure counts one half")


class Sentence(Record):
    """One sentence of a reply."""

    text: str
    rests_on: tuple[str, ...] = Field(
        default=(), description="check:IMAGE:NUMBER, call:ID or budget; empty if it states no fact"
    )


class MessageSaid(Record):
    """The reply, and for each of its sentences what it rests on."""

    type: Literal["message"] = "message"
    text: str
    sentences: tuple[Sentence, ...] = ()


class Done(Record):
    """The run is over; always the last event of one that did not fail."""

    type: Literal["done"] = "done"
    result: RunResult


class Failed(Record):
    """The run is over without a result; nothing that was kept before is lost."""

    type: Literal["error"] = "error"
    kind: Literal["invalid_input", "unavailable"]
    message: str


Event = (
    PlanMade
    | ApprovalAsked
    | ToolStarted
    | ProgressMade
    | Preview
    | ToolFinished
    | Checked
    | Repair
    | Repaired
    | MessageSaid
    | Done
    | Failed
)
ANY_EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="type")])
"""Reads any event back from JSON: `ANY_EVENT.validate_json(line)`."""
