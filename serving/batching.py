"""Batching: calls of one tool that come while it is busy run together.

Nobody waits for company: a call that finds the tool idle starts at once. Only right after a
batch of several, when the same callers are about to come back, is the next one held open for
a few milliseconds, so that it is not begun by the first of them alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from tools.base import Progress, Record
from tools.errors import ToolError
from tools.values import Image

Run = Callable[[Sequence[Record], Progress], Awaitable[list[Record | ToolError]]]
LINGER = 0.008  # s


@dataclass(eq=False)
class _Waiting:
    request: Record
    answer: asyncio.Future[Record | ToolError]
    progress: Progress | None


class Batcher:
    """One tool's line.

    Attributes:
        since: monotonic s at which the running batch began; None while nothing runs.
    """

    def __init__(self, run: Run, *, most: int) -> None:
        """Args:
        run: answers a batch; the i-th result is for the i-th request.
        most: requests in a batch.
        """
        self.since: float | None = None
        self._run = run
        self._most = most
        self._line: list[_Waiting] = []
        self._serving: asyncio.Task[None] | None = None
        self._running: asyncio.Task[list[Record | ToolError]] | None = None
        self._batch: list[_Waiting] = []
        self._company_until = 0.0

    async def ask(self, request: Record, progress: Progress | None) -> Record | ToolError:
        """One request's result, or its error. Cancelling takes it out of the line; a batch that
        nobody waits for any more is stopped.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(request, loop.create_future(), progress)
        self._line.append(waiting)
        if self._serving is None:
            self._serving = loop.create_task(self._serve())
        try:
            return await waiting.answer
        finally:
            if waiting in self._line:
                self._line.remove(waiting)
            if self._running is not None and all(each.answer.done() for each in self._batch):
                self._running.cancel()

    async def _serve(self) -> None:
        try:
            while self._line:
                if len(self._line) < self._most and time.monotonic() < self._company_until:
                    await asyncio.sleep(LINGER)
                self._batch, self._line = self._line[: self._most], self._line[self._most :]
                if self._batch:
                    await self._answer(self._batch)
        finally:
            self._serving = None

    async def _answer(self, batch: list[_Waiting]) -> None:
        def report(step: int, total: int, preview: Image | None) -> None:
            for each in batch:
                if each.progress is not None and not each.answer.done():
                    each.progress(step, total, preview)

        self.since = time.monotonic()
        self._running = asyncio.create_task(self._work([each.request for each in batch], report))
        done, _ = await asyncio.wait([self._running])
        self._running, self.since = None, None
        if len(batch) > 1:
            self._company_until = time.monotonic() + LINGER
        (task,) = done
        failure = None if task.cancelled() else task.exception()
        for index, each in enumerate(batch):
            if each.answer.done():
                continue
            if failure is not None:
                each.answer.set_exception(failure)
            elif task.cancelled():
                each.answer.cancel()
            else:
                each.answer.set_result(task.result()[index])

    async def _work(self, requests: list[Record], report: Progress) -> list[Record | ToolError]:
        return await self._run(requests, report)
