"""Budget: the seconds a run may take, and where they went."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from agent.state import Spent
from tools.base import Progress, Record, Tool
from tools.errors import InvalidInput, ToolError
from tools.toolbox import Toolbox

Worker = Literal["tools", "planner"]
UNMEASURED = 0.0  # s; a rate nobody has measured yet forbids nothing


class Budget:
    """Counts wall time from the moment it is made.

    Time in which tools and planner work at once is counted once, for the tools.
    """

    def __init__(
        self, seconds: float | None, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        """Start now.

        Args:
            seconds: allowed; None is no limit.

        Raises:
            InvalidInput: no time at all is allowed.
        """
        if seconds is not None and not seconds > 0:
            raise InvalidInput(f"a budget is more than 0 seconds, not {seconds:g}")
        self.seconds = seconds
        self.pictures = 0
        self.repairs = 0
        self._clock = clock
        self._started = clock()
        self._active: dict[Worker, int] = {"tools": 0, "planner": 0}
        self._since = self._started
        self._busy: dict[Worker, float] = {"tools": 0.0, "planner": 0.0}
        self._rates: dict[str, float] = {}

    def used(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._started

    def left(self) -> float:
        """Seconds that remain, 0 or more; infinite without a limit."""
        return float("inf") if self.seconds is None else max(0.0, self.seconds - self.used())

    def measured(self, work: str, seconds: float, pictures: int) -> None:
        """Remember how long a picture takes in one kind of work; the fastest batch counts,
        since the first one also loads the weights.
        """
        rate = seconds / max(1, pictures)
        self._rates[work] = min(rate, self._rates.get(work, rate))

    def a_picture(self) -> float:
        """Seconds that drawing and checking one picture take, by the measured rates."""
        return sum(self._rates.values(), UNMEASURED)

    def room(self, wanted: int) -> int:
        """How many pictures, up to `wanted`, fit into what is left by the measured rates."""
        each = self.a_picture()
        if self.left() <= 0:
            return 0
        if each <= 0 or self.left() == float("inf"):
            return wanted
        return min(wanted, int(self.left() / each))

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
        working = self._busy["tools"] + self._busy["planner"]
        return Spent(
            seconds=self.seconds,
            used=round(used, 4),
            tools=round(self._busy["tools"], 4),
            planner=round(self._busy["planner"], 4),
            overhead=round(max(0.0, 1 - working / used) if used > 0 else 0.0, 4),
            pictures=self.pictures,
            repairs=self.repairs,
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
        with self._budget.at_work("tools"):
            return await self._toolbox.call(name, input, progress)

    async def call_many(
        self, name: str, inputs: Sequence[Record], progress: Progress | None = None
    ) -> list[Record | ToolError]:
        with self._budget.at_work("tools"):
            return await self._toolbox.call_many(name, inputs, progress)
