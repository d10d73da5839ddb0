"""Show: records drawn on a terminal: plans, outputs of tools, checks, the end of a run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tools.values import Mask
from ui.pictures import is_mask

if TYPE_CHECKING:
    from agent.plan import Call
    from agent.state import Check
    from tools.base import Record

LONG = 60  # characters of a value in a line with others
WHOLE = 2000  # characters of a value that has lines to itself
ID = 64  # characters of a picture's id
MEASURES = ("seeds", "outside_change", "inside_change", "moved")  # left out of a short line
VERDICTS = {"pass": "[green]pass[/]", "fail": "[red]fail[/]", "unsure": "[yellow]unsure[/]"}


def show_plan(console: Console, calls: Sequence[Call], reply: str | None) -> None:
    """One line for each call; the reply when nothing is to be run."""
    if calls:
        console.print("[bold]Plan[/]")
    for call in calls:
        console.print(
            f"  [cyan]{call.id}[/]  {call.tool}  {escape(arguments(call.input))}", soft_wrap=True
        )
        if call.why:
            console.print(f"      [dim]{escape(call.why)}[/]", soft_wrap=True)
    if reply and not calls:
        console.print(escape(reply), soft_wrap=True)


def show_checks(console: Console, checks: Sequence[Check], handles: Mapping[str, str]) -> None:
    """A table: claim, verdict, what each witness said; and how many hold.

    Args:
        handles: id of each picture to its name, which is shown where there are several.
    """
    several = len(handles) > 1
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    if several:
        table.add_column("picture")
    table.add_column("check", overflow="fold")
    table.add_column("verdict")
    table.add_column("evidence", overflow="fold")
    for check in checks:
        said = "\n".join(f"[dim]{each.name}:[/] {escape(each.detail)}" for each in check.witnesses)
        of = [handles.get(str(check.evidence.get("image")), "")] if several else []
        table.add_row(*of, escape(check.claim.text), VERDICTS[check.verdict], said)
    console.print(table)
    verdicts = Counter(check.verdict for check in checks)
    rest = "".join(f", {verdicts[word]} {word}" for word in ("fail", "unsure") if verdicts[word])
    console.print(f"{verdicts['pass']} of {len(checks)} checks pass{rest}")


def show_output(console: Console, output: Record, paths: Sequence[str] = ()) -> None:
    """What a tool gave: its fields one a line, its pictures by their files."""
    for line in output_lines(output.model_dump(mode="json"), paths):
        console.print(line, soft_wrap=True)


def output_lines(output: Mapping[str, Any], paths: Sequence[str] = ()) -> list[str]:
    """The fields of a tool's output, one line each, markup included."""
    lines = [f"[bold green]{escape(path)}[/]" for path in paths]
    for name, value in output.items():
        if name == "images":
            continue
        if isinstance(value, list) and value and isinstance(value[0], dict):
            lines += [f"  {escape(record(item))}" for item in value]
        elif isinstance(value, list) and not value:
            lines.append(f"{name}: none")
        else:
            lines.append(f"{name}: {escape(plain(value, WHOLE))}")
    return lines


def summary(output: Mapping[str, Any] | None) -> str:
    """The output of a tool in one short line, as shown when its call ends."""
    shown = []
    for name, value in (output or {}).items():
        if name in MEASURES or (name == "guess" and value == (output or {}).get("answer")):
            continue
        if isinstance(value, list):
            records = [item for item in value if isinstance(item, dict)]
            numbers = [item for item in value if isinstance(item, float)]
            if records:
                shown.append(", ".join(record(item) for item in records[:3]))
            elif numbers:
                listed = ", ".join(plain(number) for number in numbers[:3])
                shown.append(f"{name if len(numbers) != 1 else name.removesuffix('s')} {listed}")
            else:
                shown.append(f"{len(value)} {name if len(value) != 1 else name.removesuffix('s')}")
        elif name == "image":
            shown.append("1 image")
        elif is_mask(value):
            shown.append(plain(value))
        else:
            shown.append(f"{name.replace('_', ' ')} {plain(value)}")
    return ", ".join(shown)


def record(item: Mapping[str, Any]) -> str:
    """A small record in one line: `dog 0.93 at 8, 80, 48, 120`."""
    if is_mask(item):
        return plain(item)
    words = []
    for value in item.values():
        if _is_id(value):
            continue
        if isinstance(value, list):
            words.append("at " + ", ".join(f"{number:.0f}" for number in value))
        else:
            words.append(plain(value))
    return " ".join(words)


def plain(value: Any, longest: int = LONG) -> str:
    """A value as a person reads it: numbers rounded, ids and what is longer than that cut."""
    if isinstance(value, float):
        return f"{value:.2f}"
    if is_mask(value):
        return f"mask, {Mask.from_rle(value).pixels.mean():.0%} of the picture"
    if isinstance(value, str):
        text = f"{value[:8]}…" if _is_id(value) else value
    else:
        text = json.dumps(value, ensure_ascii=False)
    if len(text) <= longest:
        return text
    # of a path the end tells most
    return f"…{text[1 - longest :]}" if text.startswith("/") else f"{text[: longest - 1]}…"


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and len(value) == ID and value.isalnum()


def arguments(values: Mapping[str, Any]) -> str:
    """Arguments of a call: `prompt="a red apple", n=4`."""
    return ", ".join(f"{name}={_written(value)}" for name, value in values.items())


def show_end(console: Console, said: Iterable[str], files: Sequence[str]) -> None:
    """What the agent says beyond the checks, and where the pictures lie."""
    if text := " ".join(said):
        console.print(escape(text), soft_wrap=True)
    for file in files:
        console.print(f"[bold green]{escape(file)}[/]", soft_wrap=True)


def _written(value: Any) -> str:
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return f"({'; '.join(record(item) for item in value)})"
    text = plain(value)
    return f'"{text}"' if isinstance(value, str) and not text.startswith(("@", "img")) else text
