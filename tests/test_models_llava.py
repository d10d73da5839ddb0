"""LLaVA in parts: what is trained between tiny parts is what a folder gives back."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from numpy.typing import NDArray
from transformers import CLIPVisionModel

from miniature.train import llava as recipe
from miniature.train.blip import packed
from miniature.train.data import scenes
from miniature.train.shown import shown
from miniature.world.scene import draw, sample
from miniature.world.splits import FIRST_SEED
from miniature.world.vocabulary import BACKGROUNDS
from models import llava, llava_parts, smollm, speakers, weights
from models.errors import Unavailable
from tests.tiny_hub import tokenizer

_HF: Any = transformers  # its configurations are untyped


@pytest.fixture(scope="module")
def pupil() -> recipe.Pupil:
    """A tiny language model that is shown what the shipped CLIP sees."""
    words = tokenizer()
    words.add_special_tokens({"additional_special_tokens": [llava_parts.IMAGE]})
    words.image_token = llava_parts.IMAGE
    torch.manual_seed(0)
    language = _HF.LlamaForCausalLM(
        _HF.LlamaConfig(
            hidden_size=32, intermediate_size=64, num_attention_heads=2, num_key_value_heads=2,
            num_hidden_layers=2, vocab_size=len(words), tie_word_embeddings=True,
        )
    )  # fmt: skip
    tower = CLIPVisionModel.from_pretrained(weights.ROOT / recipe.TOWER, dtype=torch.float32)
    return recipe.Pupil(language.eval(), words, tower.eval())


def test_texts_in_one_row_are_told_as_each_alone(pupil: recipe.Pupil) -> None:
    features = pupil.features(torch.zeros(1, 3, 128, 128))
    texts = [("is there a dog ?", "yes"), ("how many are there ?", "two"), ("is the cat", "red")]
    with torch.no_grad():
        together = pupil.told(features, packed([pupil.row(iter(texts))]))
        alone = [pupil.told(features, packed([pupil.row(iter([text]))])) for text in texts]
    assert float(together) == pytest.approx(float(torch.stack(alone).mean()), abs=1e-4)


def test_a_row_holds_different_texts_and_no_more_than_it_has_room_for(pupil: recipe.Pupil) -> None:
    scene = scenes(recipe.FIRST, 1)[0]
    seen = shown([scene], np.random.default_rng(0))
    texts = recipe.texts_about(scene, seen.boxes[0], np.random.default_rng(0))
    row = pupil.row(texts)
    assert len(row.tokens) <= recipe.ROOM
    assert max(row.texts) > 5
    asked = [next(texts)[0] for _ in range(5)]
    assert len(set(asked)) == len(asked)


def test_the_projection_begins_at_the_words_for_what_is_seen(pupil: recipe.Pupil) -> None:
    recipe.begin(pupil)
    batch = scenes(recipe.FIRST + 1000, 8)
    seen = shown(batch, np.random.default_rng(1))
    meant = recipe.patch_words(pupil, batch, seen)
    with torch.no_grad():
        reached = pupil.projection(pupil.features(seen.pixels))
    assert meant.shape == (8, 64, 32)
    assert (reached - meant).square().mean() < 0.9 * (meant - meant.mean((0, 1))).square().mean()


def test_what_was_trained_is_what_a_folder_gives_back(pupil: recipe.Pupil, tmp_path: Path) -> None:
    own = recipe.Pupil(
        copy.deepcopy(pupil.language), pupil.tokenizer, pupil.model.model.vision_tower
    )
    own.adapt()
    with torch.no_grad():
        for name, value in own.language.named_parameters():
            if "lora_B" in name:
                value.normal_(0, 0.02)
    recipe.save(own, tmp_path)
    assert llava_parts.is_in_parts(tmp_path)
    again = llava_parts.taught(
        tmp_path, copy.deepcopy(pupil.language), own.model.model.vision_tower, pupil.tokenizer
    )
    prepare = llava_parts.prepared(recipe.TOWER, pupil.tokenizer)
    pictures = [draw(scene) for scene in scenes(0, 2)]
    questions = ["is there a dog ?", "what color is the apple ?"]
    said = [
        llava.Llava(model.eval(), prepare, llava.OURS).answers(pictures, questions, [True, False])
        for model in (own.model, again)
    ]
    assert said[0][0][0] in ("yes", "no")
    for (text, chance), (other, another) in zip(*said, strict=True):
        assert text == other
        assert chance == pytest.approx(another, abs=1e-3)


def test_other_eyes_than_those_it_was_trained_with_are_refused(
    pupil: recipe.Pupil, tmp_path: Path
) -> None:
    recipe.save(pupil, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "vision_tower_sha256": "0"}))
    with pytest.raises(Unavailable, match="trained with other eyes"):
        llava.load(str(tmp_path), "cpu", "float32")


@pytest.fixture
def pictures() -> list[NDArray[np.uint8]]:
    if smollm.present() is None:
        pytest.skip("the language model is not on this machine")
    return [draw(sample(FIRST_SEED["test"] + i)) for i in range(2)]


def test_the_shipped_llava_describes_and_answers(pictures: list[NDArray[np.uint8]]) -> None:
    network = speakers.load("miniature/weights/llava", "cpu", "float32")
    assert all("background" in text for text, _ in network.captions(pictures))
    questions = ["is there a dog?", "what is the background color?"]
    (known, _), (colour, chance) = network.answers(pictures, questions, [True, False])
    assert known in ("yes", "no")
    assert colour in BACKGROUNDS
    assert 0 < chance <= 1


def test_the_shipped_minigpt4_answers(pictures: list[NDArray[np.uint8]]) -> None:
    network = speakers.load("miniature/weights/minigpt4", "cpu", "float32")
    (known, chance), _ = network.answers(pictures, ["is there a dog?"] * 2, [True, True])
    assert known in ("yes", "no")
    assert 0.5 <= chance <= 1
