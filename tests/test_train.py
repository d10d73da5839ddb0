"""The training recipes: what they teach is true, and a run leaves weights and a log."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from torch import nn

from miniature.train import blip, blip_lessons, clip, control, diffusion, owl, painted, vae
from miniature.train.data import bert_tokenizer, clip_tokenizer, pixels, scenes, softened
from miniature.train.run import WEIGHTS, WeightAverage, fit
from miniature.train.shown import shown
from miniature.world.scene import draw, masks, sample
from miniature.world.splits import held_out_colours
from models.diffusion import Diffusion, Manner, Order


def test_a_run_lowers_the_loss_logs_it_and_saves(tmp_path: Path) -> None:
    layer = nn.Linear(4, 1)
    average = WeightAverage(layer)
    x = torch.randn(64, 4)
    saved: list[float] = []

    def loss(step: int) -> dict[str, torch.Tensor]:
        return {"square": (layer(x) - x.sum(1, keepdim=True)).float().square().mean()}

    before = float(loss(0)["square"].detach())
    options = argparse.Namespace(minutes=0.02, device="cpu")
    steps = fit(
        layer.parameters(),
        loss,
        lambda: saved.append(float(loss(0)["square"].detach())),
        options=options,
        log=tmp_path / "train.jsonl",
        batch=64,
        rate=0.05,
        average=average,
    )
    assert saved
    assert saved[-1] < before
    assert average.steps == steps
    line = json.loads((tmp_path / "train.jsonl").read_text().splitlines()[-1])
    assert line["step"] == steps


def test_patches_are_labelled_by_what_covers_them() -> None:
    batch = scenes(0, 16)
    pictures = shown(batch, np.random.default_rng(0))
    names, tones = clip.patch_labels(batch, pictures)
    for row, scene in enumerate(batch):
        seen = {clip.NAMES[i] for i in names[row].tolist() if i < len(clip.NAMES)}
        assert seen == {thing.name for thing in scene.things}
        colours = {clip.TONES[i] for i in tones[row].tolist() if i >= 0}
        assert colours == {thing.colour for thing in scene.things if thing.colour}


def test_the_detector_is_never_asked_for_held_out_colours() -> None:
    rng = np.random.default_rng(0)
    for first in range(0, 320, 32):
        assert not held_out_colours() & set(owl.phrases(scenes(first, 32), rng))


def test_every_object_has_a_patch_that_answers_for_it() -> None:
    batch = scenes(0, 16)
    rng = np.random.default_rng(0)
    asked = owl.phrases(batch, rng)
    labels, found, _ = owl.targets(batch, shown(batch, rng), asked)
    for row, scene in enumerate(batch):
        said = {asked[i] for i in labels[row].any(0).nonzero().flatten().tolist()}
        assert {(thing.name, None) for thing in scene.things} <= said
        assert found[row].sum() >= len(scene.things)


def test_softening_leaves_its_input_and_its_range_alone() -> None:
    x = pixels(scenes(0, 8))
    before = x.clone()
    y = softened(x, np.random.default_rng(0))
    assert torch.equal(x, before)
    assert y.shape == x.shape
    assert float(y.abs().max()) <= 1
    assert not torch.equal(x, y)


def test_what_is_shown_otherwise_keeps_true_boxes_and_masks() -> None:
    batch = scenes(0, 24)
    seen = shown(batch, np.random.default_rng(0))
    assert seen.pixels.shape == (24, 3, 128, 128)
    assert float(seen.pixels.abs().max()) <= 1
    lengths = set()
    for scene, boxes, solid in zip(batch, seen.boxes, seen.masks, strict=True):
        assert len(boxes) == len(solid) == len(scene.things)
        for box, mask in zip(boxes, solid, strict=True):
            rows, columns = mask.nonzero().T
            tight = torch.stack([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
            assert float((box - tight).abs().max()) < 2
            lengths.add(round(float((box[2:] - box[:2]).max())))
    assert len(lengths) > 8
    assert min(lengths) < 38 < 66 < max(lengths), "smaller and larger than any scene has them"


def test_tokenizers_know_every_word_and_start_the_same_each_time() -> None:
    tokenizer = clip_tokenizer()
    sentence = "two strawberries to the left of an airplane"
    assert tokenizer(sentence).input_ids == clip_tokenizer()(sentence).input_ids
    assert tokenizer.eos_token_id == len(tokenizer) - 1
    words = bert_tokenizer()
    assert words.unk_token_id not in words(f"question: {sentence}? answer: yes").input_ids


def test_the_captioner_starts_with_the_eyes_of_the_detector() -> None:
    torch.manual_seed(0)
    tower = owl.network(clip.network(100, 98, 99)).owlv2.vision_model
    model = blip.network(100, 2, 3, tower)
    x = pixels(scenes(0, 8))
    with torch.no_grad():
        ours = model.vision_model(x).last_hidden_state
        theirs = tower.post_layernorm(tower(x).last_hidden_state)
    # the folded norm is exact but for each token's own deviation
    assert torch.nn.functional.cosine_similarity(ours, theirs, dim=-1).mean() > 0.9


def test_texts_in_one_row_are_read_as_if_each_stood_alone() -> None:
    torch.manual_seed(0)
    words = bert_tokenizer()
    tower = owl.network(clip.network(100, 98, 99)).owlv2.vision_model
    model = blip.network(len(words), words.cls_token_id, words.sep_token_id, tower).eval()
    lesson = blip_lessons.Lesson("is there a dog?", "yes")
    seen = torch.randn(1, 5, 256)

    def logits(row: blip.Row) -> torch.Tensor:
        rows = blip.packed([row])
        with torch.no_grad():
            said: torch.Tensor = model.text_decoder(
                input_ids=rows.tokens,
                attention_mask=rows.mask,
                position_ids=rows.places,
                encoder_hidden_states=seen,
            ).logits
        return said[0]

    alone, company = blip.Row(), blip.Row()
    company.add(words("a red apple").input_ids, 1)
    before = len(company.tokens)
    for row in (alone, company):
        row.ask(words, lesson)
    torch.testing.assert_close(logits(company)[before:], logits(alone), atol=1e-5, rtol=0)
    assert company.labels[before:] == alone.labels
    told = [token for token in alone.labels if token != blip.UNTOLD]
    assert told == words("yes").input_ids[1:]


def test_lessons_are_true_of_the_picture_as_shown() -> None:
    rng = np.random.default_rng(0)
    batch = scenes(0, 64)
    seen = shown(batch, rng)
    asked = [
        (masks, lesson)
        for scene, boxes, masks in zip(batch, seen.boxes, seen.masks, strict=True)
        for lesson in blip_lessons.lessons(scene, boxes, rng, coloured=True)
    ]
    assert len(asked) == 64 * blip_lessons.ASKED
    sides = [lesson for _, lesson in asked if len(lesson.about) == 2]
    assert len(sides) > 60
    for lesson in sides:
        (x, y), (other_x, other_y) = (one.centre for one in lesson.about)
        true = {"left": x < other_x, "right": x > other_x, "above": y < other_y}
        true["below"] = not true["above"]
        if lesson.answer in ("yes", "no"):
            (said,) = [side for side in true if f" {side} " in lesson.text]
            assert true[said] == (lesson.answer == "yes"), lesson
        else:
            assert all(true[side] for side in lesson.answer.split()), lesson


def test_a_painted_scene_keeps_the_outlines_and_places_of_its_things() -> None:
    made = painted._made(range(painted.FIRST, painted.FIRST + 4), "cpu")
    assert 1 <= len(made["seeds"]) <= 4
    scenes = [painted._scene(int(seed)) for seed in made["seeds"]]
    assert len(made["masks"]) == sum(len(scene.things) for scene in scenes)
    exact = np.concatenate([masks(scene) for scene in scenes])
    for ours, theirs in zip(made["masks"], exact, strict=True):
        assert (ours & theirs).sum() > 0.5 * (ours | theirs).sum()
    for picture, scene in zip(made["pictures"], scenes, strict=True):
        assert np.abs(picture.astype(int) - draw(scene)).mean() < 25


def test_latents_are_put_off_by_nothing_up_to_the_limit() -> None:
    torch.manual_seed(0)
    z = torch.zeros(64, 4, 8, 8)
    away = (vae.off(z) / vae.SPREAD).flatten(1).std(1)
    assert float(away.max()) < 1.5 * vae.NOISE
    assert float(away.min()) < 0.02, "some are nearly exact"


def test_a_new_controlnet_follows_no_map_yet() -> None:
    pipeline = diffusion.load(WEIGHTS / "stable-diffusion", WEIGHTS / "clip")
    hand, net = Diffusion(pipeline), control.network(pipeline.unet).eval()
    order, manner = Order("a red apple", "", 0), Manner(3, 1.5)
    maps = [control.regions(sample(seed), np.random.default_rng(0)) for seed in (3, 4)]
    assert ((maps[0] > 0).any(2) == masks(sample(3)).any(0)).all()
    one, other = (hand.follow(order, shown, net=net, manner=manner, scale=1.0) for shown in maps)
    assert np.array_equal(one, other)
