"""Bench: `sightloop bench`, every figure of the docs made again, and what got worse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from tools.errors import InvalidInput
from ui.console import screen

WORSE = 2  # the exit code when a figure got worse
SIGNS = {"worse": "[red]worse[/]", "better": "[green]better[/]", "same": "[dim]same[/]"}

# What follows a benchmark's name and is not ours is the benchmark's own.
CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True}


def bench(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]... [ARGUMENTS]",
            help="Benchmarks; of one, its own arguments may follow, such as `geneval --file F`.",
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A minute or two each; the reports stay out of docs/.")
    ] = False,
    listed: Annotated[bool, typer.Option("--list", help="Only list the benchmarks.")] = False,
) -> None:
    """Measure again what the docs claim, and compare; exit code 2 if a figure got worse.

    Without a NAME every benchmark runs that needs no file of yours: hours, or minutes with --quick.
    Reports go to docs/benchmarks of a clone, quick ones to sightloop-out/benchmarks.
    """
    from benchmarks import suite

    if listed:
        _list()
        return
    names, more = _apart(words or [])
    chosen = suite.chosen(names)
    if more and len(chosen) != 1:
        raise InvalidInput(f"{' '.join(more)}: arguments of a benchmark need just one NAME")
    console = screen()
    worse = 0
    for name, one in chosen.items():
        before = suite.committed(name)
        console.rule(f"{name}")
        path = suite.run(name, one, quick=quick, more=more)
        console.print(f"\n{path.with_suffix('.md')}", soft_wrap=True)
        if before is not None:
            worse += _compared(name, before, path)
    if worse:
        raise typer.Exit(WORSE)


def _apart(words: list[str]) -> tuple[list[str], list[str]]:
    """Names, and from the first option on the arguments of a benchmark."""
    at = next((place for place, word in enumerate(words) if word.startswith("-")), len(words))
    return words[:at], words[at:]


def _list() -> None:
    from benchmarks.bench import discover

    table = Table("name", "full run", "quick run", "needs", box=None)
    for name, one in discover().items():
        table.add_row(name, one.full or "–", one.quick or "–", one.needs)
    screen().print(table)


def _compared(name: str, before: dict[str, object], path: Path) -> int:
    """Print what changed since a report; how many figures got worse."""
    from benchmarks import suite
    from benchmarks.bench import discover
    from benchmarks.overview import value

    now = json.loads(path.read_text(encoding="utf-8"))
    changes = suite.compare(discover()[name], before, now)
    table = Table("figure", "before", "now", "", box=None)
    for change in changes:
        table.add_row(
            change.now.path, value(change.before), value(change.now), SIGNS[change.verdict]
        )
    console = screen()
    console.print(f"compared with the committed report of {before.get('date')}:")
    console.print(table)
    return sum(change.verdict == "worse" for change in changes)
