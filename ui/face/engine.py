"""Engine: what all browser sessions of one server share: store, tools, planner, running jobs.

A job runs beside the pages that show it: a page may be reloaded, and finds its job again.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import os
import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import streamlit as st

from agent import language
from agent.events import Event
from agent.state import CallRecord, Check, RunResult
from agent.store import Store
from tools.cache import ResultCache
from tools.profile import load_profile
from tools.toolbox import LocalToolbox
from tools.values import Image
from ui.home import cache_folder, store_folder

log = logging.getLogger(__name__)


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


class Engine:
    """Store, tools and planner of this server, and a thread in which runs go on."""

    def __init__(self, profile: str, llm: str, budget_s: float) -> None:
        self.store = Store(store_folder())
        self.toolbox = LocalToolbox(load_profile(profile), ResultCache(cache_folder()))
        self.planner = language.planner(llm)
        self.llm = llm
        self.budget_s = budget_s
        self.jobs: dict[str, Job] = {}
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="runs", daemon=True).start()

    def start(self, conversation: str, request: str, images: Sequence[Image], seed: int) -> Job:
        """Begin to work on a request; a conversation has one job at a time."""
        running = self.jobs.get(conversation)
        if running is not None and not running.ended:
            return running
        job = Job(request, tuple(images), seed)
        self.jobs[conversation] = job
        job.future = asyncio.run_coroutine_threadsafe(self._run(job, conversation), self._loop)
        return job

    async def _run(self, job: Job, conversation: str) -> None:
        from agent import loop  # langgraph takes a second, which the first paint must not wait for

        try:
            stream = loop.run(
                job.request,
                job.images,
                toolbox=self.toolbox,
                planner=self.planner,
                store=self.store,
                seed=job.seed,
                budget_s=self.budget_s,
                conversation=conversation,
            )
            async with contextlib.aclosing(stream) as events:  # type: ignore[type-var]
                async for event in events:
                    job.see(event)
        except Exception:  # the edge of a thread: the page must learn that it is over
            log.exception("a run ended badly")
            job.error = "Something in Sightloop itself went wrong; the log of the server says what."
        finally:
            job.ended = True


@st.cache_resource(show_spinner=False)
def _opened(profile: str, llm: str, budget_s: float, home: str) -> Engine:
    return Engine(profile, llm, budget_s)


def engine() -> Engine:
    """The engine of this server, as `sightloop ui` was asked for it."""
    profile = os.environ.get("SIGHTLOOP_PROFILE", "miniature")
    llm = os.environ.get("SIGHTLOOP_LLM", "embedded")
    budget_s = float(os.environ.get("SIGHTLOOP_BUDGET", "60"))
    return _opened(profile, llm, budget_s, str(store_folder()))


def fresh_seed() -> int:
    """A seed that nobody chose."""
    return secrets.randbelow(2**31)
