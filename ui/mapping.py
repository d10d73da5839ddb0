"""Map: `sightloop map`, one tool over a folder of pictures; ended in the middle, it goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import numpy as np
import typer
from pydantic import JsonValue

from serving import batchwork
from serving.batchwork import Answer, Question
from tools.errors import InvalidInput
from tools.values import Image
from ui.console import note, print_json, progress, screen
from ui.pictures import shown, write_whole
from ui.specialists import JsonOption, ProfileOption, open_toolbox, parse_arguments, place_pictures

if TYPE_CHECKING:
    from tools.base import Tool
    from tools.toolbox import Toolbox

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff"}


def map_folder(
    name: Annotated[str, typer.Argument(metavar="TOOL", help="Name of a tool.")],
    folder: Annotated[Path, typer.Argument(help="Looked through with all below it.")],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="Its other arguments, as for `tool`."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Folder for results.jsonl and pictures; FOLDER-TOOL if not given."
        ),
    ] = None,
    batch: Annotated[int, typer.Option(help="Pictures that run together.", min=1, max=256)] = 8,
    actors: Annotated[
        int,
        typer.Option(help="Processes that share the work, over Ray Data; 0 is this one.", min=0),
    ] = 0,
    profile: ProfileOption = "miniature",
    as_json: JsonOption = False,
) -> None:
    """Run one tool on every picture of a folder: `sightloop map caption ~/Pictures`."""
    console = screen(json_wanted=as_json)
    if not folder.is_dir():
        raise InvalidInput(f"{str(folder)!r} is not a folder")
    toolbox = open_toolbox(profile)
    tool = toolbox.tool(name)
    question = _question(tool, parse_arguments(tool, arguments or []))
    work = Work(toolbox, question, out or Path(f"{folder.resolve().name}-{name}"))
    with work, progress(console) as bar:
        todo = work.left(folder)
        task = bar.add_task(f"{name} over {shown(folder)}", total=len(todo))
        if actors:
            made = batchwork.spread(profile, question, todo, batch, actors)
        else:
            made = batchwork.here(toolbox, question, todo, batch)
        for one in made:
            work.write(one)
            bar.advance(task)
    facts = {"results": str(work.path), "done": work.done, "before": work.before}
    if as_json:
        print_json({**facts, "failed": work.failed})
        return
    console.print(f"{work.done} done, {work.before} were there, {len(work.failed)} failed")
    for path, why in work.failed.items():
        note(console, f"{shown(path)}: {why}")
    console.print(shown(work.path), soft_wrap=True)


class Work:
    """One tool over many pictures, each result a line of results.jsonl as soon as it is there.

    The first line says what made them; a line that a crash tore is dropped.

    Attributes:
        done, before: pictures answered now, and in earlier tries.
        failed: path to the reason; tried again the next time.
    """

    def __init__(self, toolbox: Toolbox, question: Question, folder: Path) -> None:
        self._toolbox, self._question = toolbox, question
        self.path = folder / "results.jsonl"
        self.done = self.before = 0
        self.failed: dict[str, str] = {}

    def __enter__(self) -> Work:
        """Open the results, those of earlier tries kept.

        Raises:
            InvalidInput: they are of another tool, other arguments or other weights.
        """
        head = {
            "tool": self._question.tool,
            "version": self._toolbox.tool(self._question.tool).version,
            "checkpoint": self._toolbox.checkpoint_digest(self._question.tool),
            "arguments": self._question.given,
        }
        lines = _whole_lines(self.path)
        if lines and lines[0] != head:
            raise InvalidInput(
                f"{shown(self.path)} holds results of {json.dumps(lines[0])}; take another --out"
            )
        self._kept = lines[1:]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        part.write_text("".join(json.dumps(line) + "\n" for line in [head, *self._kept]))
        part.replace(self.path)
        self._file: TextIO = self.path.open("a")
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def left(self, folder: Path) -> list[Path]:
        """The pictures below a folder that have no result yet, in order; hidden ones are not."""
        known = {line["path"] for line in self._kept}
        root, ours = folder.resolve(), self.path.parent.resolve()
        found = [
            path
            for path in sorted(root.rglob("*"))
            if path.suffix.lower() in SUFFIXES
            and path.is_file()
            and not path.is_relative_to(ours)
            and not any(part.startswith(".") for part in path.relative_to(root).parts)
        ]
        left = [path for path in found if str(path) not in known]
        self.before = len(found) - len(left)
        return left

    def write(self, answer: Answer) -> None:
        """Write down what came of one picture."""
        if answer.problem:
            self.failed[answer.path] = answer.problem
            return
        files = {}
        for identity, png in (answer.pictures or {}).items():
            file = self.path.parent / f"{identity[:16]}.png"
            files[identity] = str(write_whole(png, file))
        line: dict[str, Any] = {"path": answer.path, "output": json.loads(answer.output)}
        self._file.write(json.dumps({**line, "pictures": files} if files else line) + "\n")
        self._file.flush()
        self.done += 1


def _question(tool: Tool[Any, Any], given: dict[str, JsonValue]) -> Question:
    """What is asked of each picture.

    Raises:
        InvalidInput: the tool takes no picture.
    """
    blank = Image.from_pixels(np.zeros((1, 1, 3), np.uint8))
    ((field, value),) = place_pictures(tool, given, [blank]).items()
    return Question(tool.name, given, field, several=isinstance(value, tuple))


def _whole_lines(path: Path) -> list[dict[str, Any]]:
    try:
        text = path.read_text()
    except FileNotFoundError:
        return []
    lines = []
    for line in text.splitlines():
        try:
            lines.append(json.loads(line))
        except json.JSONDecodeError:
            break  # torn: whoever wrote it was killed
    return lines
