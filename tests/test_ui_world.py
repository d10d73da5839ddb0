"""`sightloop world`: pictures with their exact truth, the same for ever."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from tools.values import Mask

if TYPE_CHECKING:
    from tests.conftest import Ended

Command = Callable[..., "Ended"]


def scenes(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "scenes.jsonl").read_text().splitlines()]


def test_the_same_seed_writes_the_same_files(sightloop: Command, tmp_path: Path) -> None:
    for name in ("once", "again"):
        assert sightloop("world", "sample", "--seed", 7, "--count", 4, "--out", name).code == 0
    once = {path.name: path.read_bytes() for path in (tmp_path / "once").iterdir()}
    again = {path.name: path.read_bytes() for path in (tmp_path / "again").iterdir()}
    assert once == again
    assert len(scenes(tmp_path / "once")) == 4


def test_a_scene_does_not_depend_on_where_the_series_began(
    sightloop: Command, tmp_path: Path
) -> None:
    sightloop("world", "sample", "--seed", 5, "--count", 3, "--out", "long")
    sightloop("world", "sample", "--seed", 7, "--count", 1, "--out", "short")
    assert scenes(tmp_path / "long")[2] == scenes(tmp_path / "short")[0]


def test_what_the_record_says_is_in_the_picture(sightloop: Command, tmp_path: Path) -> None:
    sightloop("world", "sample", "--seed", 1, "--count", 20, "--out", ".")
    for scene in scenes(tmp_path):
        pixels = np.asarray(Image.open(tmp_path / scene["image"]).convert("RGB"))
        assert pixels.shape == (scene["height"], scene["width"], 3)
        assert len(scene["boxes"]) == len(scene["masks"]) == len(scene["scene"]["things"])
        for box, rle in zip(scene["boxes"], scene["masks"], strict=True):
            rows, columns = np.nonzero(Mask.from_rle(rle).pixels)
            assert box == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        for edit in scene["edits"]:
            after = np.asarray(Image.open(tmp_path / edit["after"]).convert("RGB"))
            changed = (pixels != after).any(axis=2)
            assert np.array_equal(changed, Mask.from_rle(edit["mask"]).pixels)
        assert scene["captions"]
        assert all(question["answer"] for question in scene["questions"])


def test_held_out_scenes_are_marked_and_ordinary_ones_hold_none(
    sightloop: Command, tmp_path: Path
) -> None:
    sightloop("world", "sample", "--count", 15, "--out", "seen")
    sightloop("world", "sample", "--count", 15, "--out", "unseen", "--held-out")
    seen, unseen = scenes(tmp_path / "seen"), scenes(tmp_path / "unseen")
    assert not any(scene["held_out_seed"] or scene["held_out_pair"] for scene in seen)
    assert all(scene["held_out_seed"] and scene["held_out_pair"] for scene in unseen)


def test_the_vocabulary_is_json(sightloop: Command) -> None:
    words = json.loads(sightloop("world", "vocabulary", "--json").out)
    assert len(words["objects"]) >= 40
    assert sum(each["recolourable"] for each in words["objects"]) >= 16
    assert len(words["colours"]) == 7
    assert len(words["backgrounds"]) == 8
    assert words["sizes"] == ["small", "large"]


def test_a_sheet_shows_many_scenes(sightloop: Command, tmp_path: Path) -> None:
    assert sightloop("world", "sheet", "--count", 12, "--out", "deep/sheet.png").code == 0
    width, height = Image.open(tmp_path / "deep/sheet.png").size
    assert width > 4 * 128
    assert height > 2 * 128


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["sample", "--seed", -1, "--out", "x"], "seed -1 is below 0"),
        (["sample", "--count", 0, "--out", "x"], "count 0 is below 1"),
        (["sample", "--size", 9000, "--out", "x"], "between 32 and 2048 pixels"),
        (["sample", "--seed", 999_999_999, "--count", 2, "--out", "x"], "would cross"),
        (["sample"], "Missing option '--out'"),
        (["sheet", "--count", 5000], "at most 400 scenes"),
        (["smple"], "Did you mean 'sample'?"),
    ],
)
def test_a_wrong_number_is_one_line(sightloop: Command, arguments: list[object], says: str) -> None:
    ended = sightloop("world", *arguments)
    assert ended.code == 2
    assert says in ended.err
    assert len(ended.err.splitlines()) == 1
