"""`sightloop map`: one tool over a folder, and on from where it was ended."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image as PIL

if TYPE_CHECKING:
    from tests.conftest import Ended

Command = Callable[..., "Ended"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures, one of them below; a damaged one; and what is none."""
    place = tmp_path / "mine"
    (place / "below").mkdir(parents=True)
    for index, name in enumerate(("a.png", "b.PNG", "below/c.jpg")):
        pixels = np.full((24, 32, 3), 40 * index, np.uint8)
        pixels[6:12, 6:12] = 255
        PIL.fromarray(pixels).save(place / name)
    (place / "damaged.png").write_bytes(b"\x89PNG")
    (place / "notes.txt").write_text("no picture")
    (place / ".hidden.png").write_bytes(b"")
    return place


@pytest.fixture
def edges(tmp_path: Path) -> Path:
    path = tmp_path / "edges.yaml"
    path.write_text("tools: {edges: {checkpoint: 'package:opencv-python-headless'}}")
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_picture_is_answered_once_whatever_happens_between(
    folder: Path, edges: Path, sightloop: Command, tmp_path: Path
) -> None:
    words = ("map", "edges", folder, "-p", edges, "-o", tmp_path / "out", "--batch", 2, "--json")
    first = json.loads(sightloop(*words).out)
    assert (first["done"], first["before"]) == (3, 0)
    assert list(first["failed"]) == [str(folder / "damaged.png")]
    results = Path(first["results"])
    head, *made = lines(results)
    assert head["tool"] == "edges"
    assert [Path(line["path"]).name for line in made] == ["a.png", "b.PNG", "c.jpg"]
    assert all(Path(file).is_file() for line in made for file in line["pictures"].values())

    whole = results.read_text()
    results.write_text(whole[:-40])  # killed while it wrote the last line
    again = json.loads(sightloop(*words).out)
    assert (again["done"], again["before"]) == (1, 2)
    assert results.read_text() == whole


def test_results_of_other_arguments_are_not_mixed(
    folder: Path, edges: Path, sightloop: Command, tmp_path: Path
) -> None:
    words = ("map", "edges", folder, "-p", edges, "-o", tmp_path / "out")
    assert sightloop(*words).code == 0
    refused = sightloop(*words, "low=50")
    assert refused.code == 2
    assert "take another --out" in refused.err


@pytest.mark.parametrize("words", [("edges", "nowhere"), ("nothing", ".")])
def test_what_is_not_there_is_said(edges: Path, sightloop: Command, words: tuple[str, str]) -> None:
    refused = sightloop("map", *words, "-p", edges)
    assert refused.code == 2
    assert refused.err.count("\n") == 1
