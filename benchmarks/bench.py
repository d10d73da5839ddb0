"""Bench: what a benchmark says of itself, and which of its figures count.

A benchmark is a module of this folder with a constant `BENCH`, a `main()` with its command line,
and a call of `benchmarks.report.write` under the module's own name. `sightloop bench` finds it by
that constant, which is read without importing the module, so it holds plain literals only.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from tools.errors import InvalidInput

HERE = Path(__file__).parent
Z = 1.96  # of a 95% interval


@dataclass(frozen=True)
class Bench:
    """One benchmark.

    Attributes:
        full: arguments of the run whose report is committed.
        quick: arguments of a run of a minute or two.
        seeds: how chance is fixed, in words.
        higher: figures of the report that are the better the higher they are: dotted paths, "*"
            for any one key.
        lower: figures that are the better the lower they are.
        over: for figures that are shares of independent cases, where their number stands: the
            name of a key beside the figure, or at the top of the report.
        needs: what must be given on the command line, so that it is left out of a run of all.
        clone: whether it reads files that only a clone of the repository has.
    """

    full: str = ""
    quick: str = ""
    seeds: str = ""
    higher: tuple[str, ...] = ()
    lower: tuple[str, ...] = ()
    over: Mapping[str, str] = field(default_factory=dict)
    needs: str = ""
    clone: bool = False


class Figure(NamedTuple):
    """A figure that counts.

    Attributes:
        path: dotted, in the JSON of the report.
        interval: 95%, for a share of known count; None otherwise.
        sign: 1 if higher is better, -1 if lower is.
    """

    path: str
    value: float
    interval: tuple[float, float] | None
    sign: int


@cache
def discover() -> Mapping[str, Bench]:
    """The benchmarks of this folder by name, read from their source.

    Raises:
        InvalidInput: a BENCH that is not made of literals.
    """
    found = {}
    for path in sorted(HERE.glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "BENCH":
                found[path.stem] = _read(path.stem, node.value)
    return found


def _read(module: str, value: ast.expr) -> Bench:
    try:
        assert isinstance(value, ast.Call)
        return Bench(**{str(one.arg): ast.literal_eval(one.value) for one in value.keywords})
    except (AssertionError, ValueError, TypeError) as error:
        raise InvalidInput(
            f"BENCH of benchmarks/{module}.py must be Bench(…) with keywords and literals: {error}"
        ) from error


def wilson(share: float, count: int) -> tuple[float, float]:
    """The 95% interval of a share, both 0..1 (Wilson 1927, doi:10.2307/2276774)."""
    middle = (share + Z**2 / (2 * count)) / (1 + Z**2 / count)
    spread = Z * (share * (1 - share) / count + (Z / (2 * count)) ** 2) ** 0.5 / (1 + Z**2 / count)
    return max(0.0, middle - spread), min(1.0, middle + spread)


def watched(bench: Bench, report: Mapping[str, Any]) -> list[Figure]:
    """The figures of a report that its benchmark names, in the order of the report."""
    found = []
    for parts, value, beside in _leaves(report, (), report):
        if _among(parts, bench.higher) or _among(parts, bench.lower):
            key = next((key for glob, key in bench.over.items() if _matches(parts, glob)), "")
            count = beside.get(key, report.get(key))
            interval = wilson(value, count) if count else None
            sign = 1 if _among(parts, bench.higher) else -1
            found.append(Figure(".".join(parts), value, interval, sign))
    return found


def _leaves(
    held: Any, parts: tuple[str, ...], beside: Mapping[str, Any]
) -> Iterator[tuple[tuple[str, ...], float, Mapping[str, Any]]]:
    """Path and value of each number, and the mapping that it stands in."""
    if isinstance(held, Mapping):
        for key, value in held.items():
            yield from _leaves(value, (*parts, str(key)), held)
    elif isinstance(held, list):
        for number, value in enumerate(held):
            yield from _leaves(value, (*parts, str(number)), beside)
    elif isinstance(held, int | float) and not isinstance(held, bool):
        yield parts, float(held), beside


def _among(parts: tuple[str, ...], globs: Iterable[str]) -> bool:
    return any(_matches(parts, glob) for glob in globs)


def _matches(parts: tuple[str, ...], glob: str) -> bool:
    wanted = glob.split(".")
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))
