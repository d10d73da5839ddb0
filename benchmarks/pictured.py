"""Pictured: scenes shown as a diffusion model draws them, as tools take them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchmarks.eyes import scenes
from miniature.train.shown import Shown, shown
from miniature.world.scene import Scene
from tools.values import Image


class Pictures(NamedTuple):
    """Scenes, how they are shown, and the pictures as tools take them."""

    scenes: list[Scene]
    shown: Shown
    images: list[Image]


def pictures(count: int, first: int, *, held_out: bool = False) -> Pictures:
    """`count` scenes from seed `first` on that have, or have not, a pair training never saw."""
    chosen = scenes(count, held_out=held_out, first=first)
    seen = shown(chosen, np.random.default_rng(first))
    pixels = seen.pixels.add(1).mul(127.5).round().byte().permute(0, 2, 3, 1)
    return Pictures(chosen, seen, [Image.from_pixels(one.numpy()) for one in pixels])
