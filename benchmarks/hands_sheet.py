"""Sheet: the pictures of one tool side by side, as they were made, in one small file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image as PIL
from PIL import ImageDraw, ImageFont

from tools.values import Image

SIDE = 96  # px of a picture
LINE = 14  # px of the words below
COLUMNS = 8
MOST_BYTES = 200_000
_RIGHT, _WRONG = (60, 150, 70), (200, 60, 50)


class Tile(NamedTuple):
    """One picture and how it came about."""

    words: str
    before: Image | None
    after: Image | None
    """None where the tool refused."""
    right: bool


def sheet(tiles: Sequence[Tile]) -> PIL.Image:
    """The tiles in rows, before beside after, in a frame that is green where the judge agrees."""
    pair = any(tile.before is not None for tile in tiles)
    width, height = (2 * SIDE if pair else SIDE) + 6, SIDE + LINE + 6
    rows = -(-len(tiles) // COLUMNS)
    whole = PIL.new("RGB", (COLUMNS * width, rows * height), "white")
    brush, font = ImageDraw.Draw(whole), ImageFont.load_default(10)
    for i, tile in enumerate(tiles):
        x, y = i % COLUMNS * width, i // COLUMNS * height
        colour = _RIGHT if tile.right else _WRONG
        brush.rectangle((x + 1, y + 1, x + width - 2, y + SIDE + 4), outline=colour, width=2)
        shown = [tile.before, tile.after] if pair else [tile.after]
        for j, image in enumerate(shown):
            if image is not None:
                small = image.to_pil().resize((SIDE, SIDE), PIL.Resampling.LANCZOS)
                whole.paste(small, (x + 3 + j * SIDE, y + 3))
        room = width // 5  # characters
        brush.text((x + 3, y + SIDE + 5), tile.words[:room], "black", font)
    return whole


def save(tiles: Sequence[Tile], path: Path) -> Path:
    """Write the sheet as WebP, as good as fits in MOST_BYTES."""
    picture = sheet(tiles)
    for quality in range(85, 4, -10):
        made = io.BytesIO()
        picture.save(made, "WEBP", quality=quality, method=6)
        if made.tell() <= MOST_BYTES:
            break
    path.write_bytes(made.getvalue())
    return path
