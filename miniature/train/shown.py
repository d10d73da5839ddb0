"""Shown: scenes as a diffusion model draws them, with the truth of where their things then are.

A generator is bound to no lattice and no two sizes: things come out larger or smaller and anywhere,
their edges soft and bent, their colours a little off and blotchy. Eyes that were trained on exact
drawings alone do not believe what it draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from torchvision.ops import masks_to_boxes

from miniature.train.data import pixels, scaled, softened
from miniature.train.painted import Painted
from miniature.world.scene import CANVAS, Scene, masks
from miniature.world.vocabulary import BACKGROUNDS

EXACT = 0.35  # share of the pictures that stay as drawn, in their places and colours
ZOOM = 0.85, 1.15  # of the others
BLOTCH = 0.1  # of the range of a colour, at most: what a ground may vary by
TINT = 0.05  # likewise, what all of a picture may be off by
WOBBLE = 2.5  # px, at most, by which outlines are bent
PATCHES = 6  # blotches along a side of a picture


@dataclass(frozen=True)
class Shown:
    """Pictures of a batch of scenes.

    Attributes:
        pixels: float32, (B, 3, 128, 128) in [-1, 1].
        boxes: for each scene float32, (objects, 4): x0, y0, x1, y1 px, x1, y1 excluded.
        masks: for each scene bool, (objects, 128, 128).
    """

    pixels: Tensor
    boxes: list[Tensor]
    masks: list[Tensor]

    def centre_boxes(self, row: int) -> Tensor:
        """Boxes of one scene as centre x, centre y, width, height in [0, 1]: (objects, 4)."""
        corner, far = torch.split(self.boxes[row] / CANVAS, 2, 1)
        return torch.cat([(corner + far) / 2, far - corner], 1)


def shown(
    batch: Sequence[Scene], rng: np.random.Generator, painted: Sequence[Painted] = ()
) -> Shown:
    """Draw scenes, most of them moved, scaled and painted unevenly, half of all softened.

    Args:
        batch: drawn exactly, to begin with.
        rng: decides.
        painted: as the U-Net has drawn them; they follow.
    """
    scenes = [*batch, *(one.scene for one in painted)]
    exact = [masks(scene) for scene in batch] + [one.masks for one in painted]
    x = torch.cat([pixels(batch), *(scaled(one.picture[None]) for one in painted)])
    moves = [_move(solid, rng) for solid in exact]
    counts = [len(scene.things) for scene in scenes]
    solid = torch.from_numpy(np.concatenate(exact)).float()[:, None]
    owner = torch.arange(len(scenes)).repeat_interleave(torch.tensor(counts))
    grids = _grids(moves) + _wobble(moves, rng)
    solid = F.grid_sample(solid, grids[owner], mode="bilinear", align_corners=False)
    ground = torch.tensor([BACKGROUNDS[scene.background] for scene in scenes])
    ground = ground.float().div(127.5).sub(1)[:, :, None, None]
    x = F.grid_sample(x - ground, grids, mode="bilinear", align_corners=False)
    free = torch.zeros(len(scenes), 1, CANVAS, CANVAS).index_add(0, owner, solid).le(0.02)
    x = _painted(x + ground, free, moves, rng)
    covered = solid[:, 0].gt(0.5)
    tight = masks_to_boxes(covered) + torch.tensor([0, 0, 1, 1])
    return Shown(
        softened(x.clamp(-1, 1), rng),
        list(torch.split(tight, counts)),
        list(torch.split(covered, counts)),
    )


Move = tuple[float, float, float]  # zoom about the top-left corner, then px right and down
STAYS: Move = (1.0, 0.0, 0.0)


def _move(solid: NDArray[np.bool_], rng: np.random.Generator) -> Move:
    """A zoom and a shift that keep all things, (things, 128, 128), in view."""
    if rng.random() < EXACT:
        return STAYS
    rows, columns = np.flatnonzero(solid.any((0, 2))), np.flatnonzero(solid.any((0, 1)))
    near = np.array([columns[0], rows[0]])
    far = np.array([columns[-1], rows[-1]]) + 1
    zoom = min(float(rng.uniform(*ZOOM)), (CANVAS - 1) / float((far - near).max()))
    right, down = rng.uniform(-zoom * near, CANVAS - zoom * far)
    return zoom, float(right), float(down)


def _grids(moves: Sequence[Move]) -> Tensor:
    """Where each pixel of the moved pictures comes from, for `grid_sample`: (B, 128, 128, 2)."""
    rows = []
    for zoom, right, down in moves:
        # in [-1, 1] about the middle: what was at p is now at zoom * p + shift
        shift = [(zoom - 1) + 2 * by / CANVAS for by in (right, down)]
        rows.append([[1 / zoom, 0, -shift[0] / zoom], [0, 1 / zoom, -shift[1] / zoom]])
    return F.affine_grid(torch.tensor(rows), [len(rows), 3, CANVAS, CANVAS], align_corners=False)


def _wobble(moves: Sequence[Move], rng: np.random.Generator) -> Tensor:
    """Smooth random bends of the pictures that are moved, for their grids: (B, 128, 128, 2)."""
    count = len(moves)
    off = np.array([move != STAYS for move in moves])[:, None, None, None]
    bends = rng.uniform(-1, 1, (count, 2, 12, 12)) * rng.uniform(0, WOBBLE, (count, 1, 1, 1)) * off
    field = torch.from_numpy((bends * 2 / CANVAS).astype(np.float32))
    size = (CANVAS, CANVAS)
    return F.interpolate(field, size, mode="bicubic", align_corners=False).permute(0, 2, 3, 1)


def _painted(x: Tensor, free: Tensor, moves: Sequence[Move], rng: np.random.Generator) -> Tensor:
    """The moved pictures in uneven colours: blotches where nothing stands, a tint over all.

    Args:
        x: (B, 3, 128, 128) in [-1, 1].
        free: bool, (B, 1, 128, 128), where the ground is seen.
        moves: how each was moved; what stays is left as it is.
        rng: decides.
    """
    count = len(x)
    off = torch.tensor([move != STAYS for move in moves])[:, None, None, None]

    def drawn(limit: float, *shape: int) -> Tensor:
        values = rng.uniform(-1, 1, (count, 3, *shape)) * rng.uniform(0, limit, (count, 1, 1, 1))
        return torch.from_numpy(values.astype(np.float32)) * 2 * off

    size = (CANVAS, CANVAS)
    blotches = F.interpolate(drawn(BLOTCH, PATCHES, PATCHES), size, mode="bicubic")
    return x + blotches * (free + 0.8 * ~free) + drawn(TINT, 1, 1)
