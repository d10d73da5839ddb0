"""Pictures: in from the command line with a word on what was converted, out as files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from tools.values import Image, Mask, load_image
from ui.console import note

OUT = Path("sightloop-out")
SLUG_WORDS = 6


def read_pictures(paths: Sequence[Path], console: Console) -> list[Image]:
    """Load the pictures given with -i, in their order; each conversion is said in one line.

    Raises:
        InvalidInput: one of them cannot be read.
    """
    pictures = []
    for path in paths:
        loaded = load_image(path)
        if loaded.notes:
            note(console, f"{path.name}: {', '.join(loaded.notes)}")
        pictures.append(loaded.image)
    return pictures


def out_folder(given: Path | None, words: str) -> Path:
    """Make and return the folder for the pictures of one command.

    Args:
        given: what --out said; without it, a new folder under sightloop-out.
        words: what the new folder is named after.
    """
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        return given
    slug = "-".join(re.findall(r"[a-z0-9]+", words.lower())[:SLUG_WORDS]) or "pictures"
    number = 1
    while True:
        folder = OUT / (slug if number == 1 else f"{slug}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
        else:
            return folder


def drop_if_empty(folder: Path) -> None:
    """Take back a folder that nothing was written to."""
    for each in (folder, folder.parent) if folder.parent == OUT else (folder,):
        if not any(each.iterdir()):
            each.rmdir()


def write_picture(image: Image, path: Path) -> Path:
    """Write a PNG whole or not at all; return its absolute path."""
    return write_whole(image.png(), path)


def write_whole(data: bytes, path: Path) -> Path:
    """Write a file whole or not at all; return its absolute path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path.absolute()


def is_mask(value: object) -> bool:
    """Whether a JSON value is a mask, as run-length encoding."""
    return isinstance(value, Mapping) and value.keys() == {"size", "counts"}


def masks_in(value: Any) -> Iterator[Mask]:
    """Every mask in what a tool gave, as JSON, in its order."""
    if is_mask(value):
        yield Mask.from_rle(value)
    elif isinstance(value, Mapping | list):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from masks_in(item)


def write_masks(output: Mapping[str, Any], folder: Path, name: str) -> list[str]:
    """Write the masks in what a tool gave, white on black, as NAME1.png and on; their paths."""
    return [
        str(write_picture(_white(mask), folder / f"{name}{number}.png"))
        for number, mask in enumerate(masks_in(output), start=1)
    ]


def _white(mask: Mask) -> Image:
    inside = mask.pixels.astype(np.uint8)[..., None] * np.uint8(255)
    return Image.from_pixels(np.repeat(inside, 3, axis=-1))


def shown(path: Path | str) -> str:
    """A path as a person would type it from here."""
    path = Path(path)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
