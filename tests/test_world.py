"""StickerWorld: the same for ever by seed, exact truth, and what training must never see."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from miniature.world.language import caption, describe, edits, questions
from miniature.world.scene import CANVAS, LATTICE, boxes, draw, masks, relations, sample
from miniature.world.splits import (
    FIRST_SEED,
    HELD_OUT_SEED,
    has_held_out_pair,
    held_out_colours,
    held_out_objects,
)
from miniature.world.vocabulary import BACKGROUNDS, COLOURS, COUNT_WORDS, KINDS, OBJECTS

SEEDS = range(200)


def test_the_world_is_as_rich_as_promised() -> None:
    assert len(KINDS) >= 40
    assert sum(kind.recolourable for kind in KINDS) >= 16
    assert len(COLOURS) == 7
    assert len(BACKGROUNDS) == 8
    assert {kind.category for kind in KINDS} == {"animal", "food", "vehicle", "nature", "thing"}


def test_a_seed_gives_the_same_picture_for_ever() -> None:
    digest = hashlib.sha256()
    for seed in range(20):
        digest.update(repr(sample(seed)).encode())
    assert (draw(sample(7)) == draw(sample(7))).all()
    assert digest.hexdigest().startswith("c2bfc5136198")


def test_training_seeds_never_hold_a_held_out_pair() -> None:
    for seed in SEEDS:
        assert not has_held_out_pair(thing.group for thing in sample(seed).things)


def test_a_held_out_pair_can_be_asked_of_evaluation_seeds_only() -> None:
    first = FIRST_SEED["test"]
    for seed in range(first, first + 20):
        scene = sample(seed, held_out_pair=True)
        assert has_held_out_pair(thing.group for thing in scene.things)
    with pytest.raises(ValueError, match="training"):
        sample(HELD_OUT_SEED - 1, held_out_pair=True)


def test_a_tenth_of_the_pairs_is_held_out() -> None:
    coloured = sum(kind.recolourable for kind in KINDS) * len(COLOURS)
    assert len(held_out_colours()) == coloured // 10
    assert len(held_out_objects()) == len(KINDS) * (len(KINDS) - 1) // 2 // 10


def test_splits_do_not_share_seeds() -> None:
    first = sorted(FIRST_SEED.values())
    assert len(set(first)) == len(first)
    assert FIRST_SEED["test"] >= HELD_OUT_SEED > FIRST_SEED["judge"] > FIRST_SEED["train"]


@pytest.mark.parametrize("size", [CANVAS, 2 * CANVAS])
def test_boxes_are_the_extent_of_the_masks(size: int) -> None:
    for seed in range(30):
        scene = sample(seed)
        for box, mask in zip(boxes(scene, size), masks(scene, size), strict=True):
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            assert box.tolist() == [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]


def test_objects_lie_on_the_lattice_and_do_not_overlap() -> None:
    for seed in SEEDS:
        scene = sample(seed)
        assert 1 <= len(scene.things) <= 4
        assert all(thing.x % LATTICE == thing.y % LATTICE == 0 for thing in scene.things)
        assert masks(scene).sum(0).max() <= 1


def test_only_the_objects_hide_the_background() -> None:
    for seed in range(30):
        scene = sample(seed)
        bare = (draw(scene) == BACKGROUNDS[scene.background]).all(-1)
        things = np.zeros_like(bare)
        for thing in scene.things:
            things[thing.y : thing.y + thing.side, thing.x : thing.x + thing.side] = True
        assert bare[~things].all()


def test_relations_mirror_each_other() -> None:
    mirrored = {"left": "right", "right": "left", "above": "below", "below": "above"}
    for seed in SEEDS:
        things = sample(seed).things
        if len(things) == 2:
            there = relations(things[0], things[1])
            assert [mirrored[r] for r in there] == list(relations(things[1], things[0]))


def test_captions_name_every_object_and_only_those() -> None:
    rng = np.random.default_rng(0)
    for seed in SEEDS:
        scene = sample(seed)
        for text in (describe(scene), caption(scene, rng)):
            words = set(text.replace(",", "").split())
            for kind in KINDS:
                named = bool(words & {kind.name, kind.plural})
                assert named == any(thing.name == kind.name for thing in scene.things), text


def test_answers_follow_from_the_scene() -> None:
    rng = np.random.default_rng(0)
    for seed in SEEDS:
        scene = sample(seed)
        names = [thing.name for thing in scene.things]
        for question in questions(scene, rng, 6):
            if question.kind == "presence":
                asked = question.text.removeprefix("is there an ").removeprefix("is there a ")
                assert (question.answer == "yes") == (asked.rstrip("?") in names)
            if question.kind == "count":
                plural = question.text.split()[2]
                number = sum(OBJECTS[name].plural == plural for name in names)
                assert question.answer == COUNT_WORDS[number]
            if question.text == "what is the background color?":
                assert question.answer == scene.background


def test_an_edit_changes_what_it_says_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    for seed in range(60):
        scene = sample(seed)
        for edit in edits(scene, rng):
            changed = (draw(scene) != draw(edit.after)).any(-1)
            assert changed.any()
            if edit.kind == "background":
                assert edit.after.things == scene.things
                continue
            touched = np.zeros_like(changed)
            for i in edit.touched:
                thing = scene.things[i]
                touched[thing.y : thing.y + thing.side, thing.x : thing.x + thing.side] = True
            assert not (changed & ~touched).any()


def test_composed_scenes_have_fixed_places() -> None:
    middles, corners = set(), set()
    for seed in SEEDS:
        scene = sample(seed, composed=True)
        assert masks(scene).sum(0).max() <= 1
        places = {thing.centre for thing in scene.things}
        if len(scene.things) == 1:
            middles |= places
        if len(scene.things) == 4:
            corners |= places
    assert middles == {(64, 64)}
    assert len(corners) == 4
