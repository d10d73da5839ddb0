"""Map: `sightloop map`, one tool over a folder of pictures; ended in the middle, it goes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer
from pydantic import JsonValue

from tools.errors import InvalidInput, ToolError
from ui.console import note, print_json, progress, screen
from ui.pictures import shown, write_picture
from ui.specialists import JsonOption, ProfileOption, open_toolbox, parse_arguments, place_pictures

if TYPE_CHECKING:
    from tools.base import Record
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
    profile: ProfileOption = "miniature",
    as_json: JsonOption = False,
) -> None:
    """Run one tool on every picture of a folder: `sightloop map caption ~/Pictures`."""
    console = screen(json_wanted=as_json)
    if not folder.is_dir():
        raise InvalidInput(f"{str(folder)!r} is not a folder")
    toolbox = open_toolbox(profile)
    tool = toolbox.tool(name)
    given = parse_arguments(tool, arguments or [])
    target = out or Path(f"{folder.resolve().name}-{name}")
    work = Work(toolbox, name, given, target)
    with work, progress(console) as bar:
        todo = work.left(folder)
        task = bar.add_task(f"{name} over {shown(folder)}", total=len(todo))
        for part in _parts(todo, batch):
            asyncio.run(work.do(part))
            bar.advance(task, len(part))
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

    def __init__(
        self, toolbox: Toolbox, name: str, given: dict[str, JsonValue], folder: Path
    ) -> None:
        self._toolbox, self._name, self._given = toolbox, name, given
        self._tool = toolbox.tool(name)
        self.path = folder / "results.jsonl"
        self.done = self.before = 0
        self.failed: dict[str, str] = {}

    def __enter__(self) -> Work:
        """Open the results, those of earlier tries kept.

        Raises:
            InvalidInput: they are of another tool, other arguments or other weights.
        """
        head = {
            "tool": self._name,
            "version": self._tool.version,
            "checkpoint": self._toolbox.checkpoint_digest(self._name),
            "arguments": self._given,
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

    async def do(self, paths: Sequence[Path]) -> None:
        """Answer some pictures and write their lines down."""
        from tools.values import load_image

        asked: dict[Path, Record] = {}
        for path in paths:
            try:
                picture = load_image(path).image
                values = place_pictures(self._tool, self._given, [picture])
                request = self._tool.parse({**self._given, **values})
                self._tool.check(request)
            except ToolError as error:
                self.failed[str(path)] = str(error)
            else:
                asked[path] = request
        results = await self._toolbox.call_many(self._name, list(asked.values())) if asked else []
        for path, result in zip(asked, results, strict=True):
            if isinstance(result, ToolError):
                self.failed[str(path)] = str(result)
            else:
                self._write(path, result)
        self._file.flush()

    def _write(self, path: Path, result: Record) -> None:
        from tools.cache import pictures_in

        files = {}
        for picture in pictures_in(result):
            file = self.path.parent / f"{picture.id[:16]}.png"
            files[picture.id] = str(write_picture(picture, file))
        line: dict[str, Any] = {"path": str(path), "output": result.model_dump(mode="json")}
        self._file.write(json.dumps({**line, "pictures": files} if files else line) + "\n")
        self.done += 1


def _parts(paths: Sequence[Path], size: int) -> Iterator[list[Path]]:
    rest = iter(paths)
    while part := list(islice(rest, size)):
        yield part


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
