"""The docs are true: commands run, links lead somewhere, figures have reports, pages hold."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
import typer.main
import yaml

from tests.conftest import Ended
from tools.values import load_image
from ui.cli import app

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    [*ROOT.glob("docs/*.md"), *(ROOT / n for n in ("README.md", "CONTRIBUTING.md", "SECURITY.md"))]
)
RUN = ("guide.md", "troubleshooting.md")  # pages whose commands run here
ELSEWHERE = "Not run here"  # begins the line above a block that no test runs


class Block(NamedTuple):
    """Commands of one block, and whether this machine can run them."""

    lines: tuple[str, ...]
    runs: bool


def blocks(page: Path) -> Iterator[Block]:
    before = ""
    for part in re.split(r"^```", page.read_text(encoding="utf-8"), flags=re.MULTILINE):
        if part.startswith("bash\n"):
            above = before.strip().splitlines()
            lines = [line.partition(" # ")[0].strip() for line in part.splitlines()[1:]]
            runs = not (above and above[-1].startswith(ELSEWHERE))
            yield Block(tuple(line for line in lines if line), runs)
        before = part


def commands(*, run: bool) -> list[str]:
    """Lines that call us: those of docs/ that run here, or all others."""
    found = []
    for page in PAGES:
        for block in blocks(page):
            if (block.runs and page.name in RUN) == run:
                found += [line for line in block.lines if line.startswith("sightloop ")]
    return found


@pytest.fixture(scope="module")
def small(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A profile of untrained networks."""
    folders = {"caption": "blip", "vqa": "blip-vqa", "ground": "owl"}
    folders |= dict.fromkeys(("score", "classify", "retrieve"), "clip")
    folders |= dict.fromkeys(("generate", "outpaint"), "diffusion-tiny")
    tools: dict[str, Any] = {n: {"checkpoint": str(tiny / at)} for n, at in folders.items()}
    for name in ("generate", "outpaint"):
        tools[name]["options"] = {"steps": 2}
    path = tmp_path_factory.mktemp("docs") / "small.yaml"
    path.write_text(yaml.safe_dump({"tools": tools}))
    return path


def parsed(words: list[str]) -> set[str]:
    """The options that a command line's command takes; it must be a valid one."""
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        command = command.commands[words[0]]
        words = words[1:]
    command.make_context(command.name, list(words))
    return {option for parameter in command.params for option in parameter.opts}


def test_the_commands_of_the_docs_run(
    sightloop: Callable[..., Ended], small: Path, photo: Path, tmp_path: Path
) -> None:
    """As written, but with untrained networks and a written plan where they name none."""
    (tmp_path / "pictures").mkdir()
    shutil.copy(photo, tmp_path / "pictures" / "one.png")
    lines = commands(run=True)
    assert len(lines) >= 12
    for line in lines:
        words = shlex.split(line)[1:]
        options = parsed(words)
        if "--profile" in options and "--profile" not in words:
            words += ["--profile", str(small)]
        if "--llm" in options and "--llm" not in words:
            asks = "-i" in words
            given = {"image": "img1", "question": words[1]} if asks else {"prompt": words[1]}
            call = {"id": "c1", "tool": "vqa" if asks else "generate", "input": given}
            plan = tmp_path / "plan.json"
            plan.write_text(json.dumps([{"calls": [call]}]))
            words += ["--llm", f"script:{plan}"]
        if words[0] == "run":
            words += ["--budget", "1"]
        ended = sightloop(*words)
        assert ended.code == 0 or words[0] == "doctor", (line, ended.err)


def test_commands_that_cannot_run_here_are_at_least_valid() -> None:
    for line in commands(run=False):
        alone = re.split(r" [|&>]", line)[0]  # before a pipe, a file or the background
        parsed(shlex.split(alone)[1:])


def environment(root: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(root), "SIGHTLOOP_HOME": str(root / "home")}


def test_the_page_about_own_tools_can_be_followed_to_the_letter(
    tmp_path: Path, photo: Path
) -> None:
    page = (ROOT / "docs" / "add-a-tool.md").read_text()
    source, profile, steps = (
        re.search(rf"```{kind}\n(.*?)```", page, re.S)[1]  # type: ignore[index]
        for kind in ("python", "yaml", "bash")
    )
    assert len([line for line in source.splitlines() if line.strip()]) <= 15
    root = tmp_path / "clone"
    root.mkdir()
    for name in ("agent", "models", "profiles", "serving", "ui", "benchmarks", "miniature"):
        (root / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "tools", root / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "tools" / "mirror.py").write_text(source)
    (root / "mine.yaml").write_text(profile)
    shutil.copy(photo, root / "photo.png")
    start = "import sys; from ui.cli import call; sys.exit(call(sys.argv[1:]))"
    for line in steps.splitlines():
        ended = subprocess.run(
            [sys.executable, "-c", start, *shlex.split(line)[1:]],
            cwd=root, env=environment(root), capture_output=True, text=True,
        )  # fmt: skip
        assert ended.returncode == 0, (line, ended.stderr)
        assert "mirror" in ended.stdout
    flipped = load_image(photo).image.pixels[:, ::-1]
    for folder in ("mirrored", "asked"):
        made = [load_image(path).image.pixels for path in (root / folder).glob("*.png")]
        assert any((pixels == flipped).all() for pixels in made), folder


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_exist(page: Path) -> None:
    folders = "agent|tools|models|serving|ui|benchmarks|miniature|tests|docs|profiles"
    named = re.findall(rf"(?<![\w/.])((?:{folders})/[\w/-]+\.\w+)", page.read_text())
    there = [path for path in named if (ROOT / path).exists() or (page.parent / path).exists()]
    assert [path for path in named if path not in there and "mirror" not in path] == []


@pytest.fixture(scope="module")
def make() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_make", ROOT / "docs" / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["architecture.svg", "models.md"])
def test_pages_made_from_the_code_are_current(make: ModuleType, name: str) -> None:
    current = make.PAGES[name]() == (ROOT / "docs" / name).read_text()
    assert current, f"docs/{name} is out of date: run `python docs/make.py`"


def test_every_library_we_ask_for_has_its_licence_listed(make: ModuleType) -> None:
    listed = (ROOT / "docs" / "licences.md").read_text()
    held = make.tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    missing = [text for text in held if f"| {make.Requirement(text).name.lower()} |" not in listed]
    assert not missing, "run `python docs/make.py`"


def figures(held: Any) -> Iterator[float]:
    """Every number of a report."""
    if isinstance(held, dict | list):
        for value in held.values() if isinstance(held, dict) else held:
            yield from figures(value)
    elif isinstance(held, int | float) and not isinstance(held, bool):
        yield float(held)


def test_every_share_in_the_readme_is_in_a_report() -> None:
    reports = [json.loads(path.read_text()) for path in ROOT.glob("docs/benchmarks/*.json")]
    known = [value for report in reports for value in figures(report)]
    section = (ROOT / "README.md").read_text().partition("## Figures")[2].partition("\n## ")[0]
    shown = sorted(set(re.findall(r"(\d+\.\d)%", section)))
    assert shown
    missing = [text for text in shown if not any(f"{100 * value:.1f}" == text for value in known)]
    assert not missing, f"in no JSON of docs/benchmarks: {', '.join(missing)}%"
