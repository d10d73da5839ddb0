"""What the U-Net is shown and asked for: true to the tools that will ask it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from miniature.train import tasks
from miniature.world.scene import CANVAS, LATTICE

SEEDS = range(300_000_000, 300_000_040)


@pytest.mark.parametrize("make", [tasks.edited, tasks.painted])
def test_a_seed_is_one_change_for_ever(make: Callable[[int], tasks.Change]) -> None:
    for seed in SEEDS[:5]:
        first, second = make(seed), make(seed)
        assert first.words == second.words
        assert np.array_equal(first.wanted, second.wanted)
        assert np.array_equal(first.shown, second.shown)


def test_what_is_painted_is_hidden_and_nothing_else() -> None:
    for seed in SEEDS:
        change = tasks.painted(seed)
        hidden = change.mask.repeat(LATTICE, 0).repeat(LATTICE, 1)
        assert 0 < hidden.mean() < 1
        assert (change.shown[hidden] == tasks.GREY).all()
        assert np.array_equal(change.shown[~hidden], change.wanted[~hidden])


def test_a_box_of_nothing_is_said_to_be_empty() -> None:
    empty = [c for c in map(tasks.painted, SEEDS) if c.words == tasks.GROUND]
    assert 0 < len(empty) < len(SEEDS)
    hidden = empty[0].mask.repeat(LATTICE, 0).repeat(LATTICE, 1)
    assert len(np.unique(empty[0].wanted[hidden], axis=0)) < 20  # ground, at most a neighbour's rim


def test_an_edit_shows_all_and_changes_something() -> None:
    for seed in SEEDS:
        change = tasks.edited(seed)
        assert change.mask.all()
        assert change.shown.shape == change.wanted.shape == (CANVAS, CANVAS, 3)
        assert not np.array_equal(change.shown, change.wanted)
