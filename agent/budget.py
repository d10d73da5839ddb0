"""Budget: the seconds, tool calls and tokens that a run may use, and where they went.

Loading weights is start-up, not work: while it lasts the clock stands still, and no limit of
time ends a run.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Literal

from agent.state import Spent
from agent.timing import Timing
from tools.base import Progress, Record, Tool
from tools.errors import InvalidInput, ToolError, Unavailable
from tools.toolbox import Toolbox

Worker = Literal["tools", "planner"]
Clock = Callable[[], float]
AGAIN = 0.05  # s, at least, between two looks at a clock that stands still


class Budget:
    """Counts wall time from the moment it is made.

    Time in which tools and planner work at once is counted once, for the tools.
    """

    def __init__(
        self,
        seconds: float | None,
        clock: Clock = time.perf_counter,
        *,
        loading: Mapping[Worker, Clock] | None = None,
        most_calls: int | None = None,
        most_tokens: int | None = None,
    ) -> None:
        """Start now.

        Args:
            seconds: allowed; None is no limit.
            loading: seconds that each worker has been loading weights so far.
            most_calls: requests to tools, each picture that is looked at counting as one.
            most_tokens: of the language model, read and written.

        Raises:
            InvalidInput: no time at all is allowed.
        """
        if seconds is not None and not seconds > 0:
            raise InvalidInput(f"a budget is more than 0 seconds, not {seconds:g}")
        self.seconds = seconds
        self.pictures = 0
        self.repairs = 0
        self.calls = 0
        self.tokens = 0
        self.most_calls = most_calls
        self.most_tokens = most_tokens
        self._waited = 0.0
        self._loading = dict(loading or {})
        self._loading_before = {worker: taken() for worker, taken in self._loading.items()}
        self._clock = clock
        self._started = clock()
        self._active: dict[Worker, int] = {"tools": 0, "planner": 0}
        self._since = self._started
        self._busy: dict[Worker, float] = {"tools": 0.0, "planner": 0.0}
        self.timings: dict[str, Timing] = {}
        self.fresh: list[tuple[str, int, float]] = []

    def used(self) -> float:
        """Seconds since the start, without those in which weights were loaded."""
        return self._clock() - self._started - self.loaded() - self._waited

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Time inside is a person's, not the run's."""
        before = self._clock()
        try:
            yield
        finally:
            self._waited += self._clock() - before

    def loaded(self, *workers: Worker) -> float:
        """Seconds since the start in which weights were loaded, by these workers or by all."""
        return sum(
            self._loading[worker]() - self._loading_before[worker]
            for worker in workers or self._loading
            if worker in self._loading
        )

    @asynccontextmanager
    async def within(self) -> AsyncIterator[None]:
        """Time inside is over when the budget is; loading weights does not count.

        Raises:
            TimeoutError: it was not done by then.
        """
        if self.seconds is None:
            yield
            return
        clock = asyncio.get_running_loop()
        timer: asyncio.Handle
        async with asyncio.timeout(None) as limit:

            def look() -> None:
                nonlocal timer
                if (left := self.left()) > 0:
                    timer = clock.call_later(max(left, AGAIN), look)
                else:
                    limit.reschedule(clock.time())

            timer = clock.call_soon(look)
            try:
                yield
            finally:
                timer.cancel()

    def take_calls(self, number: int) -> None:
        """Count requests to tools before they are made, so that calls side by side cannot
        overspend together.

        Raises:
            Unavailable: fewer are left.
        """
        if self.most_calls is not None and self.calls + number > self.most_calls:
            raise Unavailable(f"the budget of {self.most_calls} tool calls is used up")
        self.calls += number

    def may_plan(self) -> bool:
        """Whether any tokens are left for the language model."""
        return self.most_tokens is None or self.tokens < self.most_tokens

    def left(self) -> float:
        """Seconds that remain, 0 or more; infinite without a limit."""
        return float("inf") if self.seconds is None else max(0.0, self.seconds - self.used())

    def measured(self, work: str, seconds: float, pictures: int) -> None:
        """Remember how long a batch took in one kind of work, loading weights not counted."""
        self.timings[work] = self.timings.get(work, Timing()).plus(pictures, max(0.0, seconds))
        self.fresh.append((work, pictures, max(0.0, seconds)))

    def cost(self, pictures: int) -> float:
        """Seconds that drawing and checking a batch takes, by what was measured; 0 if nothing."""
        return sum(timing.of(pictures) for timing in self.timings.values())

    def room(self, wanted: int) -> int:
        """How many pictures, up to `wanted`, fit into what is left by the measured timings."""
        if self.left() <= 0 or (self.most_calls is not None and self.calls >= self.most_calls):
            return 0
        fitting = (n for n in range(wanted, 0, -1) if self.cost(n) <= self.left())
        return next(fitting, 0)

    def singles(self, wanted: int) -> int:
        """How many pictures, up to `wanted`, fit if they are drawn one after the other."""
        each = self.cost(1)
        return wanted if each <= 0 or self.seconds is None else min(wanted, int(self.left() / each))

    @contextmanager
    def at_work(self, worker: Worker) -> Iterator[None]:
        """Count the time inside for a worker."""
        self._settle()
        self._active[worker] += 1
        try:
            yield
        finally:
            self._settle()
            self._active[worker] -= 1

    def spent(self) -> Spent:
        """The account."""
        self._settle()
        used = self.used()
        working = self._busy["tools"] + self._busy["planner"] - self.loaded()
        return Spent(
            seconds=self.seconds,
            used=round(used, 4),
            tools=round(max(0.0, self._busy["tools"] - self.loaded("tools")), 4),
            planner=round(max(0.0, self._busy["planner"] - self.loaded("planner")), 4),
            overhead=round(max(0.0, 1 - working / used) if used > 0 else 0.0, 4),
            pictures=self.pictures,
            repairs=self.repairs,
            loading=round(self.loaded(), 4),
            calls=self.calls,
            most_calls=self.most_calls,
            tokens=self.tokens,
            most_tokens=self.most_tokens,
        )

    def _settle(self) -> None:
        now = self._clock()
        for worker in ("tools", "planner"):
            if self._active[worker]:
                self._busy[worker] += now - self._since
                break
        self._since = now


class MeteredToolbox:
    """A toolbox whose calls are counted into a budget."""

    def __init__(self, toolbox: Toolbox, budget: Budget) -> None:
        self._toolbox = toolbox
        self._budget = budget
        self._names: list[str] | None = None

    def names(self) -> list[str]:
        if self._names is None:  # which tools are alive is looked up on disk; once a run
            self._names = self._toolbox.names()
        return self._names

    def tool(self, name: str) -> Tool[Any, Any]:
        return self._toolbox.tool(name)

    def checkpoint_digest(self, name: str) -> str:
        return self._toolbox.checkpoint_digest(name)

    async def call(self, name: str, input: Record, progress: Progress | None = None) -> Record:  # noqa: A002
        self._budget.take_calls(1)
        with self._budget.at_work("tools"):
            return await self._toolbox.call(name, input, progress)

    async def call_many(
        self, name: str, inputs: Sequence[Record], progress: Progress | None = None
    ) -> list[Record | ToolError]:
        try:
            self._budget.take_calls(len(inputs))
        except Unavailable as error:
            return [error for _ in inputs]
        with self._budget.at_work("tools"):
            return await self._toolbox.call_many(name, inputs, progress)
