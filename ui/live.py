"""Live: follows the events of a run on a terminal and keeps what they carry."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import TaskID

from tools.errors import InvalidInput, Unavailable
from ui.console import progress
from ui.pictures import write_picture
from ui.show import show_plan, summary

if TYPE_CHECKING:
    from agent import events
    from agent.state import RunResult

MARKS = {
    "done": "[green]✓[/]",
    "failed": "[red]✗[/]",
    "skipped": "[yellow]–[/]",
    "cancelled": "[yellow]–[/]",
}


class Follower:
    """One run as it happens.

    Attributes:
        made: ids of the pictures that calls have given so far.
        said: sentences of the reply that the table of checks does not show already.
    """

    def __init__(self, console: Console, previews: Path) -> None:
        self.made: list[str] = []
        self.said: list[str] = []
        self._console = console
        self._previews = previews
        self._bar = progress(console)
        self._tasks: dict[str, TaskID] = {}
        self._between: TaskID | None = None
        self._failing: tuple[str, ...] = ()

    async def follow(self, stream: AsyncIterator[events.Event]) -> RunResult:
        """Show every event; the result once it is there.

        Raises:
            InvalidInput: the request cannot be carried out as it stands.
            Unavailable: something that it needs does not work here.
        """
        result: RunResult | None = None
        with self._bar:
            self._while_no_tool_runs("planning")
            async for event in stream:
                if event.type == "done":
                    result = event.result
                elif event.type == "error":
                    raise (Unavailable if event.kind == "unavailable" else InvalidInput)(
                        event.message
                    )
                else:
                    self._show(event)
        assert result is not None, "a run ends with done or error"
        return result

    def _show(self, event: events.Event) -> None:
        if event.type == "plan":
            self._while_no_tool_runs(None)
            show_plan(self._console, event.calls, None)
        elif event.type == "tool_started":
            self._while_no_tool_runs(None)
            self._tasks[event.call] = self._bar.add_task(f"{event.call}  {event.tool}", total=None)
        elif event.type == "progress":
            self._bar.update(self._tasks[event.call], completed=event.step, total=event.total)
        elif event.type == "preview":
            name = f"{event.call}-step{event.step:02d}.png"
            write_picture(event.image, self._previews / name)
        elif event.type == "tool_finished":
            self._finished(event)
        elif event.type == "message":
            self._while_no_tool_runs(None)
            self.said = [
                each.text
                for each in event.sentences
                if not any(fact.startswith("check:") for fact in each.rests_on)
            ]
        elif event.type == "repair":
            failing = "the same" if event.failing == self._failing else "; ".join(event.failing)
            self._failing = event.failing
            self._console.print(
                f"  [yellow]↻[/] round {event.round}: {escape(failing)} → {escape(event.action)}",
                soft_wrap=True,
            )

    def _finished(self, event: events.ToolFinished) -> None:
        if (task := self._tasks.pop(event.call, None)) is not None:
            self._bar.remove_task(task)
        record = event.record
        if record.output and isinstance(images := record.output.get("images"), list):
            self.made += [str(each) for each in images]
        said = record.error if record.error is not None else summary(record.output)
        self._console.print(
            f"  {MARKS[event.status]} {record.id}  {record.tool}  {escape(said)}  "
            f"[dim]{record.seconds:.1f} s[/]",
            soft_wrap=True,
        )
        if not self._tasks:
            self._while_no_tool_runs("checking")

    def _while_no_tool_runs(self, doing: str | None) -> None:
        if self._between is not None:
            self._bar.remove_task(self._between)
        self._between = self._bar.add_task(doing, total=None) if doing else None
