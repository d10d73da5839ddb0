"""Prompt files of public benchmarks are read by path, drawn three ways and marked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import dsg, geneval, prompted, t2i_compbench
from benchmarks.arms import ARMS
from miniature.world.scene import Scene, Thing, draw
from tools.errors import InvalidInput
from tools.profile import Profile, ToolProfile
from tools.toolbox import LocalToolbox
from tools.values import Image

METADATA = {
    "tag": "position",
    "include": [
        {"class": "dog", "count": 1},
        {"class": "car", "count": 1, "color": "red", "position": ["left of", 0]},
    ],
    "exclude": [{"class": "dog", "count": 2}],
    "prompt": "a photo of a red car left of a dog",
}
DSG = """item_id,text,keywords,proposition_id,dependency,question_natural_language
vrd_1,a dog on a car,dog,1,0,Is there a dog?
vrd_1,a dog on a car,car,2,0,Is there a car?
vrd_1,a dog on a car,"dog, car",3,"1,2",Is the dog on the car?
tifa_2,a star,star,1,0,Is there a star?
"""


@pytest.fixture(scope="module")
def small(tiny: Path) -> LocalToolbox:
    """Untrained networks; two steps a picture."""
    folders = {"vqa": "blip-vqa", "ground": "owl", "score": "clip", "classify": "clip"}
    tools = {name: ToolProfile(checkpoint=str(tiny / at)) for name, at in folders.items()}
    tools["generate"] = ToolProfile(checkpoint=str(tiny / "diffusion-tiny"), options={"steps": 2})
    return LocalToolbox(Profile(name="tiny", tools=tools))


def scene(*things: Thing) -> Image:
    return Image.from_pixels(draw(Scene("white", things)))


async def test_geneval_is_marked_by_its_rules(miniature: LocalToolbox) -> None:
    car, dog = Thing("car", "red", "large", 0, 32), Thing("dog", None, "large", 64, 32)
    assert await geneval.missing(METADATA, scene(car, dog), miniature) == []
    swapped = scene(Thing("car", "red", "large", 64, 32), Thing("dog", None, "large", 0, 32))
    assert await geneval.missing(METADATA, swapped, miniature) == ["car is not left of"]
    assert await geneval.missing(METADATA, scene(dog), miniature) == ["fewer than 1 car"]


def test_sides_are_told_only_from_things_that_are_apart() -> None:
    assert geneval.sides((0, 0, 10, 10), (50, 0, 60, 10)) == {"left of"}
    assert geneval.sides((0, 50, 10, 60), (0, 0, 10, 10)) == {"below"}
    assert geneval.sides((0, 0, 10, 10), (1, 1, 11, 11)) == set()


async def test_a_question_holds_only_if_those_it_depends_on_do(miniature: LocalToolbox) -> None:
    dog = scene(Thing("dog", None, "large", 32, 32))
    asked = [
        dsg.Question(1, (), "is there a dog?"),
        dsg.Question(2, (), "is there a car?"),
        dsg.Question(3, (1, 2), "is there a dog?"),
    ]
    assert await dsg.answered(asked, dog, miniature) == pytest.approx(1 / 3)


def test_phrases_with_attributes_are_told_apart() -> None:
    assert t2i_compbench.phrases("a green bench and a blue bowl") == [
        "a green bench",
        "a blue bowl",
    ]
    assert t2i_compbench.phrases("A black and white cat sits in a white sink.") == [
        "A black and white cat sits in a white sink"
    ]


async def test_every_prompt_is_drawn_three_ways_and_laid_out_for_the_official_evaluator(
    small: LocalToolbox, tmp_path: Path
) -> None:
    files = {
        "evaluation_metadata.jsonl": (geneval.read, json.dumps(METADATA) + "\n"),
        "dsg-1k-anns.csv": (dsg.read, DSG),
        "color_val.txt": (t2i_compbench.read, "a green bench and a blue bowl\n"),
        "spatial_val.txt": (t2i_compbench.read, "a giraffe next to a lamp\n"),
    }
    items = []
    for name, (read, text) in files.items():
        (tmp_path / name).write_text(text)
        items += read(tmp_path / name)[:1]
    for _ in range(2):  # the second time nothing is left to do
        lines = await prompted.measure(items, 2, small, tmp_path / "out")
    assert [line["kind"] for line in lines] == ["position", "vrd", "color", "spatial"]
    assert lines[3]["marks"] == dict.fromkeys(ARMS)
    found = prompted.figures(lines)
    assert found["mark"]["marked"] == 3
    assert "| spatial | 1 | – | – | – | – | – |" in prompted.body(found, Path("out"))
    made = {
        path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")
    }
    assert {
        "loop/00000/samples/00000.png",
        "loop/00000/metadata.jsonl",
        "best/vrd_1.png",
        "single/color/samples/a green bench and a blue bowl_000000.png",
    } <= made
    assert len((tmp_path / "out/results.jsonl").read_text().splitlines()) == 4


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("a,b\n1,2\n")
    with pytest.raises(InvalidInput, match="line 1 is no GenEval metadata"):
        geneval.read(file)
    with pytest.raises(InvalidInput, match="no column item_id"):
        dsg.read(file)


def test_what_is_wrong_with_a_file_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["geneval", "--file", str(tmp_path / "gone.jsonl")])
    with pytest.raises(SystemExit, match="2"):
        prompted.main("geneval", "GenEval prompts", geneval.read)
    assert "gone.jsonl" in capsys.readouterr().err.splitlines()[-1]
