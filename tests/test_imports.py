"""Guards: imports point down, starting up is cheap, what the README says is true."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOORS = {"ui": 5, "serving": 4, "agent": 3, "tools": 2, "models": 1, "profiles": 0}
BESIDE = ("miniature", "benchmarks", "tests")
HEAVY = ("torch", "torchvision", "transformers", "diffusers", "ray", "streamlit")
# Where a heavy library may be imported as soon as the module is.
HEAVY_ALLOWED = ("models", "miniature/train", "benchmarks", "tests", "ui/face")
# `sightloop world` shows the world itself, `sightloop bench` runs the benchmarks.
DOORS_TO_THE_SIDE = {("ui", "miniature.world"), ("ui", "benchmarks")}
# Spelled in parts, so that this list does not find itself.
FORBIDDEN = {
    "a package index": re.compile(r"py" + r"pi\.org|python" + r"hosted|registry\.npm"),
    "a path of one machine": re.compile(r"(?<![\w.])/(?:work|opt|root|home)" + r"/\w"),
}

packages = [name for name in (*FLOORS, *BESIDE) if (ROOT / name).is_dir()]


def tracked(*suffixes: str) -> list[Path]:
    """Files of the repository, those of a fresh checkout and those not yet committed."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    files = (ROOT / line for line in listed)
    return [file for file in files if file.is_file() and file.suffix in suffixes]


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported(tree: ast.AST, *, module_level: bool) -> set[str]:
    """Modules that a file imports; late and typing-only ones do not count at module level."""
    found: set[str] = set()
    pending: list[ast.AST] = [tree]
    while pending:
        for node in ast.iter_child_nodes(pending.pop()):
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.update(f"{node.module}.{alias.name}" for alias in node.names)
            late = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            typing_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
            if not (module_level and (late or typing_only)):
                pending.append(node)
    return found


def under(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix + ".")


@pytest.mark.parametrize("package", [p for p in packages if p in FLOORS])
def test_imports_point_down(package: str) -> None:
    wrong = []
    for file in sources(package):
        for name in sorted(imported(ast.parse(file.read_text()), module_level=False)):
            top = name.split(".")[0]
            up = top in FLOORS and FLOORS[top] > FLOORS[package]
            aside = top in BESIDE and not any(
                package == door and under(name, target) for door, target in DOORS_TO_THE_SIDE
            )
            if up or aside:
                wrong.append(f"{file.relative_to(ROOT)} imports {name}")
    assert not wrong


def test_the_world_stands_alone() -> None:
    for file in (ROOT / "miniature/world").rglob("*.py"):
        for name in imported(ast.parse(file.read_text()), module_level=False):
            assert name.split(".")[0] not in (*FLOORS, "benchmarks", "tests"), file


def test_heavy_libraries_are_imported_late() -> None:
    wrong = []
    for package in packages:
        for file in sources(package):
            place = file.relative_to(ROOT).as_posix()
            if place.startswith(tuple(f"{allowed}/" for allowed in HEAVY_ALLOWED)):
                continue
            names = imported(ast.parse(file.read_text()), module_level=True)
            wrong += [f"{place}: {name}" for name in names if name.split(".")[0] in HEAVY]
    assert not wrong


def loaded_after(modules: list[str]) -> set[str]:
    """Top-level modules that a fresh interpreter holds after importing `modules`."""
    names = "{name.split('.')[0] for name in sys.modules}"
    code = f"import sys, {', '.join(modules)}; print(*{names})"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(run.stdout.split())


def modules_of(package: str) -> list[str]:
    files = (file.relative_to(ROOT).with_suffix("") for file in sources(package))
    return [".".join(p.parts) for p in files if p.name not in ("__init__", "__main__", "app")]


@pytest.mark.parametrize("package", ["tools", "agent"])
def test_importing_a_floor_loads_no_network_library(package: str) -> None:
    assert not loaded_after(modules_of(package)) & set(HEAVY)


def test_starting_the_command_loads_nothing_heavy() -> None:
    assert not loaded_after(["ui.cli"]) & {*HEAVY, "langchain", "langchain_core", "langgraph"}


@pytest.mark.parametrize("package", packages)
def test_each_folder_is_the_package_python_finds(package: str) -> None:
    if package == "tests":
        return
    module = importlib.import_module(package)
    assert [Path(path).resolve() for path in module.__path__] == [ROOT / package]


def test_the_wheel_holds_every_package() -> None:
    listed = re.search(r"^packages = (\[\"agent.*\])$", (ROOT / "pyproject.toml").read_text(), re.M)
    assert listed
    shipped = set(ast.literal_eval(listed[1]))
    assert shipped == {p for p in packages if p != "tests"}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_the_repository_does_not_name(what: str) -> None:
    suffixes = ("", ".py", ".md", ".toml", ".yaml", ".yml", ".json", ".sh")
    files = [file for file in tracked(*suffixes) if file.stat().st_size < 1_000_000]
    assert [str(file) for file in files if FORBIDDEN[what].search(file.read_text())] == []


def test_weights_are_safetensors_or_gguf_only() -> None:
    assert tracked(".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".npz", ".joblib") == []


README = (ROOT / "README.md").read_text() if (ROOT / "README.md").exists() else ""


def test_the_file_tree_in_the_readme_is_true() -> None:
    tree = re.search(r"```text\n(.*?)```", README, re.S)
    assert tree
    folder = ""
    for line in tree[1].splitlines():
        name = line.split()[0]
        folder = name if not line.startswith(" ") and name.endswith("/") else folder
        path = name if not line.startswith(" ") else folder + name
        assert (ROOT / path).exists(), path
    described = set(re.findall(r"^(\w+)/", tree[1], re.M))
    assert set(packages) <= described


def test_the_commands_in_the_readme_exist() -> None:
    from typer.testing import CliRunner

    from ui.cli import app

    commands = set(
        re.findall(
            r"(?:^|[\s/`])sightloop ([a-z]+(?: (?:list|pull|check|sample|vocabulary|sheet))?)",
            README,
        )
    )
    assert "run" in commands
    for command in commands:
        shown = CliRunner().invoke(app, [*command.split(), "--help"])
        assert shown.exit_code == 0, command


def test_the_tools_in_the_readme_are_those_that_exist() -> None:
    from tools.registry import discover

    assert set(re.findall(r"^\| `(\w+)` \|", README, re.M)) == set(discover())
