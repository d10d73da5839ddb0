"""Engine: what all browser sessions of one server share: store, tools, planner, running jobs.

A job runs beside the pages that show it: a page may be reloaded, and finds its job again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any, TypeVar

import streamlit as st

from agent import language
from agent.events import Event
from agent.plan import Plan
from agent.planner import PlanRequest
from tools.base import Record
from tools.cache import ResultCache
from tools.profile import load_profile
from tools.toolbox import LocalToolbox
from tools.values import Image
from ui.face.job import Job
from ui.home import cache_folder, open_store, store_folder
from ui.remote import RemoteToolbox

log = logging.getLogger(__name__)
Given = TypeVar("Given")
Stream = Callable[[], AsyncIterator[Event]]


class Chosen:
    """A planner for what a person chose by hand: it serves one plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    async def plan(self, request: PlanRequest) -> Plan:
        """The plan; what became of it, in words, when it is asked again."""
        if not request.observations:
            return self._plan
        return Plan(reply="; ".join(one.text for one in request.observations))


class Engine:
    """Store, tools and planner of this server, and a thread in which runs go on."""

    def __init__(self, profile: str, llm: str, budget_s: float, server: str | None) -> None:
        self.store = open_store()
        self.toolbox: LocalToolbox | RemoteToolbox
        if server is None:
            self.toolbox = LocalToolbox(load_profile(profile), ResultCache(cache_folder()))
        else:
            self.toolbox = RemoteToolbox(server, key=os.environ.get("SIGHTLOOP_KEY"))
        self.planner = language.planner(llm)
        self.profile = profile
        self.llm = llm
        self.budget_s = budget_s
        self.jobs: dict[str, Job] = {}
        self.words: dict[str, str] = {}  # picture id to what it shows
        self.strange: dict[str, bool] = {}  # picture id to whether it is of another world
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="runs", daemon=True).start()

    def start(
        self,
        conversation: str,
        request: str,
        images: Sequence[Image],
        seed: int,
        plan: Plan | None = None,
    ) -> Job:
        """Begin to work on a request; a conversation has one job at a time.

        Args:
            plan: what to do, where a person chose it by hand; else the planner is asked.
        """
        running = self.jobs.get(conversation)
        if running is not None and not running.ended:
            return running
        planner = self.planner if plan is None else Chosen(plan)

        def stream() -> AsyncIterator[Event]:
            from agent import loop  # langgraph takes a second, which no page must wait for

            return loop.run(
                request,
                tuple(images),
                toolbox=self.toolbox,
                planner=planner,
                store=self.store,
                seed=seed,
                budget_s=self.budget_s,
                conversation=conversation,
            )

        return self._begin(conversation, Job(request, tuple(images), seed), stream)

    def go_on(self, conversation: str, request: str) -> None:
        """Go on with the turn that the end of the program cut short."""

        def stream() -> AsyncIterator[Event]:
            from agent import loop

            return loop.resume(
                conversation, toolbox=self.toolbox, planner=self.planner, store=self.store
            )

        self._begin(conversation, Job(request, (), 0), stream)

    def call(self, name: str, given: Record) -> Record:
        """Run one tool by itself and wait for it.

        Raises:
            ToolError: it gave no answer.
        """
        return self.wait(self.toolbox.call(name, given))

    def wait(self, work: Coroutine[Any, Any, Given]) -> Given:
        """Do something in the thread of the runs and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something in the thread of the runs, whenever it ends."""
        asyncio.run_coroutine_threadsafe(work, self._loop)

    def _begin(self, conversation: str, job: Job, stream: Stream) -> Job:
        self.jobs[conversation] = job
        job.future = asyncio.run_coroutine_threadsafe(_follow(job, stream), self._loop)
        return job


async def _follow(job: Job, stream: Stream) -> None:
    try:
        async with contextlib.aclosing(stream()) as events:  # type: ignore[type-var]
            async for event in events:
                job.see(event)
    except Exception:  # the edge of a thread: the page must learn that it is over
        log.exception("a run ended badly")
        job.error = "Something in Sightloop itself went wrong; the log of the server says what."
    finally:
        job.ended = True


@st.cache_resource(show_spinner=False)
def _opened(profile: str, llm: str, budget_s: float, server: str | None, home: str) -> Engine:
    return Engine(profile, llm, budget_s, server)


def engine() -> Engine:
    """The engine of this server, as `sightloop ui` was asked for it."""
    profile = os.environ.get("SIGHTLOOP_PROFILE", "miniature")
    llm = os.environ.get("SIGHTLOOP_LLM", "embedded")
    budget_s = float(os.environ.get("SIGHTLOOP_BUDGET", "60"))
    server = os.environ.get("SIGHTLOOP_SERVER")
    return _opened(profile, llm, budget_s, server, str(store_folder()))


def fresh_seed() -> int:
    """A seed that nobody chose."""
    return secrets.randbelow(2**31)
