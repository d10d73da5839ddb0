"""Job: a request on its way, as pages see it."""

from __future__ import annotations

import concurrent.futures
from dataclasses import dataclass, field

from agent.events import Event
from agent.state import CallRecord, Check, RunResult
from tools.values import Image


@dataclass
class Step:
    """One call of a running job.

    Attributes:
        needs: ids of the calls it waits for.
        done: 0..1, or None before the first report.
    """

    call: str
    tool: str
    needs: tuple[str, ...] = ()
    done: float | None = None
    preview: Image | None = None
    record: CallRecord | None = None
    started: bool = False


@dataclass
class Job:
    """One request on its way; written by its run, read by pages.

    Attributes:
        notes: what was repaired and what came of it, in words.
        error: why it gave nothing, in words; empty if it did not fail.
    """

    request: str
    images: tuple[Image, ...]
    seed: int
    planned: bool = False
    ended: bool = False
    steps: dict[str, Step] = field(default_factory=dict)
    checks: dict[str, Check] = field(default_factory=dict)
    claims: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)
    result: RunResult | None = None
    error: str = ""
    cancelled: bool = False
    future: concurrent.futures.Future[None] | None = None

    def cancel(self) -> None:
        """Stop the run at its next step; what was drawn is kept."""
        self.cancelled = True
        if self.future is not None:
            self.future.cancel()

    def see(self, event: Event) -> None:
        """Take in what happened."""
        if event.type == "plan":
            self.planned = True
            self.claims = tuple(claim.text for claim in event.checklist)
            for call in event.calls:
                self.steps[call.id] = Step(call.id, call.tool, tuple(call.needs()))
        elif event.type == "tool_started":
            self._step(event.call, event.tool).started = True
        elif event.type == "progress":
            self.steps[event.call].done = event.step / max(1, event.total)
        elif event.type == "preview":
            self.steps[event.call].preview = event.image
        elif event.type == "tool_finished":
            step = self._step(event.call, event.record.tool)
            step.record, step.preview = event.record, None
        elif event.type == "check":
            self.checks[event.check.claim.text] = event.check
        elif event.type == "repair":
            self.notes.append(f"Repair {event.round}: {event.action}")
            self._step(event.call, event.tool or "repair")
        elif event.type == "repaired":
            self.notes.append("kept, it is better" if event.kept else "rolled back, no better")
        elif event.type == "error":
            self.error = event.message
        elif event.type == "done":
            self.result = event.result

    def _step(self, call: str, tool: str) -> Step:
        return self.steps.setdefault(call, Step(call, tool))
