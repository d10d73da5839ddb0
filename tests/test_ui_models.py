"""`sightloop models` and `sightloop doctor`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from models import weights
from tools.profile import load_profile, profile_names

if TYPE_CHECKING:
    from tests.conftest import Ended

Command = Callable[..., "Ended"]


def test_every_checkpoint_of_every_profile_is_listed(sightloop: Command) -> None:
    listed = json.loads(sightloop("models", "list", "--json").out)["checkpoints"]
    names = {each["checkpoint"] for each in listed}
    for name in profile_names():
        assert {tool.checkpoint for tool in load_profile(name).tools.values()} <= names
    assert all(each["licence"] for each in listed)
    shown = sightloop("models", "list").out
    assert all(name in shown for name in names)


def test_whole_checkpoints_pass_the_check(sightloop: Command, profile: Path) -> None:
    ended = sightloop("models", "check", "--profile", profile, "--json")
    assert ended.code == 0
    assert all(each["ok"] for each in json.loads(ended.out)["checkpoints"])


def test_a_changed_checkpoint_is_found(sightloop: Command, tiny: Path, tmp_path: Path) -> None:
    mine = tmp_path / "clip"
    shutil.copytree(tiny / "clip", mine)
    pinned = weights.digest(str(mine))
    path = tmp_path / "mine.yaml"
    path.write_text(f'tools: {{score: {{checkpoint: {mine}, sha256: "{pinned}"}}}}')
    assert sightloop("models", "check", "--profile", path).code == 0
    (mine / "tokenizer.json").write_text("{}")
    ended = sightloop("models", "check", "--profile", path, "--json")
    assert ended.code == 2
    (found,) = json.loads(ended.out)["checkpoints"]
    assert found["ok"] is False
    assert "the profile expects" in found["error"]
    assert len(ended.err.splitlines()) == 1


def test_a_checkpoint_that_is_here_needs_no_network(sightloop: Command, tiny: Path) -> None:
    ended = sightloop("models", "pull", tiny / "owl", "--json")
    assert ended.code == 0
    assert json.loads(ended.out)["checkpoints"][0]["path"] == str(tiny / "owl")


def test_the_doctor_finds_a_whole_profile_well(
    sightloop: Command, profile: Path, home: Path
) -> None:
    ended = sightloop("doctor", "--profile", profile, "--json")
    findings = {each["about"]: each for each in json.loads(ended.out)["findings"]}
    assert ended.code == 0, ended.out
    assert findings["tool generate"]["state"] == "ok"
    assert str(home) in findings["pictures"]["detail"]
    assert not home.exists()


@pytest.mark.parametrize("lost", ["config.json", "."])
def test_the_doctor_says_what_is_missing_and_what_to_do(
    sightloop: Command, tiny: Path, tmp_path: Path, lost: str
) -> None:
    mine = tmp_path / "owl"
    shutil.copytree(tiny / "owl", mine)
    if lost == ".":
        shutil.rmtree(mine)
    else:
        (mine / lost).unlink()
    path = tmp_path / "mine.yaml"
    path.write_text(f"tools: {{ground: {{checkpoint: {mine}}}}}")
    ended = sightloop("doctor", "--profile", path)
    assert ended.code == 2
    assert "missing  tool ground" in ended.out
    assert "→" in ended.out


def test_the_version_names_the_weights_by_their_digests(sightloop: Command) -> None:
    shown = sightloop("--version").out.splitlines()
    assert shown[0].startswith("sightloop ")
    digest = weights.digest("miniature/weights/clip")
    assert f"  {digest[:16]}  miniature/weights/clip" in shown
