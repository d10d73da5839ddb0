"""Parallel: what a plan gains by running calls side by side, and what that costs.

    python -m benchmarks.parallel

The same plan is run with two toolboxes. One waits for something else, as for a server or a GPU of
its own: there a plan should take no longer than its longest chain. The other computes on one
processor core, one call after the other: there a plan should take no longer than the calls alone.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pydantic import JsonValue

from agent.act import Board, act
from agent.plan import Call
from benchmarks import report
from benchmarks.bench import Bench
from tests.agent_drawn import HereToolbox, Shout, ShoutInput
from tools.base import Progress, Record
from tools.errors import ToolError

SIDE_BY_SIDE = 8  # calls that need nothing of each other
CHAIN = 3  # calls of the longest chain: two more, each on what the one before gave
BENCH = Bench(
    full="--times 5",
    quick="--times 1",
    seeds="none: the plan is written down",
    higher=("waiting.of_ideal", "computing.of_sequential"),
    clone=True,
)


class Waits(HereToolbox):
    """Tools that wait for something else."""

    def __init__(self, seconds: float) -> None:
        super().__init__(Shout)
        self.seconds = seconds

    async def call_many(
        self, name: str, inputs: Sequence[Record], progress: Progress | None = None
    ) -> list[Record | ToolError]:
        await asyncio.sleep(self.seconds)
        return self.tool(name).run(inputs)


class Computes(HereToolbox):
    """Tools that share one thread, as all of a device do."""

    def __init__(self, rounds: int) -> None:
        super().__init__(Shout)
        self.rounds = rounds
        self.worker = ThreadPoolExecutor(1)

    async def call_many(
        self, name: str, inputs: Sequence[Record], progress: Progress | None = None
    ) -> list[Record | ToolError]:
        def work() -> list[Record | ToolError]:
            sum(number * number for number in range(self.rounds))
            return self.tool(name).run(inputs)

        return await asyncio.get_running_loop().run_in_executor(self.worker, work)


def plan() -> list[Call]:
    """Calls side by side, and a chain behind the first of them."""
    calls = [_call(f"c{number}", "hello") for number in range(1, SIDE_BY_SIDE + 1)]
    before = ["c1", *(f"d{number}" for number in range(1, CHAIN - 1))]
    chain = [_call(f"d{number}", f"@{one}.text") for number, one in enumerate(before, 1)]
    return [*calls, *chain]


def _call(name: str, text: JsonValue) -> Call:
    return Call(id=name, tool="shout", input={"text": text})


async def planned(toolbox: HereToolbox) -> float:
    """Seconds that the plan takes."""
    board = Board()
    started = time.perf_counter()
    await act(plan(), toolbox=toolbox, board=board, emit=lambda event: None)
    assert all(record.status == "done" for record in board.records.values())
    return time.perf_counter() - started


async def sequential(toolbox: HereToolbox) -> float:
    """Seconds that as many calls take, made one after the other without a plan."""
    started = time.perf_counter()
    for _ in plan():
        await toolbox.call("shout", ShoutInput(text="hello"))
    return time.perf_counter() - started


async def measure(times: int, seconds: float, rounds: int) -> dict[str, Any]:
    """Both toolboxes, in turns, the best of some: other work on the machine only adds."""
    waits, computes = Waits(seconds), Computes(rounds)
    waited = min([await planned(waits) for _ in range(times)])
    turns = [(await planned(computes), await sequential(computes)) for _ in range(times)]
    computed, alone = (min(taken) for taken in zip(*turns, strict=True))
    computes.worker.shutdown()
    return {
        "calls": len(plan()),
        "waiting": {
            "longest_chain_s": CHAIN * seconds,
            "sequential_s": len(plan()) * seconds,
            "seconds": waited,
            "of_ideal": CHAIN * seconds / waited,
        },
        "computing": {
            "sequential_s": alone,
            "seconds": computed,
            "of_sequential": alone / computed,
        },
    }


def body(found: dict[str, Any]) -> str:
    """The figures as markdown."""
    waiting, computing = found["waiting"], found["computing"]
    rows = [
        (
            "wait for something else",
            f"{waiting['sequential_s']:.2f}",
            f"{waiting['longest_chain_s']:.2f}",
            f"{waiting['seconds']:.2f}",
            report.percent(waiting["of_ideal"]),
            "95%",
        ),
        (
            "compute on one core",
            f"{computing['sequential_s']:.2f}",
            f"{computing['sequential_s']:.2f}",
            f"{computing['seconds']:.2f}",
            report.percent(computing["of_sequential"]),
            "100%",
        ),
    ]
    head = ("tools that", "one by one, s", "ideal, s", "as a plan, s", "of the ideal", "goal")
    said = f"A plan of {found['calls']} calls, {CHAIN} of them in a chain."
    return f"{said}\n\n{report.table(head, rows)}"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="What calls side by side gain.")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5, help="that a waiting call takes")
    parser.add_argument("--rounds", type=int, default=1_000_000, help="of a computing call's loop")
    arguments = parser.parse_args()
    found = asyncio.run(measure(arguments.times, arguments.seconds, arguments.rounds))
    print(body(found))
    command = f"python -m benchmarks.parallel --times {arguments.times}"
    report.write("parallel", "Plans side by side", command, found, body(found))


if __name__ == "__main__":
    main()
