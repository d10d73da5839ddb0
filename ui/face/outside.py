"""Outside: whether a picture lies outside the world that the miniature networks know.

A captioner that is at home is sure of its words, and another network finds the picture to fit
them; abroad at most one of the two happens. `python -m benchmarks.outside FOLDER` measures it.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from ui.face.engine import Engine

LEAST = 0.63  # of sureness times fit: 40 scenes had 0.639 and more, 49 photos 0.623 and less


def is_outside(sureness: float, fit: float) -> bool:
    """Whether a picture is of another world.

    Args:
        sureness: score of `caption`, 0..1.
        fit: cosine of the picture and its caption, raw of `score`, -1..1.
    """
    return sureness * fit < LEAST


def warn(engine: Engine, pictures: Sequence[str]) -> None:
    """Say which of these pictures the miniature does not know, and what does."""
    if any(engine.strange.get(identity) for identity in pictures):
        st.warning(
            "This picture looks like nothing the miniature knows: what it says of it will be "
            "wrong. For photos start `sightloop ui --profile sd15`; what the miniature knows is "
            "on the page [Models](models)."
        )
