"""Splits: which seeds and which pairs training never sees. The only place that knows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from itertools import combinations
from typing import Literal

from miniature.world.vocabulary import COLOURS, KINDS

HELD_OUT_SEED = 1_000_000_000  # seeds from here on are for evaluation only
Split = Literal["train", "judge", "calibration", "test"]

# Where each reader takes its seeds from, so that no two of them share a scene.
FIRST_SEED: dict[Split, int] = {
    "train": 0,
    "judge": 500_000_000,  # trains the benchmarks' judge, never a witness of the loop
    "calibration": HELD_OUT_SEED,
    "test": HELD_OUT_SEED + 500_000_000,
}


def _tenth(pairs: Iterable[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """The tenth of `pairs` with the lowest SHA-256: fixed for ever, whatever their order."""
    ranked = sorted(pairs, key=lambda pair: hashlib.sha256("|".join(pair).encode()).digest())
    return frozenset(ranked[: len(ranked) // 10])


@cache
def held_out_colours() -> frozenset[tuple[str, str]]:
    """The (object, colour) pairs that training never sees."""
    return _tenth((kind.name, colour) for kind in KINDS if kind.recolourable for colour in COLOURS)


@cache
def held_out_objects() -> frozenset[tuple[str, str]]:
    """The (object, object) pairs, alphabetical, that training never sees together."""
    return _tenth(combinations(sorted(kind.name for kind in KINDS), 2))


def has_held_out_pair(objects: Iterable[tuple[str, str | None]]) -> bool:
    """Whether a scene holds a pair that training must not see.

    Args:
        objects: (name, colour or None) of each object of the scene.
    """
    present = list(objects)
    if any((name, colour) in held_out_colours() for name, colour in present if colour):
        return True
    names = sorted({name for name, _ in present})
    return any(pair in held_out_objects() for pair in combinations(names, 2))
