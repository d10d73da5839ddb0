"""Speed: a warm picture, a cold start, and what the agent itself costs.

    python -m benchmarks.speed

A cold start is a new process, its files already in the machine's memory if it ran before.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from typing import Any

from agent import loop
from agent.events import Done, Failed
from agent.language import planner
from agent.store import Store
from benchmarks import report
from benchmarks.bench import Bench
from tools.errors import Unavailable
from tools.generate import GenerateInput
from tools.profile import load_profile
from tools.toolbox import LocalToolbox

REQUEST = "draw a red apple to the left of a dog"
ROOT = Path(__file__).resolve().parents[1]
START = "import sys; from ui.cli import main; sys.argv[0] = 'sightloop'; main()"
BENCH = Bench(
    full="--times 5",
    quick="--times 1",
    seeds="drawing seeds 1, 2, …",
    lower=("cold_start_to_first_call_s", "warm_picture_s", "agent_overhead", "cold_run_gib"),
)


def cold_run() -> tuple[float, float]:
    """Start `sightloop run` in a new process.

    Returns:
        Seconds until its plan is out and the first tool is called, and until it ends.

    Raises:
        Unavailable: it did not end well.
    """
    said: list[str] = []
    first: float | None = None
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as out:
        words = [sys.executable, "-c", START, "run", REQUEST, "--seed", "0", "--out", out]
        with subprocess.Popen(
            words, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                said.append(line)
                if first is None and "generate" in line:
                    first = time.perf_counter() - started
    if process.returncode != 0 or first is None:
        raise Unavailable(f"sightloop run ended with {process.returncode}: {''.join(said[-3:])}")
    return first, time.perf_counter() - started


async def warm_picture(toolbox: LocalToolbox, times: int) -> float:
    """Seconds of one picture, networks loaded."""
    await toolbox.call("generate", GenerateInput(prompt="a dog", seed=1))
    started = time.perf_counter()
    for seed in range(times):
        await toolbox.call("generate", GenerateInput(prompt="a red car", seed=2 + seed))
    return (time.perf_counter() - started) / times


async def overhead(toolbox: LocalToolbox, times: int) -> dict[str, float]:
    """Share of wall time that neither a tool nor the planner was at work, over warm runs."""
    embedded = planner("embedded")
    wall = working = 0.0
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        for seed in range(times + 1):
            events = loop.run(
                REQUEST,
                (),
                toolbox=toolbox,
                planner=embedded,
                store=store,
                seed=seed,
                budget_s=10.0,
            )
            started = time.perf_counter()
            async for event in events:
                if isinstance(event, Failed):
                    raise Unavailable(event.message)
                if isinstance(event, Done) and seed > 0:  # the first run loads the networks
                    wall += time.perf_counter() - started
                    working += event.result.budget.tools + event.result.budget.planner
    return {"seconds": wall / times, "overhead": (wall - working) / wall}


async def measure(times: int) -> dict[str, Any]:
    """All figures."""
    toolbox = LocalToolbox(load_profile("miniature"))
    start, whole = cold_run()
    peak = getrusage(RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    picture = await warm_picture(toolbox, times)
    spent = await overhead(toolbox, times)
    return {
        "cold_start_to_first_call_s": start,
        "cold_run_s": whole,
        "cold_run_gib": peak / 2**30,
        "warm_picture_s": picture,
        "run_s": spent["seconds"],
        "agent_overhead": spent["overhead"],
    }


def body(found: dict[str, Any]) -> str:
    """The figures as markdown."""
    rows = [
        ("cold start to first tool call", f"{found['cold_start_to_first_call_s']:.1f} s", "15 s"),
        ("cold run to its end", f"{found['cold_run_s']:.1f} s", ""),
        ("most memory of that run", f"{found['cold_run_gib']:.2f} GiB", ""),
        ("warm picture of `generate`", f"{found['warm_picture_s']:.2f} s", "6 s"),
        ("agent overhead", report.percent(found["agent_overhead"]), "2%"),
        ("a whole warm run with its checks", f"{found['run_s']:.1f} s", ""),
    ]
    return report.table(("figure", "measured", "goal: at most"), rows)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="How fast it is on this machine.")
    parser.add_argument("--times", type=int, default=5)
    arguments = parser.parse_args()
    found = asyncio.run(measure(arguments.times))
    print(body(found))
    command = f"python -m benchmarks.speed --times {arguments.times}"
    report.write("speed", "Speed", command, found, body(found), profile="miniature")


if __name__ == "__main__":
    main()
