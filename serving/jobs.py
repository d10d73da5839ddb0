"""Jobs: runs that go on whether or not somebody watches; their events can be read again.

Every event is a row before anybody sees it. A reader who comes back says the number of the last
event it has and gets what follows. A job whose process died is begun again from its request,
once; what a seed decides comes out the same.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Literal

from agent.events import ANY_EVENT, Event, Failed
from serving.doors import Quotas
from tools.base import Record
from tools.errors import InvalidInput

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (id TEXT PRIMARY KEY, owner TEXT NOT NULL, request TEXT NOT NULL,
    state TEXT NOT NULL, made REAL NOT NULL, starts INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS events (job TEXT NOT NULL, number INTEGER NOT NULL, event TEXT NOT NULL,
    PRIMARY KEY (job, number));
"""
STARTS = 2
State = Literal["waiting", "running", "done", "failed", "cancelled"]
ENDED = ("done", "failed", "cancelled")


class Job(Record):
    """A run and how far it is."""

    id: str
    state: State
    made: float
    request: str


Work = Callable[[str, str], AsyncIterator[Event]]
"""Owner and request as JSON to the events of the run."""


class Jobs:
    """The jobs of one front process."""

    def __init__(self, path: Path, work: Work, quotas: Quotas, running: int) -> None:
        """Args:
        path: the SQLite file.
        running: jobs of one owner that run at once; others wait.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.executescript(_SCHEMA)
        self._lock = threading.Lock()
        self._work = work
        self._quotas = quotas
        self._running = running
        self._places: dict[str, asyncio.Semaphore] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._news: dict[str, asyncio.Event] = {}

    def recover(self) -> None:
        """Begin again what an earlier process left unfinished."""
        rows = self._rows("SELECT id, owner, starts FROM jobs WHERE state IN ('waiting','running')")
        for identity, owner, starts in rows:
            if int(str(starts)) < STARTS:
                self._quotas.enter(str(owner))
                self._start(str(identity), str(owner))
            else:
                text = "the server stopped twice while this run was under way"
                self._say(str(identity), Failed(kind="unavailable", message=text))
                self._set(str(identity), "failed")

    def begin(self, owner: str, request: str) -> Job:
        """Take a job on.

        Raises:
            TooMuch: the owner has as many as it may.
        """
        self._quotas.enter(owner)
        identity = uuid.uuid4().hex
        row = (identity, owner, request, "waiting", time.time(), 0)
        self._rows("INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?)", *row)
        self._start(identity, owner)
        return self.get(owner, identity)

    def get(self, owner: str, identity: str) -> Job:
        """A job of this owner.

        Raises:
            InvalidInput: it has none of this id.
        """
        query = "SELECT state, made, request FROM jobs WHERE id = ? AND owner = ?"
        rows = self._rows(query, identity, owner)
        if not rows:
            raise InvalidInput(f"no run {identity[:64]!r}")
        state, made, request = rows[0]
        return Job.model_validate(
            {"id": identity, "state": state, "made": made, "request": request}
        )

    def cancel(self, owner: str, identity: str) -> Job:
        """Stop a job; one that has ended stays as it is."""
        job = self.get(owner, identity)
        if task := self._tasks.get(job.id):
            task.cancel()
        return job

    async def events(
        self, owner: str, identity: str, after: int = 0
    ) -> AsyncIterator[tuple[int, str]]:
        """Number and JSON of each event after one, until the job has ended."""
        self.get(owner, identity)
        while True:
            news = self._news.setdefault(identity, asyncio.Event())
            news.clear()
            ended = self.get(owner, identity).state in ENDED
            query = "SELECT number, event FROM events WHERE job = ? AND number > ? ORDER BY number"
            for number, event in self._rows(query, identity, after):
                after = int(str(number))
                yield after, str(event)
            if ended:
                return
            await news.wait()

    async def close(self) -> None:
        """Leave everything as it is; the next process goes on."""
        for task in self._tasks.values():
            task.cancel("closing")
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _start(self, identity: str, owner: str) -> None:
        task = asyncio.get_running_loop().create_task(self._run(identity, owner))
        self._tasks[identity] = task
        task.add_done_callback(lambda _: self._tasks.pop(identity, None))

    async def _run(self, identity: str, owner: str) -> None:
        places = self._places.setdefault(owner, asyncio.Semaphore(self._running))
        state: State | None = "failed"
        started = time.monotonic()
        try:
            async with places:
                started = time.monotonic()
                self._rows("DELETE FROM events WHERE job = ?", identity)
                self._rows(
                    "UPDATE jobs SET state = 'running', starts = starts + 1 WHERE id = ?", identity
                )
                ((request,),) = self._rows("SELECT request FROM jobs WHERE id = ?", identity)
                async for event in self._work(owner, str(request)):
                    self._say(identity, event)
                    if event.type == "done":
                        state = "done"
        except asyncio.CancelledError as error:
            if error.args == ("closing",):
                state = None
                raise
            state = "cancelled"
            text = "cancelled; what was finished by then is kept"
            self._say(identity, Failed(kind="invalid_input", message=text))
        except Exception:
            self._say(identity, Failed(kind="unavailable", message="a fault of the server"))
            raise
        finally:
            self._quotas.leave(owner, time.monotonic() - started)
            if state is not None:
                self._set(identity, state)

    def _say(self, identity: str, event: Event) -> None:
        text = ANY_EVENT.dump_json(event).decode()
        query = "SELECT COALESCE(MAX(number), 0) + 1 FROM events WHERE job = ?"
        ((number,),) = self._rows(query, identity)
        self._rows("INSERT INTO events VALUES (?, ?, ?)", identity, number, text)
        self._news.setdefault(identity, asyncio.Event()).set()

    def _set(self, identity: str, state: State) -> None:
        self._rows("UPDATE jobs SET state = ? WHERE id = ?", state, identity)
        if news := self._news.get(identity):
            news.set()

    def _rows(self, query: str, *arguments: object) -> list[tuple[object, ...]]:
        with self._lock:
            return self._database.execute(query, arguments).fetchall()
