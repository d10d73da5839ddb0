"""Approving: calls of some tools wait for a person's yes before they run."""

from __future__ import annotations

from collections.abc import Sequence

from agent.events import ApprovalAsked, ToolFinished
from agent.plan import Call
from agent.running import Run
from agent.state import CallRecord

REFUSED = "skipped: you did not approve it"


async def approved(run: Run, calls: Sequence[Call]) -> list[Call]:
    """The calls that may run; what was refused is written down as skipped.

    The clock stands still while the person thinks.
    """
    costly = [call for call in calls if call.tool in run.order.ask_before]
    if not costly or run.approve is None:
        return list(calls)
    named = ", ".join(f"{call.tool} ({call.id})" for call in costly)
    asked = ApprovalAsked(calls=tuple(costly), text=f"Shall I run {named}?")
    run.emit(asked)
    with run.budget.waiting():
        yes = await run.approve(asked)
    if yes:
        return list(calls)
    for call in costly:
        record = CallRecord(
            id=call.id, tool=call.tool, input=call.input, error=REFUSED, status="skipped"
        )
        run.board.records[call.id] = record
        run.emit(ToolFinished(call=call.id, status="skipped", record=record))
    return [call for call in calls if call not in costly]
