"""Checkpoint: where a run stands, as JSON, so that it can go on after a crash.

Written after every step, once the pictures that it names are on disk. It holds ids, never pixels.
"""

from __future__ import annotations

from pydantic import Field

from agent.drawing import Drawing
from agent.messages import Observation
from agent.plan import Plan
from agent.running import LoopState, Order, Run
from agent.state import CallRecord, Stopped
from tools.base import Record


class Checkpoint(Record):
    """A run between two steps."""

    order: Order
    at: str | None = Field(description="the step that ended last; None if none did")
    plan: Plan | None = None
    plans: int = 0
    mending: bool = False
    observations: tuple[Observation, ...] = ()
    drawings: dict[str, Drawing] = Field(default_factory=dict)
    stopped: Stopped | None = None
    records: tuple[CallRecord, ...] = ()
    repairs: int = 0
    pictures: int = 0


def capture(run: Run, state: LoopState) -> Checkpoint:
    """Where a run stands after the step `state["at"]`."""
    held = {key: value for key, value in state.items() if key in Checkpoint.model_fields}
    return Checkpoint.model_validate(
        {
            **held,
            "order": run.order,
            "records": tuple(run.board.records.values()),
            "repairs": run.budget.repairs,
            "pictures": run.budget.pictures,
        }
    )


def restore(run: Run, saved: Checkpoint) -> LoopState:
    """Put a run back to where it stood; what its calls gave is read from the store."""
    run.budget.repairs, run.budget.pictures = saved.repairs, saved.pictures
    context = {"pictures": run.keeper.picture}
    for record in saved.records:
        run.board.records[record.id] = record
        if record.status == "done":
            tool = run.toolbox.tool(record.tool)
            output = tool.output.model_validate(record.output, context=context)
            if ".r" not in record.id:
                run.board.outputs[record.id] = output
            run.keeper.remember(record, output)
    if saved.at is None:
        return {}
    state: LoopState = {
        "at": saved.at,
        "plans": saved.plans,
        "mending": saved.mending,
        "observations": saved.observations,
        "drawings": saved.drawings,
        "stopped": saved.stopped,
    }
    return {**state, "plan": saved.plan} if saved.plan is not None else state
