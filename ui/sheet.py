"""Sheet: many scenes of StickerWorld on one picture, each above its description."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from miniature.world.scene import Scene

MARGIN = 8  # px
LETTERS = 10  # px, height of the text
LINE = 12  # px from line to line
LINES = 3


def contact_sheet(scenes: Sequence[Scene], size: int) -> Image.Image:
    """Lay out scenes in a grid somewhat wider than high.

    Args:
        scenes: at least one.
        size: side of each scene, px.
    """
    from miniature.world.language import describe
    from miniature.world.scene import draw

    columns = math.ceil(math.sqrt(len(scenes) * 1.5))
    rows = math.ceil(len(scenes) / columns)
    step_x, step_y = size + MARGIN, size + LINES * LINE + MARGIN
    sheet = Image.new("RGB", (columns * step_x + MARGIN, rows * step_y + MARGIN), "white")
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(LETTERS)
    letters = max(8, size // 5)  # the default font is about half as wide as high
    for index, scene in enumerate(scenes):
        x = MARGIN + index % columns * step_x
        y = MARGIN + index // columns * step_y
        sheet.paste(Image.fromarray(draw(scene, size)), (x, y))
        pen.rectangle((x, y, x + size - 1, y + size - 1), outline="lightgray")
        lines = textwrap.wrap(describe(scene), letters, max_lines=LINES, placeholder=" …")
        for number, line in enumerate(lines):
            pen.text((x, y + size + 2 + number * LINE), line, fill="black", font=font)
    return sheet
