"""Samples: pictures of StickerWorld that nobody trained on, one click away."""

from __future__ import annotations

from typing import NamedTuple

import streamlit as st

from tools.values import Image

SEEDS = (1_000_000_003, 1_000_000_007, 1_000_000_012, 1_000_000_021)
SIDE = 128  # px, as the networks see it
LARGE = 336  # px, as a person sees it


class Sample(NamedTuple):
    """One scene, as PNG files and in words."""

    seed: int
    png: bytes
    source: bytes
    text: str


@st.cache_data(show_spinner=False)
def some() -> list[Sample]:
    """Four scenes of the held-out seeds."""
    from miniature.world import language, scene

    scenes = [(seed, scene.sample(seed)) for seed in SEEDS]
    return [
        Sample(
            seed,
            Image.from_pixels(scene.draw(one, SIDE)).png(),
            Image.from_pixels(scene.draw(one, LARGE)).png(),
            language.describe(one),
        )
        for seed, one in scenes
    ]
