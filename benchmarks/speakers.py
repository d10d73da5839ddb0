"""Speakers: captions and answers by BLIP, by LLaVA and in MiniGPT-4's form, side by side.

    python -m benchmarks.speakers --count 40

The scenes and questions are those of `benchmarks.eyes`: of the test split, scenes with a pair that
training never saw counted apart.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from typing import Any

from benchmarks import eyes, report
from benchmarks.bench import Bench
from tools.profile import load_profile
from tools.toolbox import LocalToolbox

TOOLS = ("vqa", "caption")
NAMES = {"BLIP": "miniature", "LLaVA": "llava", "MiniGPT-4": "minigpt4"}  # profiles
BENCH = Bench(
    full="--count 40",
    quick="--count 4",
    seeds="scenes of the test split in order; questions from seed 2",
    higher=("speakers.*.*.vqa.accuracy", "speakers.*.*.caption.scene_graph"),
    over={
        "speakers.*.*.vqa.accuracy": "questions",
        "speakers.*.*.caption.scene_graph": "scenes",
    },
)


def measure(profile: str, count: int) -> dict[str, Any]:
    """The figures of `benchmarks.eyes` for what a profile says, and the seconds that it took."""
    toolbox = LocalToolbox(load_profile(profile))
    for tool in TOOLS:
        toolbox.load(tool)
    begun = time.perf_counter()
    found = asyncio.run(eyes.measure(toolbox, count, TOOLS))
    found["seconds"] = time.perf_counter() - begun
    toolbox.close()
    return found


def body(found: dict[str, Any]) -> str:
    """The figures as markdown: a row a figure, seen and held-out pairs of each speaker."""
    columns = [{name: both for name, *both in eyes.rows(one)} for one in found.values()]
    figures = [(name, *(" / ".join(column[name]) for column in columns)) for name in columns[0]]
    times = ("seconds in all", *(f"{one['seconds']:.0f}" for one in found.values()))
    words = "Seen pairs / held-out pairs."
    return f"{words}\n\n{report.table(('figure', *found), [*figures, times])}"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="What speaks of pictures, compared.")
    parser.add_argument("--count", type=int, default=40, help="scenes of each sort")
    count = parser.parse_args().count
    found = {}
    for name, profile in NAMES.items():
        found[name] = measure(profile, count)
        print({name: found[name]}, flush=True)
    command = f"python -m benchmarks.speakers --count {count}"
    text = body(found)
    print(text)
    report.write("speakers", "Speakers: BLIP, LLaVA, MiniGPT-4", command, {"speakers": found}, text)


if __name__ == "__main__":
    main()
