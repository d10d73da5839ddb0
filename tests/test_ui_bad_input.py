"""Bad input at the command line: one clear line, exit code 2, nothing left behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

if TYPE_CHECKING:
    from tests.conftest import Ended

Command = Callable[..., "Ended"]
GRADIENT = np.linspace(0, 255, 64 * 48 * 3, dtype=np.uint8).reshape(48, 64, 3)


def missing(path: Path) -> None:
    pass


def empty(path: Path) -> None:
    path.touch()


def truncated(path: Path) -> None:
    Image.fromarray(GRADIENT).save(path)
    path.write_bytes(path.read_bytes()[:-200])


def text(path: Path) -> None:
    path.write_text("a red apple\n")


def enormous(path: Path) -> None:
    Image.new("1", (9000, 8000)).save(path)


def folder(path: Path) -> None:
    path.mkdir()


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A scripted planner that asks for a caption of img1."""
    path = tmp_path / "script.json"
    call = {"id": "c1", "tool": "caption", "input": {"image": "img1"}}
    path.write_text(json.dumps([{"calls": [call]}]))
    return path


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (missing, "there is no file"),
        (empty, "is empty (0 bytes)"),
        (truncated, "damaged or truncated"),
        (text, "is not a picture that can be read; allowed are PNG"),
        (enormous, "9000x8000, 72 MP; at most 64"),
        (folder, "is a folder"),
    ],
)
@pytest.mark.parametrize("door", [["run", "what is this?"], ["plan", "what is this?"]])
def test_a_picture_that_cannot_be_read_is_refused(
    sightloop: Command,
    tmp_path: Path,
    home: Path,
    make: Callable[[Path], None],
    door: list[str],
    says: str,
) -> None:
    make(tmp_path / "photo.png")
    ended = sightloop(*door, "-i", "photo.png", "--json")
    assert ended.code == 2
    assert ended.out == ""
    assert says in ended.err
    assert "photo.png" in ended.err
    assert len(ended.err.splitlines()) == 1
    assert not (tmp_path / "sightloop-out").exists()
    assert not home.exists()


def cmyk(path: Path) -> None:
    Image.fromarray(GRADIENT).convert("CMYK").save(path, "JPEG")


def sixteen_bits(path: Path) -> None:
    Image.fromarray(GRADIENT[..., 0].astype(np.uint16) * 257).save(path, "PNG")


def animation(path: Path) -> None:
    frames = [Image.fromarray(np.roll(GRADIENT, 9 * step, 0)) for step in range(3)]
    frames[0].save(path, "GIF", save_all=True, append_images=frames[1:])


def wrong_name(path: Path) -> None:
    Image.fromarray(GRADIENT).save(path, "BMP")


@pytest.mark.parametrize(
    ("make", "name", "says"),
    [
        (cmyk, "photo.jpg", "photo.jpg: CMYK converted to RGB"),
        (sixteen_bits, "photo.png", "photo.png: 16 bits a channel reduced to 8"),
        (animation, "photo.gif", "photo.gif: first of 3 frames taken"),
        (wrong_name, "photo.png", "photo.png: named .png but read as BMP by its content"),
    ],
)
def test_a_picture_that_is_converted_is_said_in_one_line(
    sightloop: Command,
    tmp_path: Path,
    script: Path,
    make: Callable[[Path], None],
    name: str,
    says: str,
) -> None:
    make(tmp_path / name)
    ended = sightloop("plan", "what is this?", "-i", name, "--llm", f"script:{script}", "--json")
    assert ended.code == 0, ended.err
    assert ended.err.splitlines() == [f"note: {says}"]
    assert json.loads(ended.out)["calls"][0]["input"] == {"image": "img1"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", ""], "the request is empty"),
        (["run", "  \n"], "the request is empty"),
        (["plan", "x" * 5000], "at most 2000 are read"),
        (["run"], "Missing argument 'TEXT'"),
        (["run", "a dog", "--budget", "soon"], "'--budget'"),
        (["run", "a dog", "--seed", -1], "'--seed'"),
        (["run", "a dog", "--sede", 1], "No such option"),
        (["run", "a dog", "--profile", "giant"], "no profile 'giant'; there are: llava, miniature"),
        (["run", "a dog", "--profile", "no/such.yaml"], "no profile 'no/such.yaml'"),
        (["run", "a dog", "--llm", "script:nothing.json"], "nothing.json"),
        (["run", "a dog", "--llm", "gpt"], "'gpt'"),
        (["tool", "smell"], "no tool 'smell'; there are: caption, classify, control"),
        (["tool", "generate", "a dog"], "write KEY=VALUE"),
        (["tool", "generate", "promt=a dog"], "generate takes no 'promt'; it takes: prompt"),
        (["tool", "generate", "prompt=a", "prompt=b"], "'prompt' is given twice"),
        (["tool", "generate"], "prompt"),
        (["tool", "generate", "prompt=a dog", "n=99"], "n"),
        (["tool", "generate", "prompt=a dog", "n=many"], "n"),
        (["tool", "caption"], "caption needs a picture; give one with -i PATH"),
        (["tool", "generate", "prompt=a dog", "-i", "photo.png"], "takes no picture, not 1"),
        (["tool", "vqa", "-i", "photo.png"], "question"),
        (["tool", "classify", "-i", "photo.png", "labels=dog", "box=1,2"], "box"),
        (["models", "check", "no/such-model"], "no/such-model"),
        (["fly"], "No such command 'fly'"),
    ],
)
def test_a_wrong_word_is_one_line(
    sightloop: Command, photo: Path, arguments: list[object], says: str
) -> None:
    ended = sightloop(*arguments)
    assert ended.code == 2
    assert says in ended.err
    assert len(ended.err.splitlines()) == 1
    assert ended.out == ""


def profile_with(tmp_path: Path, checkpoint: str, sha256: str | None = None) -> Path:
    path = tmp_path / "mine.yaml"
    digest = f"\n    sha256: {sha256}" if sha256 else ""
    path.write_text(f"tools:\n  caption:\n    checkpoint: {checkpoint}{digest}\n")
    return path


def test_a_missing_checkpoint_folder_is_one_line(
    sightloop: Command, tmp_path: Path, photo: Path
) -> None:
    profile = profile_with(tmp_path, str(tmp_path / "not-there"))
    ended = sightloop("tool", "caption", "-i", photo, "--profile", profile)
    assert ended.code == 2
    assert "not-there" in ended.err
    assert len(ended.err.splitlines()) == 1


def test_a_checkpoint_with_the_wrong_digest_is_one_line(
    sightloop: Command, tmp_path: Path, photo: Path
) -> None:
    weights = tmp_path / "weights"
    weights.mkdir()
    (weights / "config.json").write_text("{}")
    profile = profile_with(tmp_path, str(weights), "f" * 64)
    for arguments in (["tool", "caption", "-i", photo], ["models", "check"]):
        ended = sightloop(*arguments, "--profile", profile)
        assert ended.code == 2
        assert "the profile expects ffffffffffff" in ended.err
        assert len(ended.err.splitlines()) == 1


def test_a_place_that_cannot_be_written_is_one_line(sightloop: Command, photo: Path) -> None:
    ended = sightloop("world", "sample", "--count", 1, "--out", photo / "scenes")
    assert ended.code == 2
    assert "photo.png" in ended.err
    assert len(ended.err.splitlines()) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_one_line(sightloop: Command, tmp_path: Path) -> None:
    (tmp_path / "scenes.jsonl").symlink_to("/dev/full")
    ended = sightloop("world", "sample", "--count", 1, "--out", ".")
    assert ended.code == 2
    assert "no space left" in ended.err
    assert len(ended.err.splitlines()) == 1
