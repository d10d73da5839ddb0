"""`sightloop run`, `plan` and `tool`, with untrained networks of the real classes."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tools.values import load_image

if TYPE_CHECKING:
    from tests.conftest import Ended

Command = Callable[..., "Ended"]
ROOT = Path(__file__).resolve().parents[1]
REQUEST = "two red apples"


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., str]:
    """Writes a scripted planner; what --llm takes."""

    def write(*calls: dict[str, Any], reply: str | None = None) -> str:
        path = tmp_path / "script.json"
        path.write_text(json.dumps([{"calls": list(calls), "reply": reply}]))
        return f"script:{path}"

    return write


DRAW = {"id": "c1", "tool": "generate", "input": {"prompt": REQUEST}}
DESCRIBE = {"id": "c1", "tool": "caption", "input": {"image": "img1"}}


def test_a_run_is_handed_over_as_json_with_these_keys(
    sightloop: Command, script: Callable[..., str], profile: Path, tmp_path: Path
) -> None:
    ended = sightloop(
        *("run", REQUEST, "--profile", profile, "--llm", script(DRAW)),
        *("--seed", 5, "--no-loop", "--out", "out", "--json"),
    )
    assert ended.code == 0, ended.err
    report = json.loads(ended.out)
    parts = ["reply", "images", "calls", "checks", "stopped", "budget", "conversation"]
    assert list(report) == parts
    (image,) = report["images"]
    assert list(image) == ["handle", "path", "id", "tool", "parents"]
    assert image["handle"] == "img1"
    assert load_image(Path(image["path"])).image.id == image["id"]
    (call,) = report["calls"]
    assert list(call) == ["id", "tool", "input", "output", "seconds", "status"]
    assert call["output"]["images"] == [image["id"]]
    assert call["status"] == "done"
    assert [check["kind"] for check in report["checks"]] == ["count", "colour"]
    for check in report["checks"]:
        assert list(check) == ["claim", "kind", "verdict", "witnesses", "evidence"]
        assert check["verdict"] in ("pass", "fail", "unsure")
        assert len(check["witnesses"]) == 2
    assert report["stopped"] == "single"
    assert report["budget"]["pictures"] == 1
    assert json.loads((tmp_path / "out/run.json").read_text()) == report


def test_a_run_shows_plan_checks_pictures_and_why_it_stopped(
    sightloop: Command, script: Callable[..., str], profile: Path, tmp_path: Path
) -> None:
    ended = sightloop(
        *("run", REQUEST, "--profile", profile, "--llm", script(DRAW), "--seed", 5, "--no-loop")
    )
    assert ended.code == 0, ended.err
    assert 'c1  generate  prompt="two red apples"' in ended.out
    assert "there are exactly two apples" in ended.out
    assert "of 2 checks pass" in ended.out
    assert "Repair was switched off" in ended.out
    assert "sightloop-out/two-red-apples/img1.png" in ended.out
    assert (tmp_path / "sightloop-out/two-red-apples/img1.png").is_file()
    assert list((tmp_path / "sightloop-out/two-red-apples/previews").iterdir())
    assert ended.err == ""


def test_the_first_command_of_the_readme_draws_and_checks_with_what_is_shipped(
    sightloop: Command,
) -> None:
    written = re.search(r'sightloop run ("[^"]+")', (ROOT / "README.md").read_text())
    assert written
    (request,) = shlex.split(written[1])
    ended = sightloop("run", request, "--no-loop", "--json")
    assert ended.code == 0, ended.err
    report = json.loads(ended.out)
    assert load_image(Path(report["images"][0]["path"])).image.size_wh == (128, 128)
    assert [call["tool"] for call in report["calls"]] == ["generate"]
    assert {"exists", "colour"} <= {check["kind"] for check in report["checks"]}


def test_a_request_about_places_is_checked_for_them_with_what_is_shipped(
    sightloop: Command,
) -> None:
    ended = sightloop("run", "a red apple to the left of a dog", "--no-loop", "--json")
    assert ended.code == 0, ended.err
    checks = json.loads(ended.out)["checks"]
    assert {"exists", "relation", "colour"} <= {check["kind"] for check in checks}


def test_a_run_says_how_to_go_on_and_the_beginning_of_the_id_is_enough(
    sightloop: Command, script: Callable[..., str], profile: Path, photo: Path
) -> None:
    words = ("run", "what is in img1?", "--profile", profile)
    first = sightloop(*words, "--llm", script(DESCRIBE), "-i", photo).out
    (talk,) = re.findall(r"^--talk (\w+) goes on", first, re.MULTILINE)
    again = sightloop(*words, "--llm", script(DESCRIBE), "--talk", talk, "--json")
    assert json.loads(again.out)["conversation"].startswith(talk)
    assert f"{talk}  2 turns" in sightloop("talks", "list").out
    lost = sightloop(*words, "--llm", script(DESCRIBE), "--talk", "nosuch")
    assert (lost.code, len(lost.err.splitlines())) == (2, 1)
    assert "no conversation begins with 'nosuch'" in lost.err


def test_the_same_seed_draws_the_same_picture(
    sightloop: Command, script: Callable[..., str], profile: Path
) -> None:
    def draw(seed: int) -> str:
        words = ("run", REQUEST, "--profile", profile, "--llm", script(DRAW), "--no-loop")
        report = json.loads(sightloop(*words, "--seed", seed, "--json").out)
        return str(report["images"][0]["id"])

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)


def test_a_question_about_a_picture_is_answered_and_leaves_no_folder(
    sightloop: Command, script: Callable[..., str], profile: Path, photo: Path, tmp_path: Path
) -> None:
    words = ("run", "what is in this picture?", "--profile", profile, "--llm", script(DESCRIBE))
    ended = sightloop(*words, "-i", photo, "--json")
    assert ended.code == 0, ended.err
    report = json.loads(ended.out)
    assert report["stopped"] == "answered"
    assert report["calls"][0]["output"]["text"][:60] in report["reply"]
    assert not (tmp_path / "sightloop-out").exists()


def test_a_request_that_needs_a_picture_asks_for_one(
    sightloop: Command, script: Callable[..., str], profile: Path
) -> None:
    words = ("run", "how many dogs are in this picture?", "--profile", profile)
    ended = sightloop(*words, "--llm", script(DESCRIBE), "--json")
    assert ended.code == 2
    assert "needs a picture" in ended.err
    assert "-i PATH" in ended.err
    assert len(ended.err.splitlines()) == 1
    assert "needs a picture" in json.loads(ended.out)["reply"]
    plan = sightloop("plan", words[1], "--profile", profile, "--llm", script(DESCRIBE))
    assert plan.code == 0
    assert "needs a picture" in plan.out


def test_a_plan_is_shown_and_nothing_is_run(
    sightloop: Command, script: Callable[..., str], profile: Path, home: Path
) -> None:
    words = ("plan", REQUEST, "--profile", profile, "--llm", script(DRAW))
    assert json.loads(sightloop(*words, "--json").out) == {"calls": [DRAW], "reply": None}
    assert "generate" in sightloop(*words).out
    assert not (home / "store").exists()


def test_a_plan_that_cannot_run_is_one_line(
    sightloop: Command, script: Callable[..., str], profile: Path
) -> None:
    wrong = {"id": "c1", "tool": "generate", "input": {"promt": REQUEST}}
    ended = sightloop("plan", REQUEST, "--profile", profile, "--llm", script(wrong))
    assert ended.code == 2
    assert "promt" in ended.err
    assert len(ended.err.splitlines()) == 1


def test_one_tool_runs_by_itself(
    sightloop: Command, profile: Path, photo: Path, tmp_path: Path
) -> None:
    words = ("tool", "classify", "--profile", profile, "-i", photo, "labels=red dog,cat", "--json")
    ended = sightloop(*words, "box=[10, 10, 40, 40]")
    report = json.loads(ended.out)
    assert {each["label"] for each in report["output"]["probabilities"]} == {"red dog", "cat"}
    assert report["input"]["box"] == [10, 10, 40, 40]
    drawn = json.loads(
        sightloop(
            *("tool", "generate", "--profile", profile, "prompt=3 dogs = many", "n=2"),
            *("--out", "drawn", "--json"),
        ).out
    )
    assert drawn["input"]["prompt"] == "3 dogs = many"
    assert [Path(each["path"]).name for each in drawn["images"]] == ["img1.png", "img2.png"]
    for each in drawn["images"]:
        assert load_image(Path(each["path"])).image.id == each["id"]


def test_every_tool_is_listed_with_what_it_takes(sightloop: Command, profile: Path) -> None:
    shown = sightloop("tools", "--profile", profile).out
    listed = json.loads(sightloop("tools", "--profile", profile, "--json").out)
    assert {each["name"] for each in listed["tools"]} == {
        *("caption", "classify", "generate", "ground", "vqa")
    }
    for each in listed["tools"]:
        assert each["name"] in shown
        assert each["input"]["properties"]


def test_ctrl_c_keeps_what_was_drawn_and_exits_with_130(
    script: Callable[..., str], profile: Path, tmp_path: Path, home: Path
) -> None:
    calls = [
        {"id": "c1", "tool": "generate", "input": {"prompt": "a thing", "steps": 2}},
        {"id": "c2", "tool": "generate", "input": {"prompt": "another", "steps": 150, "n": 16}},
    ]
    words = ["run", "draw two things", "--profile", str(profile), "--llm", script(*calls)]
    process = subprocess.Popen(
        [sys.executable, "-c", "from ui.cli import main; main()", *words, "--out", "out"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # tests that run in the background of a script have Ctrl-C switched off, and hand that on
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout
    shown = iter(process.stdout.readline, "")
    assert any("✓ c1" in line for line in shown), process.communicate()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "interrupted: 1 picture drawn so far" in err
    kept = load_image(tmp_path / "out/unfinished1.png").image
    assert list((home / "store").rglob(f"{kept.id}.png"))
