"""Preferences are true, rewards learn them and score as any scorer, and a LoRA keeps its format."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmarks import alignment
from miniature.train import align, preferences, rewards
from miniature.train.painted import Painted
from miniature.train.preferences import FAULTS, Pair, pair
from miniature.world.language import describe
from miniature.world.scene import draw, masks, relations
from miniature.world.splits import FIRST_SEED, has_held_out_pair
from models import reward, scorers
from models.diffusion import Manner, Order
from models.errors import Unavailable
from tools.score import Score, ScoreInput, ScoreOutput
from tools.values import Image

PAIRS = [pair(preferences.FIRST + i) for i in range(200)]


def _wrong(one: Pair) -> bool:
    """Whether the worse scene has just the fault that is named."""
    better, worse = one.better, one.worse
    names = [Counter(thing.name for thing in scene.things) for scene in (better, worse)]
    painted = [Counter(thing.colour for thing in scene.things) for scene in (better, worse)]
    grounds = better.background == worse.background
    grown = len(worse.things) - len(better.things)
    match one.fault:
        case "colour":
            return grounds and names[0] == names[1] and painted[0] != painted[1]
        case "binding":
            alike = names[0] == names[1] and painted[0] == painted[1]
            return grounds and alike and better.groups != worse.groups
        case "thing":
            return grounds and grown == 0 and (names[0] - names[1]).total() == 1
        case "missing":
            return grounds and grown == -1 and names[1] <= names[0]
        case "extra":
            return grounds and grown == 1 and names[0] <= names[1]
        case "sides":
            sides = [
                relations(*sorted(scene.things, key=lambda thing: f"{thing.group}"))
                for scene in (better, worse)
            ]
            return grounds and better.groups == worse.groups and sides[0] != sides[1]
        case "background":
            return not grounds and better.things == worse.things


def test_the_worse_picture_has_the_fault_that_is_named_and_training_sees_no_held_out_pair() -> None:
    assert {one.fault for one in PAIRS} == set(FAULTS)
    for one in PAIRS:
        assert _wrong(one), one
        assert describe(one.better).startswith(one.words)
        assert describe(one.worse).startswith(one.against)
        assert not describe(one.worse).startswith(one.words)
        assert not has_held_out_pair(one.better.groups)
        assert not has_held_out_pair(one.worse.groups)
    held = pair(FIRST_SEED["test"], held_out=True)
    assert has_held_out_pair(held.better.groups)
    with pytest.raises(ValueError, match="for training"):
        pair(0, held_out=True)


def test_what_is_painted_stands_beside_a_drawing_with_a_fault() -> None:
    scene = PAIRS[0].better
    painted = Painted(scene, draw(scene), masks(scene))
    made = preferences.batch(preferences.FIRST, 2, np.random.default_rng(0), [painted])
    assert made.better.shape == made.worse.shape == (3, 3, 128, 128)
    assert describe(scene).startswith(made.words[2])
    assert not describe(scene).startswith(made.against[2])


@pytest.mark.parametrize("name", rewards.RECIPES)
def test_a_reward_learns_which_picture_is_better_and_scores_for_the_tool(
    name: str, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    learner = rewards.RECIPES[name]("cpu")
    batch = preferences.batch(preferences.FIRST, 4, np.random.default_rng(0))
    optimizer = torch.optim.AdamW(learner.network.parameters(), lr=2e-4)
    losses = []
    for _ in range(4):
        right, wrong = rewards.compared(learner, batch, "cpu")
        loss = -torch.nn.functional.logsigmoid(right - wrong).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert min(losses[1:]) < losses[0]
    learner.network.eval()
    with torch.no_grad():
        scores = torch.cat(rewards.compared(learner, batch, "cpu"))
    learner.save(tmp_path / name, scores)
    pictures = list(
        batch.better.add(1).mul(127.5).round().byte().permute(0, 2, 3, 1).contiguous().numpy()
    )
    found = scorers.load(str(tmp_path / name), "cpu", "float32").similarity(pictures, batch.words)
    if name == "pickscore":
        assert np.abs(found).max() <= 1
    else:
        expected = (scores[: len(pictures)] - scores.mean()) / scores.std()
        assert found == pytest.approx(expected.numpy(), abs=0.1)  # of pixels rounded to bytes
    tool = Score()
    tool.load(str(tmp_path / name), "cpu", "float32")
    (said,) = tool.run([ScoreInput(image=Image.from_pixels(pictures[0]), text=batch.words[0])])
    assert isinstance(said, ScoreOutput)
    assert said.raw == pytest.approx(float(found[0]), abs=1e-3)


def test_a_reward_without_its_head_is_refused(tiny: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny / "reward", tmp_path / "reward")
    (tmp_path / "reward" / reward.HEAD_FILE).unlink()
    with pytest.raises(Unavailable, match=r"has no reward\.safetensors"):
        scorers.load(str(tmp_path / "reward"), "cpu", "float32")


@pytest.fixture(scope="module")
def critic(tmp_path_factory: pytest.TempPathFactory) -> reward.Reward:
    folder = tmp_path_factory.mktemp("reward")
    rewards.RECIPES["imagereward"]("cpu").save(folder, torch.tensor([0.0, 1e-4]))
    found = reward.load(str(folder), "cpu", "float32")
    found.network.requires_grad_(False)
    return found


@pytest.mark.parametrize("name", align.RECIPES)
def test_a_lora_is_learnt_and_is_drawn_with(
    name: str, critic: reward.Reward, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for constant, value in (("REQUESTS", 2), ("TRIES", 2), ("EXACT", 4), ("BATCH", 2)):
        monkeypatch.setattr(align, constant, value)
    torch.manual_seed(0)
    hand = align.Hand("cpu")
    loss = align.RECIPES[name](hand, critic)
    trained = [one for one in hand.unet.parameters() if one.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-2)
    for step in range(2):
        terms = loss(step)
        if name == "dpo" and step == 0:  # a LoRA begins as no change
            assert terms["preference"].item() == pytest.approx(np.log(2), abs=1e-4)
        optimizer.zero_grad()
        torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    hand.save(tmp_path)
    order, size = [Order("a red key", "", 0)], (128, 128)
    tuned, plain = (
        alignment.hand(folder).draw(order, manner=Manner(2, 1.5), size_wh=size)[0]
        for folder in (tmp_path, None)
    )
    assert (tuned != plain).any()


def test_the_benchmark_counts_what_is_preferred_gained_and_lost() -> None:
    pairs, better, worse = alignment.held_pairs(12, held_out=False)
    wrong = {picture.tobytes() for picture in worse[:3]}

    class Half:
        def similarity(self, pictures: object, texts: object) -> NDArray[np.float32]:
            assert isinstance(pictures, list)
            bad = {picture.tobytes() for picture in worse} - wrong
            return np.array([float(one.tobytes() not in bad) for one in pictures], np.float32)

    found = alignment.preferred(Half(), pairs, better, worse)
    assert found["accuracy"] == pytest.approx(9 / 12)
    assert sum(one["of"] for one in found["faults"].values()) == 12
    counted = alignment.beside([True, False, False], [False, True, True])
    assert counted == {"right": 2 / 3, "requests": 3, "gains": 2, "regressions": 1}
    for scene in alignment.requests(4, held_out=True):
        assert has_held_out_pair(scene.groups)
