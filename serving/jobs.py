"""Jobs: runs that go on whether or not somebody watches; their events can be read again.

Every event is a row before anybody sees it. A reader who comes back says the number of the last
event it has and gets what follows. A job whose process died is begun again from its request,
once; what a seed decides comes out the same, and its events have higher numbers than those of the
first try, so that the same reader misses none. Where several fronts share a database, any of them
tells how far a job is, and a job belongs to one of them: what another writes of it is left out.

The database is asked in a thread of its own, one query after the other: one that hangs does not
keep the front from answering.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, TypeVar
from weakref import WeakValueDictionary

from agent.database import Database
from agent.events import ANY_EVENT, Event, Failed
from serving.doors import Quotas
from serving.fronts import BEAT_S, Fronts
from tools.base import Record
from tools.errors import InvalidInput, Unavailable

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (id TEXT PRIMARY KEY, owner TEXT NOT NULL, request TEXT NOT NULL,
    state TEXT NOT NULL, made REAL NOT NULL, starts INTEGER NOT NULL,
    front TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS events (job TEXT NOT NULL, number INTEGER NOT NULL, event TEXT NOT NULL,
    PRIMARY KEY (job, number));
"""
_LATER = (("jobs", "front", "TEXT NOT NULL DEFAULT ''", ""),)
STARTS = 2
SECOND = 100_000  # added to the numbers of a second try's events
POLL_S = 1.0  # s between looks at a job that another front carries out
T = TypeVar("T")
State = Literal["waiting", "running", "done", "failed", "cancelled"]
ENDED = ("done", "failed", "cancelled")


CANCELLED = Failed(kind="invalid_input", message="cancelled; what was finished by then is kept")
logger = logging.getLogger(__name__)


class Job(Record):
    """A run and how far it is."""

    id: str
    state: State
    made: float
    request: str


Work = Callable[[str, str], AsyncGenerator[Event, None]]
"""Owner and request as JSON to the events of the run."""


class Jobs:
    """The jobs of one front process."""

    def __init__(self, database: Database, work: Work, quotas: Quotas, running: int) -> None:
        """Args:
        database: of this front alone, or shared by several.
        running: jobs of one owner that run at once; others wait.
        """
        database.extend(_SCHEMA, _LATER)
        self._database = database
        self._line = ThreadPoolExecutor(1, "jobs")
        self._fronts = Fronts(database)
        self._watch: asyncio.Task[None] | None = None
        self._work = work
        self._quotas = quotas
        self._running = running
        self._taking = asyncio.Lock()  # a job is taken on whole, before it can seem left alone
        self._places: dict[str, asyncio.Semaphore] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._news = WeakValueDictionary[str, asyncio.Event]()  # of the jobs that somebody reads

    async def recover(self) -> None:
        """Begin again what nobody carries out any more; leave what another front took over.

        From then on that is looked for every few seconds.
        """
        await self._watched()
        await self._recover()

    async def _recover(self) -> None:
        async with self._taking:
            await self._take_over()

    async def _take_over(self) -> None:
        rows = await self._rows(
            "SELECT id, owner, starts, front FROM jobs WHERE state IN ('waiting', 'running')"
        )
        mine = {identity for identity, _, _, front in rows if front == self._fronts.me}
        for identity in self._tasks.keys() - mine:
            self._tasks[identity].cancel("closing")
        busy = await self._ask(self._fronts.others)
        for identity, owner, starts, front in rows:
            if front in busy or identity in self._tasks or not await self._took(identity, front):
                continue
            if starts < STARTS:
                self._quotas.take(owner)
                self._start(identity, owner)
            else:
                text = "the server stopped twice while this run was under way"
                await self._say(identity, Failed(kind="unavailable", message=text))
                await self._set(identity, "failed")

    async def begin(self, owner: str, request: str) -> Job:
        """Take a job on.

        Raises:
            TooMuch: the owner has as many as it may.
            Unavailable: it cannot be written down.
        """
        self._quotas.enter(owner)
        job = Job(id=uuid.uuid4().hex, state="waiting", made=time.time(), request=request)
        try:
            await self._watched()
            async with self._taking:
                await self._rows(
                    "INSERT INTO jobs (id, owner, request, state, made, starts, front) "
                    "VALUES (?, ?, ?, 'waiting', ?, 0, ?)",
                    *(job.id, owner, request, job.made, self._fronts.me),
                )
                self._start(job.id, owner)
        except BaseException:  # also a caller who hung up
            self._quotas.leave(owner, 0.0)
            raise
        return job

    async def get(self, owner: str, identity: str) -> Job:
        """A job of this owner.

        Raises:
            InvalidInput: it has none of this id.
        """
        query = "SELECT state, made, request FROM jobs WHERE id = ? AND owner = ?"
        rows = await self._rows(query, identity, owner)
        if not rows:
            raise InvalidInput(f"no run {identity[:64]!r}")
        state, made, request = rows[0]
        return Job.model_validate(
            {"id": identity, "state": state, "made": made, "request": request}
        )

    async def cancel(self, owner: str, identity: str) -> Job:
        """Stop a job; one that has ended stays as it is."""
        job = await self.get(owner, identity)
        if task := self._tasks.get(job.id):
            task.cancel()
        elif job.state not in ENDED:
            # Another front carries it out; with the next event it finds that it no longer may.
            await self._rows(
                "UPDATE jobs SET front = ? WHERE id = ? AND state IN ('waiting', 'running')",
                *(self._fronts.me, job.id),
            )
            await self._say(job.id, CANCELLED)
            await self._set(job.id, "cancelled")
        return job

    async def events(
        self, owner: str, identity: str, after: int = 0
    ) -> AsyncIterator[tuple[int, str]]:
        """Number and JSON of each event after one, until the job has ended."""
        await self.get(owner, identity)
        while True:
            news = self._news.setdefault(identity, asyncio.Event())
            news.clear()
            ended = (await self.get(owner, identity)).state in ENDED
            query = "SELECT number, event FROM events WHERE job = ? AND number > ? ORDER BY number"
            for number, event in await self._rows(query, identity, after):
                after = number
                yield after, event
            if ended:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(news.wait(), None if identity in self._tasks else POLL_S)

    async def close(self) -> None:
        """Leave everything as it is; the next process, or another front, goes on."""
        tasks = [*self._tasks.values(), *([self._watch] if self._watch else [])]
        for task in tasks:
            task.cancel("closing")
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._ask(self._fronts.leave)
        self._line.shutdown()

    async def _ask(self, question: Callable[..., T], *arguments: object) -> T:
        """The answer to a question, asked when those before it have theirs."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._line, question, *arguments)

    async def _rows(self, query: str, *arguments: object) -> list[tuple[Any, ...]]:
        return await self._ask(self._database.rows, query, *arguments)

    async def _watched(self) -> None:
        """Say that this front is alive, and look after jobs, now and from now on."""
        if self._watch is None or self._watch.done():
            await self._beat()
            self._watch = asyncio.get_running_loop().create_task(self._keep_watch())

    async def _beat(self) -> None:
        if self._fronts.shared:
            await self._ask(self._fronts.beat)

    async def _keep_watch(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            try:
                await self._beat()
                await self._recover()
            except Unavailable as error:
                logger.warning("jobs are looked after again in a moment: %s", error)

    async def _took(self, identity: str, front: str) -> bool:
        """Make a job this front's, unless another was quicker or it has ended."""
        query = (
            "UPDATE jobs SET front = ? WHERE id = ? AND front = ? "
            "AND state IN ('waiting', 'running') RETURNING id"
        )
        return bool(await self._rows(query, self._fronts.me, identity, front))

    def _start(self, identity: str, owner: str) -> None:
        task = asyncio.get_running_loop().create_task(self._run(identity, owner))
        self._tasks[identity] = task
        task.add_done_callback(lambda _: self._stopped(identity))

    def _stopped(self, identity: str) -> None:
        """Wake who reads: what another front says of the job from now on comes without news."""
        self._tasks.pop(identity, None)
        self._tell(identity)

    async def _run(self, identity: str, owner: str) -> None:
        places = self._places.setdefault(owner, asyncio.Semaphore(self._running))
        state: State | None = None  # what ended without a word is begun again
        started = time.monotonic()
        try:
            async with places:
                started = time.monotonic()
                rows = await self._rows(
                    "UPDATE jobs SET state = 'running', starts = starts + 1 "
                    "WHERE id = ? AND front = ? RETURNING request",
                    *(identity, self._fronts.me),
                )
                if not rows:  # another front took it, or ended it, while it waited
                    return
                await self._rows("DELETE FROM events WHERE job = ?", identity)
                async with contextlib.aclosing(self._work(owner, rows[0][0])) as events:
                    async for event in events:
                        await self._say(identity, event)
                        if event.type == "done":
                            state = "done"
                state = state or "failed"
        except asyncio.CancelledError as error:
            if error.args == ("closing",):
                state = None
                raise
            await self._say(identity, CANCELLED)
            state = "cancelled"
        except Exception:
            await self._say(identity, Failed(kind="unavailable", message="a fault of the server"))
            state = "failed"
            raise
        finally:
            self._quotas.leave(owner, time.monotonic() - started)
            if state is not None:
                await asyncio.shield(self._set(identity, state))

    async def _say(self, identity: str, event: Event) -> None:
        said = await self._rows(
            "INSERT INTO events SELECT id, (SELECT COALESCE(MAX(number), "
            "CASE WHEN starts > 1 THEN ? ELSE 0 END) + 1 FROM events WHERE job = id), ? "
            "FROM jobs WHERE id = ? AND front = ? RETURNING number",
            *(SECOND, ANY_EVENT.dump_json(event).decode(), identity, self._fronts.me),
        )
        if not said and identity in self._tasks:
            self._tasks[identity].cancel("closing")  # another front has it now
        self._tell(identity)

    async def _set(self, identity: str, state: State) -> None:
        query = "UPDATE jobs SET state = ? WHERE id = ? AND front = ?"
        await self._rows(query, state, identity, self._fronts.me)
        self._tell(identity)

    def _tell(self, identity: str) -> None:
        """Wake who reads a job's events."""
        if news := self._news.get(identity):
            news.set()
