"""Concepts: `sightloop concepts`, the things that were learnt from pictures; `customize` learns."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from tools import concepts
from ui.console import print_json, screen
from ui.specialists import JsonOption

app = typer.Typer(
    no_args_is_help=True,
    help='Things learnt from pictures: `sightloop tool customize -i a.png -i b.png name="zorp"`.',
)


@app.command("list")
def show(as_json: JsonOption = False) -> None:
    """List what was learnt and what it was learnt on."""
    kept = concepts.kept()
    if as_json:
        print_json([concept.model_dump(mode="json") for concept in kept])
        return
    console = screen(json_wanted=False)
    if not kept:
        console.print("nothing was learnt yet; see `sightloop tool customize`")
        return
    table = Table("name", "kind", "pictures", "steps", "size", "learnt on", box=None)
    for one in kept:
        size = f"{one.bytes / 1e6:.1f} MB"
        row = (one.name, one.kind, str(one.pictures), str(one.steps), size, one.checkpoint)
        table.add_row(*row)
    console.print(table)


@app.command()
def remove(name: Annotated[str, typer.Argument(help="Its word.")]) -> None:
    """Remove one; its word means nothing from then on."""
    concepts.forget(name)
    print(f"{name} is removed")
