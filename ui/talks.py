"""Talks: `sightloop talks`, the conversations that are remembered."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tools.errors import InvalidInput
from ui.console import screen
from ui.home import open_store

if TYPE_CHECKING:
    from agent.store import Store

app = typer.Typer(
    no_args_is_help=True, help="Conversations: list, undo, branch, compare, export, import."
)
Talk = Annotated[str, typer.Argument(metavar="TALK", help="Its id, or the beginning of it.")]
Handle = Annotated[str, typer.Argument(help="A picture of it, such as img1.")]
File = Annotated[Path, typer.Argument(metavar="FILE", help="A zip file.")]


@app.command("list")
def show() -> None:
    """List conversations, the newest first, with their first request."""
    store, console = open_store(), screen(json_wanted=False)
    talks = store.conversations()
    for talk in talks:
        turns = store.turns(talk)
        asked = turns[0].request if turns else "nothing yet"
        number = f"{len(turns)} turn{'s' if len(turns) != 1 else ''}"
        console.print(f"{short(talk)}  {number}  {asked}", markup=False, soft_wrap=True)
    if not talks:
        console.print("no conversation yet; `sightloop run` begins one")


@app.command()
def undo(talk: Talk) -> None:
    """Hide the pictures that the last turn gave; `redo` shows them again."""
    store = open_store()
    print(", ".join(store.undo(find_talk(store, talk))))


@app.command()
def redo(talk: Talk) -> None:
    """Show again what was undone last."""
    store = open_store()
    print(", ".join(store.redo(find_talk(store, talk))))


@app.command()
def branch(
    talk: Talk, turn: Annotated[int | None, typer.Option(help="Last turn to take.")] = None
) -> None:
    """Begin another conversation with the same turns and pictures; prints its id."""
    store = open_store()
    print(store.branch(find_talk(store, talk), turn))


@app.command()
def compare(talk: Talk, first: Handle, second: Handle) -> None:
    """Say how two pictures of a conversation differ, such as img1 and img2."""
    from agent.comparing import compare as compared

    store = open_store()
    handles = store.handles(find_talk(store, talk))
    for handle in (first, second):
        if handle not in handles:
            raise InvalidInput(f"no picture {handle!r}; there are: {', '.join(handles) or 'none'}")
    print(compared(store, handles[first], handles[second]).model_dump_json(indent=2))


@app.command()
def export(talk: Talk, file: File) -> None:
    """Write a conversation with all its pictures to one zip file."""
    from agent.archive import export as exported

    store = open_store()
    file.write_bytes(exported(store, find_talk(store, talk)))
    print(file)


@app.command("import")
def bring_in(file: File) -> None:
    """Read an exported conversation; prints its new id."""
    from agent.archive import bring_in as brought

    print(brought(open_store(), file))


def short(talk: str) -> str:
    """The beginning of an id, enough to name its conversation."""
    return talk[:12]


def find_talk(store: Store, talk: str) -> str:
    """The id of the one conversation whose id begins so.

    Raises:
        InvalidInput: there is none, or there are several.
    """
    found = [one for one in store.conversations() if one.startswith(talk)]
    if len(found) != 1:
        begin = f"{len(found)} conversations begin" if found else "no conversation begins"
        raise InvalidInput(f"{begin} with {talk!r}; see `sightloop talks list`")
    return found[0]
