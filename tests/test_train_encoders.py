"""Each way of teaching an encoder: it learns, and what it saves is an encoder like any other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from miniature.train.data import pixels, scenes
from miniature.train.encoders.__main__ import RECIPES
from miniature.train.encoders.trunk import Batch, masked, views
from miniature.train.encoders.words import _true
from miniature.world.scene import draw
from models import encoders

READS = ("clip", "align", "coca", "unicl")
SCENES = scenes(0, 16)


@pytest.mark.parametrize("name", RECIPES)
def test_a_way_of_teaching_lowers_its_loss_and_saves_an_encoder(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    learner = RECIPES[name]("cpu")
    trained = [one for network in learner.networks for one in network.parameters()]
    optimizer = torch.optim.AdamW(trained, lr=2e-4)
    losses = []
    for _ in range(8):
        batch = Batch(pixels(SCENES), SCENES, np.random.default_rng(0))
        loss = torch.stack(list(learner.loss(batch).values())).sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if learner.follower is not None:
            learner.follower.update()
        losses.append(loss.item())
    assert min(losses) < losses[0]
    learner.save(tmp_path / name)
    encoder = encoders.load(str(tmp_path / name), "cpu", "float32")
    vectors = encoder.pictures([draw(scene) for scene in SCENES[:3]])
    assert vectors.shape[0] == 3
    assert torch.allclose(vectors.norm(dim=-1), torch.ones(3), atol=1e-5)
    assert encoder.speaks == (name in READS)
    if encoder.speaks:
        assert encoder.texts(["a red apple"]).shape[1] == vectors.shape[1]


def test_a_label_is_right_for_every_picture_that_shows_such_a_thing() -> None:
    texts = [f"a {scene.things[0].name}" for scene in SCENES]
    right = _true(SCENES, texts)
    assert right.diagonal().all()
    for row, scene in enumerate(SCENES):
        names = {thing.name for thing in scene.things}
        for column, other in enumerate(SCENES):
            assert right[row, column] == (other.things[0].name in names or row == column)


def test_views_are_pictures_and_masks_hide_equally_much() -> None:
    x = pixels(SCENES)
    seen = views(x, np.random.default_rng(0))
    assert seen.shape == x.shape
    assert seen.abs().max() <= 1
    assert not torch.equal(seen, x)
    hidden = masked(5, np.random.default_rng(0))
    assert set(hidden.sum(1).tolist()) == {26}
