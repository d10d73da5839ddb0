"""Public classes: their checkpoints load and answer, a batch as one by one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models import detectors, sam, speakers
from models.errors import Unavailable
from tests import tiny_hub

RNG = np.random.default_rng(0)
PICTURES = [RNG.integers(0, 255, shape, dtype=np.uint8) for shape in ((32, 32, 3), (40, 24, 3))]


def saved(save: Callable[[Path], None], folder: Path) -> str:
    save(folder)
    return str(folder)


def test_llava_describes_and_answers(tmp_path: Path) -> None:
    network = speakers.load(saved(tiny_hub.save_llava, tmp_path / "llava"), "cpu", "float32")
    captions = network.captions(PICTURES)
    assert all(0 <= chance <= 1 for _, chance in captions)
    questions = ["is there a dog ?", "what color is the apple ?"]
    together = network.answers(PICTURES, questions, [True, False])
    assert together[0][0] in ("yes", "no")
    alone = [
        network.answers([one], [question], [yes_no])[0]
        for one, question, yes_no in zip(PICTURES, questions, [True, False], strict=True)
    ]
    for (text, chance), (other, another) in zip(together, alone, strict=True):
        assert text == other
        assert chance == pytest.approx(another, abs=1e-4)


def test_florence_describes_and_says_that_it_does_not_answer(tmp_path: Path) -> None:
    network = speakers.load(saved(tiny_hub.save_florence, tmp_path / "florence"), "cpu", "float32")
    together = network.captions(PICTURES)
    alone = [network.captions([one])[0] for one in PICTURES]
    for (text, chance), (other, another) in zip(together, alone, strict=True):
        assert text == other
        assert chance == pytest.approx(another, abs=1e-4)
    with pytest.raises(Unavailable, match="answers no questions"):
        network.answers(PICTURES, ["is there a dog?"] * 2, [True] * 2)


def test_grounding_dino_finds_each_phrase_by_itself(tmp_path: Path) -> None:
    folder = saved(tiny_hub.save_grounding_dino, tmp_path / "dino")
    network = detectors.load(folder, "cpu", "float32")
    asked = [["red dog", "cat"], ["apple"]]
    found = network.boxes(PICTURES, asked, thresholds=[0.0, 0.0], overlap=0.5)
    assert {one.phrase for one in found[0]} == {0, 1}
    for row, picture in zip(found, PICTURES, strict=True):
        height, width = picture.shape[:2]
        assert row
        for one in row:
            x0, y0, x1, y1 = one.box
            assert 0 <= x0 < x1 <= width
            assert 0 <= y0 < y1 <= height
            assert 0 <= one.score <= 1
    (alone,) = network.boxes(PICTURES[:1], [["cat"]], thresholds=[0.0], overlap=0.5)
    cats = [one for one in found[0] if one.phrase == 1]
    assert [one.score for one in cats] == pytest.approx([one.score for one in alone], abs=1e-4)


def test_sam_2_cuts_in_boxes_and_at_clicks(tmp_path: Path) -> None:
    network = sam.load(saved(tiny_hub.save_sam2, tmp_path / "sam2"), "cpu", "float32")
    picture = PICTURES[1]
    cuts = network.in_boxes(picture, "a", [(2, 2, 20, 30), (0, 0, 10, 10)])
    assert [cut.mask.shape for cut in cuts] == [(40, 24)] * 2
    (alone,) = network.in_boxes(picture, "b", [(0, 0, 10, 10)])
    assert (alone.mask == cuts[1].mask).mean() > 0.999
    click = network.at_points(picture, "a", [(5, 5), (20, 30)], [1, 0])
    assert click.mask.shape == (40, 24)
    assert 0 <= click.score <= 1
    assert isinstance(network.everything(picture, "a"), list)
