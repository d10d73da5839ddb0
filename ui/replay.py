"""Replay: a picture made again from its recipe in the store, and compared byte for byte."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tools.errors import InvalidInput
from ui.console import print_json, screen
from ui.home import open_store
from ui.specialists import JsonOption, ProfileOption

if TYPE_CHECKING:
    from agent.store import Origin, Store
    from tools.profile import Profile
    from tools.toolbox import LocalToolbox
    from tools.values import Image


def replay(
    image: Annotated[str, typer.Argument(help="A picture file, or the id of a kept picture.")],
    profile: ProfileOption = "miniature",
    as_json: JsonOption = False,
) -> int:
    """Make a picture again from its recipe and count the bytes that differ."""
    from tools.profile import load_profile
    from tools.toolbox import LocalToolbox

    chosen: Profile = load_profile(profile)
    store = open_store()
    toolbox = LocalToolbox(chosen)  # no cache: it is to be made, not looked up
    try:
        identity = _identity(image)
        origin = _recipe(store, identity)
        changed = _changed(origin, toolbox)
        made = asyncio.run(_make(origin, toolbox, store))
        wanted = store.get(identity)
    finally:
        toolbox.close()
        store.close()
    same_size = made.size_wh == wanted.size_wh
    bytes_off = int((made.pixels != wanted.pixels).sum()) if same_size else wanted.pixels.size
    report = {
        "image": identity,
        "tool": origin.tool,
        "seed": origin.seed,
        "bytes": wanted.pixels.size,
        "differ": bytes_off,
        "changed_since": changed,
    }
    if as_json:
        print_json(report)
    else:
        console = screen()
        console.print(
            f"{origin.tool}, seed {origin.seed}: {bytes_off} of {wanted.pixels.size} bytes differ"
        )
        for line in changed:
            console.print(f"changed since: {line}")
    return 0 if bytes_off == 0 else 1


def _identity(image: str) -> str:
    """The id of a picture, given as itself or as a file with its pixels."""
    from tools.values import load_image

    path = Path(image)
    if path.is_file():
        return load_image(path).image.id
    if path.suffix:
        raise InvalidInput(f"there is no file {image!r}; give a picture file or a kept one's id")
    return image


def _recipe(store: Store, identity: str) -> Origin:
    """The newest way in which a tool made the picture.

    Raises:
        InvalidInput: it is not in the store, or no tool made it.
    """
    kept = store.lineage(identity)[-1]
    made = [origin for origin in kept.origins if origin.checkpoint is not None]
    if not made:
        raise InvalidInput(f"picture {identity[:12]} was given, not made; there is no recipe")
    return made[-1]


def _changed(origin: Origin, toolbox: LocalToolbox) -> list[str]:
    """What is not as it was when the picture was made."""
    from agent.store import libraries

    now = libraries()
    lines = [
        f"{name} {version} is now {now.get(name, 'gone')}"
        for name, version in origin.libraries.items()
        if now.get(name) != version
    ]
    if (digest := toolbox.checkpoint_digest(origin.tool)) != origin.checkpoint:
        lines.append(f"weights {str(origin.checkpoint)[:12]} are now {digest[:12]}")
    if (version := toolbox.tool(origin.tool).version) != origin.version:
        lines.append(f"{origin.tool} version {origin.version} is now {version}")
    return lines


async def _make(origin: Origin, toolbox: LocalToolbox, store: Store) -> Image:
    """Run the recipe; of the pictures that it gives, the one it says."""
    from tools.cache import pictures_in

    record = toolbox.tool(origin.tool).input.model_validate(
        origin.input, context={"pictures": store.get}
    )
    output = await toolbox.call(origin.tool, record)
    return list(pictures_in(output))[origin.index]
