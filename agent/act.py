"""Act: the step that runs a plan's calls, those that are ready side by side.

The one place where a ToolError becomes an observation. All else is our fault and goes up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.events import Event, Preview, ProgressMade, ToolFinished, ToolStarted
from agent.messages import Observation, Status
from agent.plan import Call, order, resolve
from agent.state import CallRecord
from tools.base import Progress, Record, Tool
from tools.errors import ToolError
from tools.toolbox import Toolbox
from tools.values import Image

Emit = Callable[[Event], None]


@dataclass
class Board:
    """What the calls of a run have given so far; a cancelled run leaves it as it stands."""

    pictures: Mapping[str, Image] = field(default_factory=dict)
    """Handle to picture, as calls may name them."""
    outputs: dict[str, Record] = field(default_factory=dict)
    """Call id to what it gave."""
    records: dict[str, CallRecord] = field(default_factory=dict)
    """Call id to how it ended."""

    def observations(self) -> tuple[Observation, ...]:
        """What a planner is told about the calls that ended."""
        return tuple(
            Observation(call=r.id, tool=r.tool, status=r.status, text=r.error or str(r.output))
            for r in self.records.values()
        )


async def act(
    calls: Sequence[Call],
    *,
    toolbox: Toolbox,
    board: Board,
    emit: Emit,
    defaults: Mapping[str, object] | None = None,
) -> None:
    """Run calls, each as soon as what it needs is there, and write down how each ended.

    A call whose need did not end well is skipped; it never runs on garbage.

    Args:
        calls: what a validated plan holds; needs may also be met by `board` already.
        defaults: arguments that tools get where they have them and the plan is silent: the seed.
    """
    tasks: dict[str, asyncio.Task[None]] = {}

    async def one(call: Call) -> None:
        for need in call.needs():
            if need in tasks:
                await tasks[need]
        await _run(call, toolbox, board, emit, defaults or {})

    for call in order(calls):
        tasks[call.id] = asyncio.create_task(one(call))
    if not tasks:
        return
    try:
        ended, _ = await asyncio.wait(tasks.values(), return_when=asyncio.FIRST_EXCEPTION)
        for task in ended:
            task.result()
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)


async def _run(
    call: Call, toolbox: Toolbox, board: Board, emit: Emit, defaults: Mapping[str, object]
) -> None:
    missing = [need for need in call.needs() if need not in board.outputs]
    if missing:
        named = ", ".join(f"{need} ({_ended(board, need)})" for need in missing)
        note = f"skipped: it needs {named}"
        _write(
            board,
            emit,
            CallRecord(id=call.id, tool=call.tool, input=call.input, error=note, status="skipped"),
        )
        return
    started = time.perf_counter()
    shown = call.input
    try:
        tool = toolbox.tool(call.tool)
        request = resolve(with_defaults(call, tool, defaults), tool, board.outputs, board.pictures)
        shown = request.model_dump(mode="json", exclude_none=True)
        emit(ToolStarted(call=call.id, tool=call.tool, input=shown))
        output = await toolbox.call(call.tool, request, reporter(call.id, emit))
    except (ToolError, asyncio.CancelledError) as error:
        cancelled = isinstance(error, asyncio.CancelledError)
        status: Status = "cancelled" if cancelled else "failed"
        text = "cancelled before it ended" if cancelled else str(error)
        seconds = time.perf_counter() - started
        _write(
            board,
            emit,
            CallRecord(
                id=call.id,
                tool=call.tool,
                input=shown,
                error=text,
                seconds=round(seconds, 4),
                status=status,
            ),
        )
        if cancelled:
            raise
        return
    board.outputs[call.id] = output
    _write(
        board,
        emit,
        CallRecord(
            id=call.id,
            tool=call.tool,
            input=shown,
            output=output.model_dump(mode="json"),
            seconds=round(time.perf_counter() - started, 4),
            status="done",
        ),
    )


def with_defaults(call: Call, tool: Tool[Any, Any], defaults: Mapping[str, object]) -> Call:
    """The call with the run's own arguments where the tool takes them and the plan is silent."""
    more = {
        name: value
        for name, value in defaults.items()
        if name in tool.input.model_fields and name not in call.input
    }
    return Call.model_validate({"id": call.id, "tool": call.tool, "input": {**call.input, **more}})


def reporter(call: str, emit: Emit) -> Progress:
    """Turns a tool's progress into events."""

    def report(step: int, total: int, preview: Image | None) -> None:
        emit(ProgressMade(call=call, step=step, total=total))
        if preview is not None:
            emit(Preview(call=call, step=step, total=total, image=preview))

    return report


def _write(board: Board, emit: Emit, record: CallRecord) -> None:
    board.records[record.id] = record
    emit(ToolFinished(call=record.id, status=record.status, record=record))


def _ended(board: Board, call: str) -> str:
    record = board.records.get(call)
    return record.status if record else "not run"
