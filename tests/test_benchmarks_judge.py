"""The judge, its truth, and the prompts it marks."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.expectation import KINDS, Expectation, Wanted
from benchmarks.judge import Judge, SeenThing, Sight, overlap
from benchmarks.judge_accuracy import claims, measure, whole_scene_right
from benchmarks.stickereval_prompts import (
    EACH,
    SCENES,
    SCENES_FILE,
    load,
    make,
    make_scenes,
)
from miniature.world.scene import boxes, draw, sample
from miniature.world.splits import FIRST_SEED

DOG = SeenThing("dog", None, (10, 10, 40, 40), 0.9)
RED_CAR = SeenThing("car", "red", (70, 10, 110, 40), 0.9)
SIGHT = Sight("blue", (DOG, RED_CAR))


@pytest.mark.parametrize(
    ("expectation", "missing"),
    [
        (Expectation((Wanted("dog"),)), []),
        (Expectation((Wanted("cat"),)), ["objects"]),
        (Expectation((Wanted("car", "red"), Wanted("dog"))), []),
        (Expectation((Wanted("car", "blue"),)), ["objects"]),
        (Expectation((Wanted("dog", None, 2, True),)), ["count"]),
        (Expectation((Wanted("dog", count=0),)), ["count"]),
        (Expectation((Wanted("cat", count=0),)), []),
        (Expectation((Wanted("dog"), Wanted("car")), "left"), []),
        (Expectation((Wanted("dog"), Wanted("car")), "above"), ["relation"]),
        (Expectation((Wanted("dog"),), background="pink"), ["background"]),
    ],
)
def test_a_sight_meets_just_what_it_shows(expectation: Expectation, missing: list[str]) -> None:
    assert SIGHT.shortfalls(expectation) == missing


def test_two_dogs_are_no_single_dog_when_the_number_matters() -> None:
    sight = Sight("white", (DOG, SeenThing("dog", None, (70, 70, 100, 100), 0.8)))
    assert sight.meets(Expectation((Wanted("dog"),)))
    assert not sight.meets(Expectation((Wanted("dog", None, 1, True),)))


def test_boxes_overlap_by_intersection_over_union() -> None:
    assert overlap((0, 0, 10, 10), (0, 0, 10, 10)) == 1
    assert overlap((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 10, 10), (10, 0, 20, 10)) == 0


def test_claims_are_as_often_false_as_true_and_the_truth_tells_them_apart() -> None:
    rng = np.random.default_rng(0)
    for seed in range(FIRST_SEED["calibration"], FIRST_SEED["calibration"] + 50):
        scene = sample(seed)
        seen = tuple(
            SeenThing(thing.name, thing.colour, (x0, y0, x1, y1), 1.0)
            for thing, (x0, y0, x1, y1) in zip(scene.things, boxes(scene).tolist(), strict=True)
        )
        sight = Sight(scene.background, seen)
        made = claims(scene, rng)
        assert whole_scene_right(scene, sight)
        assert sum(truth for _, _, truth in made) * 2 == len(made)
        assert all(sight.meets(expectation) == truth for _, expectation, truth in made)


def test_the_shipped_judge_reads_held_out_scenes() -> None:
    found = measure(Judge(), 48)
    assert isinstance(found["whole_scene"], float)
    assert found["whole_scene"] >= 0.9
    assert isinstance(found["claim"], float)
    assert found["claim"] >= 0.95


def test_the_judge_reads_a_larger_picture_of_the_same_scene_alike() -> None:
    scene = sample(FIRST_SEED["calibration"])
    small, large = Judge().look([draw(scene), draw(scene, 256)])
    assert {thing.name for thing in small.things} == {thing.name for thing in large.things}


def test_the_prompts_in_the_repository_are_those_the_generator_makes() -> None:
    prompts = load()
    assert prompts == make()
    assert [prompt.kind for prompt in prompts] == [kind for kind in KINDS for _ in range(EACH)]
    assert len({prompt.id for prompt in prompts}) == len(prompts) == 300
    scenes = load(SCENES_FILE)
    assert scenes == make_scenes()
    assert len({prompt.text for prompt in scenes}) == SCENES


def test_a_prompt_says_what_it_expects() -> None:
    for prompt in (*load(), *load(SCENES_FILE)):
        assert all(one.name in prompt.text or one.count > 1 for one in prompt.expectation.wanted)
        assert prompt.text == prompt.expectation.words()
