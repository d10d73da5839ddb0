"""Console: where words for a person go, and where JSON for a program goes."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

JSON = Mapping[str, Any] | Sequence[Any]


class _Steps(ProgressColumn):
    """`3/20`, or nothing while the number of steps is not known."""

    def render(self, task: Task) -> Text:
        known = task.total is not None
        return Text(f"{task.completed:.0f}/{task.total:.0f}" if known else "", "dim")


class Interrupted(Exception):  # noqa: N818 - the person's wish, not an error
    """Ctrl-C, after what was finished has been kept; says where."""


def screen(*, json_wanted: bool = False) -> Console:
    """Where to talk to a person: stdout, or stderr when stdout is kept for JSON."""
    return Console(stderr=json_wanted, highlight=False)


def print_json(data: JSON) -> None:
    """Write one JSON document, and nothing else, to stdout."""
    sys.stdout.write(json.dumps(data, ensure_ascii=False, indent=2) + "\n")
    sys.stdout.flush()


def complain(text: str, *, word: str = "error") -> None:
    """Write one line to stderr: what is wrong and what to do."""
    line = Text.assemble((f"{word}: ", "bold red"), " ".join(text.split()))
    Console(stderr=True, highlight=False).print(line, soft_wrap=True)


def note(console: Console, text: str) -> None:
    """Say in one line what was done unasked, such as a converted picture."""
    console.print(Text(f"note: {text}", "yellow"), soft_wrap=True)


def progress(console: Console) -> Progress:
    """A bar for long work; it leaves the screen when the work is done."""
    return Progress(
        TextColumn("  {task.description}"),
        BarColumn(bar_width=30),
        _Steps(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        refresh_per_second=4,  # each redraw takes time from the models
        disable=not console.is_terminal,
    )
