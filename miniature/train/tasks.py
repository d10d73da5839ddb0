"""Tasks: what one U-Net is shown, told and asked for when it draws, paints under a mask and edits.

Every sample is a picture wanted, a picture shown, and a mask of latent cells; the three tasks
differ in nothing else, and the stock inpainting pipeline gives the network the same:

    draw    all masked, nothing shown                 a full description
    paint   a box masked, the rest shown              what the box holds; an empty ground
    edit    all masked, the picture before shown      an instruction (InstructPix2Pix)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from miniature.world.language import edits, noun_phrase
from miniature.world.scene import CANVAS, LATTICE, Scene, boxes, draw, sample
from miniature.world.splits import has_held_out_pair

CELLS = CANVAS // LATTICE  # of the latents, a side
GROUND = "an empty background"  # said of a box that holds nothing
EMPTY = 0.25  # share of painted boxes that hold nothing
CLOSE = 0.6  # share of painted boxes that are seen in a window of their own
SHARES = (0.42, 0.62)  # of such a window's side that its box takes
GREY = 128  # of masked pixels: 0 once scaled to [-1, 1], as the stock pipeline has it

Pixels = NDArray[np.uint8]


class Change(NamedTuple):
    """A picture to be made out of another.

    Attributes:
        words: the prompt.
        wanted: RGB, uint8, (128, 128, 3).
        shown: RGB, uint8, (128, 128, 3), grey where it is hidden.
        mask: bool, (16, 16), the latent cells that are painted.
    """

    words: str
    wanted: Pixels
    shown: Pixels
    mask: NDArray[np.bool_]


def edited(seed: int) -> Change:
    """A scene before and after an instruction of any kind."""
    scene, rng = _scene(seed)
    made = [edit for edit in edits(scene, rng) if not has_held_out_pair(edit.after.groups)]
    if not made:
        return edited(seed + 1)
    edit = made[int(rng.integers(len(made)))]
    return Change(
        edit.instruction, draw(edit.after), draw(scene), np.ones((CELLS, CELLS), np.bool_)
    )


def painted(seed: int) -> Change:
    """A box of a scene hidden, and what it holds said; things in it may be wanted gone."""
    scene, rng = _scene(seed)
    i = int(rng.integers(len(scene.things)))
    x0, y0, x1, y1 = boxes(scene)[i] + np.outer([-1, 1], rng.integers(0, 9, 2)).reshape(-1)
    box = (max(0, x0), max(0, y0), min(CANVAS, x1), min(CANVAS, y1))
    if rng.random() < EMPTY:
        others = tuple(thing for j, thing in enumerate(scene.things) if j != i)
        scene, words = Scene(scene.background, others), GROUND
    else:
        words = noun_phrase(scene.things[i].group)
    whole = draw(scene)
    if words != GROUND and rng.random() < CLOSE:
        whole, box = _window(whole, box, float(rng.uniform(*SHARES)))
    mask = np.zeros((CANVAS, CANVAS), np.bool_)
    mask[box[1] : box[3], box[0] : box[2]] = True
    cells = np.asarray(mask.reshape(CELLS, LATTICE, CELLS, LATTICE).any((1, 3)))
    hidden = cells.repeat(LATTICE, 0).repeat(LATTICE, 1)
    return Change(words, whole, np.where(hidden[..., None], np.uint8(GREY), whole), cells)


def _scene(seed: int) -> tuple[Scene, np.random.Generator]:
    """Half of the scenes are composed, half have things anywhere."""
    rng = np.random.default_rng(seed)
    return sample(seed, composed=bool(rng.random() < 0.5)), rng


def _window(
    picture: Pixels, box: tuple[int, int, int, int], share: float
) -> tuple[Pixels, tuple[int, int, int, int]]:
    """A square around the box, scaled to the canvas, and the box in it; borders are continued."""
    x0, y0, x1, y1 = box
    side = round(max(x1 - x0, y1 - y0) / share)
    left, top = (x0 + x1 - side) // 2, (y0 + y1 - side) // 2
    wide = np.pad(picture, ((side, side), (side, side), (0, 0)), mode="edge")
    part = wide[top + side : top + 2 * side, left + side : left + 2 * side]
    scaled = np.asarray(Image.fromarray(part).resize((CANVAS, CANVAS), Image.Resampling.LANCZOS))
    corners = np.array([x0 - left, y0 - top, x1 - left, y1 - top]) * CANVAS / side
    low, high = np.floor(corners[:2]).astype(int), np.ceil(corners[2:]).astype(int)
    return scaled, (int(low[0]), int(low[1]), int(high[0]), int(high[1]))
