"""The graph of versions, recipes, and checks made again."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PIL

from agent.store import Origin, Store
from tools.values import Image
from ui.face.recipe import again, lines, signed
from ui.face.versions import depths, parents


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def kept(store: Store, level: int, tool: str, *froms: str) -> str:
    image = Image.from_pixels(np.full((8, 8, 3), level, np.uint8))
    return store.put(image, Origin(tool=tool, parents=froms))


def test_a_picture_stands_below_the_nearest_shown_one_it_was_made_from(store: Store) -> None:
    first = kept(store, 10, "upload")
    unseen = kept(store, 20, "inpaint", first)
    second = kept(store, 30, "inpaint", unseen)
    other = kept(store, 40, "generate")
    found = parents(store, {"img1": first, "img2": second, "img3": other})
    assert found == {"img1": (), "img2": ("img1",), "img3": ()}
    assert depths(found) == {"img1": 0, "img2": 1, "img3": 0}


def test_an_edit_there_and_back_makes_no_circle(store: Store) -> None:
    first = kept(store, 10, "upload")
    second = kept(store, 20, "edit", first)
    kept(store, 10, "edit", second)  # the first picture again
    assert parents(store, {"img1": first, "img2": second}) == {"img1": (), "img2": ("img1",)}


ORIGIN = Origin(
    tool="inpaint",
    input={"image": "a" * 64, "prompt": "a key", "seed": 7, "boxes": []},
    seed=7,
    parents=("a" * 64,),
)


def test_a_recipe_names_seed_words_and_pictures_by_their_handles() -> None:
    said = "\n".join(lines(ORIGIN, {"a" * 64: "img1"}))
    assert "seed **7**" in said
    assert "*a key*" in said
    assert "image: img1" in said


def test_a_downloaded_picture_carries_its_recipe() -> None:
    image = Image.from_pixels(np.full((4, 4, 3), 9, np.uint8))
    file = PIL.open(io.BytesIO(signed(image, ORIGIN)))
    assert json.loads(file.info["sightloop"])["seed"] == 7
    assert Image.from_pil(file) == image


def test_a_call_is_made_again_with_other_words_and_another_seed() -> None:
    plan = again(ORIGIN, "a star", 9, {"a" * 64: "img1"})
    assert plan is not None
    given = plan.calls[0].input
    assert (given["image"], given["prompt"], given["seed"]) == ("img1", "a star", 9)


def test_a_call_whose_picture_is_elsewhere_is_not_made_again() -> None:
    assert again(ORIGIN, "a star", 9, {}) is None


def test_conversations_are_called_by_their_first_words_until_they_get_a_name(store: Store) -> None:
    talk, empty = store.conversation(), store.conversation()
    store.begin_turn(talk, "draw a dog")
    store.begin_turn(talk, "now in green")
    assert store.titles() == {talk: "draw a dog"}
    store.rename(talk, "dogs")
    assert store.titles()[talk] == "dogs"
    assert empty not in store.titles()
