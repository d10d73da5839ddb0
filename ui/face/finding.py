"""Finding: pictures by words, those of the conversations and those of a person's folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tools.errors import InvalidInput
from tools.index.catalogue import Catalogue, drop, names
from tools.index.fill import fill
from ui.face.engine import Engine
from ui.index import opened

DRAWN = "conversations"  # the index of the store's own pictures
OWN = "default"  # the index that `sightloop index add` fills
MOST = 12


def drawn(engine: Engine, words: str) -> list[str]:
    """Ids of the store's pictures, the best fit first.

    Raises:
        ToolError: they cannot be searched.
    """
    try:
        _refresh(engine)
    except InvalidInput:  # made with other weights than are here now: it is ours to make anew
        drop(DRAWN)
        _refresh(engine)
    return [match.image for match in _matches(engine, words, DRAWN, 100)]


def own(engine: Engine, words: str) -> list[Path]:
    """Files in a person's folders, the best fit first.

    Raises:
        ToolError: they cannot be searched.
    """
    return [Path(match.path) for match in _matches(engine, words, OWN, MOST)]


def folders() -> list[str]:
    """The folders that are searched."""
    if OWN not in names():
        return []
    with Catalogue(OWN) as catalogue:
        return list(catalogue.folders())


def add(engine: Engine, folder: Path) -> str:
    """Make a folder searchable; says in words what came of it.

    Raises:
        ToolError: it is no folder, or cannot be indexed.
    """
    if not folder.expanduser().is_dir():
        raise InvalidInput(f"{str(folder)!r} is not a folder of this machine.")
    done = _fill(engine, OWN, folder)
    return f"{done.added} pictures added, {done.unchanged} were known, {len(done.skipped)} skipped."


def _refresh(engine: Engine) -> None:
    _fill(engine, DRAWN, engine.store.root / "pictures")


def _fill(engine: Engine, name: str, folder: Path) -> Any:
    catalogue, embed = opened(name, None, engine.profile, True)
    with catalogue:
        return fill(catalogue, [folder], embed)


def _matches(engine: Engine, words: str, index: str, most: int) -> tuple[Any, ...]:
    tool = engine.toolbox.tool("retrieve")
    found: Any = engine.call("retrieve", tool.parse({"query": words, "index": index, "k": most}))
    return tuple(found.matches)
