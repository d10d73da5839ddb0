"""Retrieve: words, a picture, or both find pictures of a person's folders, with real networks."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image as PIL

from miniature.world.scene import Scene, Thing, draw
from tools.errors import InvalidInput
from tools.index.catalogue import Catalogue
from tools.toolbox import LocalToolbox
from tools.values import Image

if TYPE_CHECKING:
    from tests.conftest import Ended

Command = Callable[..., "Ended"]
SHOWN = {
    "dog": ("dog", None, "white"),
    "car": ("car", "red", "white"),
    "cat": ("cat", None, "blue"),
    "apple": ("apple", "green", "gray"),
    "tree": ("tree", None, "pink"),
}


def scene(name: str, colour: str | None, background: str) -> Scene:
    return Scene(background, (Thing(name, colour, "large", 32, 32),))


@pytest.fixture
def folder(tmp_path: Path, home: Path, sightloop: Command) -> Path:
    """A folder of five pictures, in the index "default"."""
    place = tmp_path / "mine"
    place.mkdir()
    for name, facts in SHOWN.items():
        PIL.fromarray(draw(scene(*facts))).save(place / f"{name}.png")
    ended = sightloop("index", "add", place)
    assert ended.code == 0, ended.err
    assert "5 pictures; 5 added" in ended.out
    return place


def ask(toolbox: LocalToolbox, **arguments: Any) -> list[Any]:
    request = toolbox.tool("retrieve").parse(arguments)
    return asyncio.run(toolbox.call_many("retrieve", [request]))


def test_words_a_picture_and_both(
    folder: Path, miniature: LocalToolbox, sightloop: Command
) -> None:
    for words, name in (("a dog", "dog"), ("a red car", "car"), ("a tree", "tree")):
        (found,) = ask(miniature, query=words, k=2)
        assert Path(found.matches[0].path).stem == name
        assert [each.image for each in found.matches] == [each.id for each in found.images]
        assert len(found.matches) == 2
    other = Image.from_pixels(draw(Scene("gray", (Thing("cat", None, "large", 8, 40),))))
    assert Path(ask(miniature, image=other)[0].matches[0].path).stem == "cat"
    (both,) = ask(miniature, image=other, query="a dog", k=5)
    assert {Path(each.path).stem for each in both.matches[:2]} == {"cat", "dog"}
    said = json.loads(sightloop("index", "search", "a dog", "-k", 1, "--json").out)
    assert Path(said["matches"][0]["path"]).stem == "dog"
    shown = sightloop("tool", "retrieve", "query=a dog", "k=1")
    assert "dog.png" in shown.out


def test_a_batch_gives_what_its_items_give_alone_and_a_bad_one_spoils_only_itself(
    folder: Path, miniature: LocalToolbox
) -> None:
    tool = miniature.tool("retrieve")
    ask(miniature, query="a dog")
    picture = Image.from_pixels(draw(scene("cow", None, "white")))
    asked = [
        tool.parse(one)
        for one in (
            {"query": "a dog"},
            {"query": "a dog", "index": "none"},
            {},
            {"image": picture, "k": 3},
            {"image": picture, "query": "a cat", "k": 100},
        )
    ]
    before = [one.model_dump_json() for one in asked]
    together: list[Any] = list(tool.run(asked))
    assert [one.model_dump_json() for one in asked] == before
    alone = [tool.run([one])[0] for one in asked]
    assert [str(each) for each in together] == [str(each) for each in alone]
    assert "no index 'none'; there are: default" in str(together[1])
    assert "needs words (query), a picture (image), or both" in str(together[2])
    assert len(together[4].matches) == 5, "no more than there are"


def test_an_answer_follows_the_index(folder: Path, sightloop: Command) -> None:
    search = ("index", "search", "a dog", "-k", 1, "--json")
    first = json.loads(sightloop(*search).out)["matches"][0]
    (folder / "dog.png").unlink()
    second = json.loads(sightloop(*search).out)["matches"][0]
    assert second["path"] != first["path"], "a file that is gone is not shown"
    assert "4 pictures; 0 added" in sightloop("index", "add").out
    PIL.fromarray(draw(scene("dog", None, "gray"))).save(folder / "another.png")
    assert "5 pictures; 1 added" in sightloop("index", "add").out
    third = json.loads(sightloop(*search).out)["matches"][0]
    assert Path(third["path"]).stem == "another"


def test_indexes_are_listed_searched_for_copies_and_removed(
    folder: Path, tmp_path: Path, sightloop: Command
) -> None:
    (folder / "broken.png").write_bytes(b"\x89PNG")
    PIL.open(folder / "dog.png").resize((256, 256)).save(folder / "large-dog.png")
    added = sightloop("index", "add", folder, "--json")
    assert [Path(one["path"]).name for one in json.loads(added.out)["skipped"]] == ["broken.png"]
    (facts,) = json.loads(sightloop("index", "list", "default", "--json").out)["indexes"]
    assert (facts["pictures"], facts["skipped"]) == (6, 1)
    assert facts["encoder"] == "miniature/weights/clip"
    assert "broken.png" in sightloop("index", "list", "default").out
    (group,) = json.loads(sightloop("index", "duplicates", "--json").out)["groups"]
    assert [Path(path).stem for path in group] == ["dog", "large-dog"]
    assert "7 files" in sightloop("index", "remove", "--folder", folder).out
    assert "holds no pictures" in sightloop("index", "search", "a dog").err
    assert sightloop("index", "remove").code == 0
    assert "no index yet" in sightloop("index", "list").out
    assert len(list(folder.iterdir())) == 7


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("add", "missing"), "'missing' is not a folder"),
        (("add", "mine/dog.png"), "is not a folder"),
        (("add", "mine", "--index", "../up"), "'../up' is not allowed"),
        (("add", "mine", "--encoder", "clop"), "no encoder 'clop'; there are: clip"),
        (("add", "mine", "--encoder", "no/where", "--index", "n"), "is not on this machine"),
        (("add", "mine", "--encoder", "no/where"), "vectors of two encoders do not mix"),
        (("add", "--index", "none"), "no index 'none'; there are: default"),
        (("add", "mine", "--profile", "none"), "no profile 'none'"),
        (("remove", "none"), "no index 'none'; there are: default"),
        (("remove", "--folder", "missing"), "is not in index 'default'; in it are"),
        (("list", "none"), "no index 'none'"),
        (("duplicates", "--index", "none"), "no index 'none'"),
        (("search",), "needs words (query), a picture (image), or both"),
        (("search", " "), "at least 1 character"),
        (("search", "a dog", "-k", "0"), "greater than or equal to 1"),
        (("search", "a dog", "-k", "101"), "less than or equal to 100"),
        (("search", "a dog", "--index", "none"), "no index 'none'"),
        (("search", "-i", "missing.png"), "there is no file"),
        (("search", "x" * 1001), "at most 1000 characters"),
    ],
)
def test_what_is_wrong_is_said_and_the_index_is_unharmed(
    folder: Path, sightloop: Command, command: tuple[str, ...], says: str
) -> None:
    with Catalogue("default") as catalogue:
        before = list(catalogue.every())
    ended = sightloop("index", *command)
    assert ended.code == 2
    assert says in ended.err
    with Catalogue("default") as catalogue:
        assert list(catalogue.every()) == before
    assert json.loads(sightloop("index", "list", "--json").out)["indexes"][0]["pictures"] == 5


def test_a_damaged_index_is_said_and_made_anew(
    folder: Path, home: Path, sightloop: Command
) -> None:
    (home / "index" / "default" / "rows.sqlite").write_bytes(b"no database at all" * 99)
    for command in (("search", "a dog"), ("add",), ("duplicates",)):
        ended = sightloop("index", *command)
        assert ended.code == 2
        assert "'default' is damaged" in ended.err
    assert (
        "is damaged" in json.loads(sightloop("index", "list", "--json").out)["indexes"][0]["error"]
    )
    assert sightloop("index", "remove", "default").code == 0
    assert "5 pictures" in sightloop("index", "add", folder).out


def test_an_index_of_other_weights_is_refused(folder: Path, sightloop: Command) -> None:
    with Catalogue("default") as catalogue:
        catalogue._set("digest", "0" * 64)
    for command in (("search", "a dog"), ("add",)):
        assert "made with other weights" in sightloop("index", *command).err


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_home_that_cannot_be_written(folder: Path, home: Path, sightloop: Command) -> None:
    (home / "index" / "default").chmod(0o500)
    assert sightloop("index", "search", "a dog").code == 0
    assert "cannot be used" in sightloop("index", "add").err


def test_a_home_that_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sightloop: Command
) -> None:
    (tmp_path / "taken").touch()
    monkeypatch.setenv("SIGHTLOOP_HOME", str(tmp_path / "taken"))
    (tmp_path / "mine").mkdir()
    ended = sightloop("index", "add", "mine")
    assert ended.code == 2
    assert "taken" in ended.err


def test_an_index_of_an_encoder_without_words_takes_pictures_only(
    folder: Path, miniature: LocalToolbox
) -> None:
    with Catalogue("default") as catalogue:
        catalogue._set("speaks", 0)
    (refused,) = ask(miniature, query="a dog")
    assert isinstance(refused, InvalidInput)
    assert "reads no words; give a picture" in str(refused)
    picture = Image.from_pixels(draw(scene("dog", None, "white")))
    assert Path(ask(miniature, image=picture)[0].matches[0].path).stem == "dog"
