"""Suite: runs benchmarks, each in a process of its own, and says what got worse since last time."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from benchmarks import report
from benchmarks.bench import Bench, Figure, discover, watched
from tools.errors import InvalidInput, Unavailable

NOISE = 1.25  # what has no interval is worse from this factor on
LEAST = 0.02  # and from this difference on: 0.1% of boxes on nothing is not worse than none
Verdict = Literal["worse", "better", "same"]


class Change(NamedTuple):
    """One figure before and now."""

    before: Figure
    now: Figure
    verdict: Verdict


def chosen(names: Sequence[str]) -> dict[str, Bench]:
    """The benchmarks of these names; of none, all that can run as they stand.

    Raises:
        InvalidInput: no benchmark has the name.
        Unavailable: a named one reads files that only a clone has.
    """
    known = discover()
    for name in names:
        if name not in known:
            raise InvalidInput(f"no benchmark {name!r}; there are: {', '.join(known)}")
        if known[name].clone and not is_clone():
            raise Unavailable(
                f"benchmark {name!r} reads the tests, which an installed package does not have; "
                "run it in a clone of the repository, installed with `pip install -e .`"
            )
    if names:
        return {name: known[name] for name in names}
    return {
        name: bench
        for name, bench in known.items()
        if not bench.needs and (is_clone() or not bench.clone)
    }


def is_clone() -> bool:
    """Whether this is a clone of the repository, tests and reports and all."""
    return report.FOLDER.is_dir() and (report.ROOT / "tests").is_dir()


def command(name: str, bench: Bench, *, quick: bool, more: Sequence[str]) -> list[str]:
    """The command line of a benchmark after "python -m".

    Args:
        quick: whether its quick run is wanted.
        more: arguments in place of those of the full run.
    """
    given = list(more) or shlex.split(bench.quick if quick else bench.full)
    return [f"benchmarks.{name}", *given]


def run(name: str, bench: Bench, *, quick: bool, more: Sequence[str]) -> Path:
    """Run a benchmark to its end, its output going where ours goes.

    Returns:
        The JSON of the report that it wrote.

    Raises:
        Unavailable: it did not end well, or wrote no report.
    """
    words = command(name, bench, quick=quick, more=more)
    places = [folder / f"{name}.json" for folder in (report.FOLDER, report.OUT)]
    stamps = [_stamp(path) for path in places]
    ended = subprocess.run([sys.executable, "-m", *words])
    again = f"python -m {shlex.join(words)}"
    if ended.returncode != 0:
        raise Unavailable(f"benchmark {name} ended with code {ended.returncode}: {again}")
    for path, stamp in zip(places, stamps, strict=True):
        if _stamp(path) != stamp:
            return path
    raise Unavailable(f"benchmark {name} wrote no report: {again}")


def _stamp(path: Path) -> int:
    return path.stat().st_mtime_ns if path.is_file() else 0


def committed(name: str) -> dict[str, Any] | None:
    """The last committed report of a benchmark; None if there is none, or no clone."""
    path = f"HEAD:docs/benchmarks/{name}.json"
    try:
        shown = subprocess.run(
            ["git", "show", path], cwd=report.ROOT, capture_output=True, text=True, check=True
        )
        held: dict[str, Any] = json.loads(shown.stdout)
    except (OSError, subprocess.CalledProcessError, ValueError):
        return None
    return held


def compare(bench: Bench, before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    """Every figure that counts and is in both reports.

    Shares are the same while their intervals overlap; what has none, while it is within NOISE
    and LEAST. Times are compared on the same hardware only.
    """
    old = {figure.path: figure for figure in watched(bench, before)}
    same_machine = before.get("hardware") == now.get("hardware")
    return [
        Change(old[figure.path], figure, _verdict(old[figure.path], figure))
        for figure in watched(bench, now)
        if figure.path in old and (same_machine or figure.interval)
    ]


def _verdict(before: Figure, now: Figure) -> Verdict:
    if before.interval and now.interval:
        higher = now.interval[0] > before.interval[1]
        lower = now.interval[1] < before.interval[0]
    else:
        apart = abs(now.value - before.value) > LEAST
        higher = apart and now.value > before.value * NOISE
        lower = apart and now.value < before.value / NOISE
    if higher == lower:
        return "same"
    return "better" if higher == (now.sign > 0) else "worse"
