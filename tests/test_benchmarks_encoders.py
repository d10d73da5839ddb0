"""The encoders' benchmark measures what it says, on encoders that are as good as can be."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.encoders import NAMES, album, figures, neighbours, precision, probe
from miniature.world.splits import FIRST_SEED
from models import encoders


def test_features_that_tell_names_apart_score_full_marks() -> None:
    names = torch.arange(3).repeat_interleave(12)
    x = torch.nn.functional.one_hot(names, 8) + 0.05 * torch.randn(36, 8)
    x = torch.nn.functional.normalize(x, dim=-1)
    assert torch.equal(probe(x, names)(x).argmax(1), names)
    assert torch.equal(neighbours(x, names, x), names)
    assert precision(x, names) > 0.99
    mixed = torch.from_numpy(np.random.default_rng(0).permutation(36))
    assert precision(x[mixed], names) < 0.6


def test_the_shipped_clip_is_measured() -> None:
    encoder = encoders.load("miniature/weights/clip", "cpu", "float32")
    sets = [album(24, held_out=False, first=FIRST_SEED["test"], alone=a) for a in (True, False)]
    found = figures(encoder, album(60, held_out=False, first=0, alone=True), *sets)
    assert all(value is not None and 0 <= value <= 1 for value in found.values())
    assert found["zero_shot"] is not None
    assert found["zero_shot"] > 10 / len(NAMES)
