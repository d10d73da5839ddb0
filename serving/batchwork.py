"""Batch work: one tool over many pictures, in this process or spread over actors of Ray Data."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from serving import cluster
from tools.errors import ToolError, Unavailable
from tools.values import load_image

if TYPE_CHECKING:
    from tools.base import Record
    from tools.toolbox import Toolbox


@dataclass(frozen=True)
class Question:
    """What is asked of every picture.

    Attributes:
        tool: its name.
        given: its arguments but for the picture.
        field: the argument that the picture is.
        several: whether that argument is a list.
    """

    tool: str
    given: dict[str, JsonValue]
    field: str
    several: bool


@dataclass(frozen=True)
class Answer:
    """What came of one picture.

    Attributes:
        path: the picture's file.
        output: the tool's, JSON; empty if it failed.
        problem: why it failed, in words.
        pictures: id to PNG file, of each picture that the tool made.
    """

    path: str
    output: str = ""
    problem: str = ""
    pictures: dict[str, bytes] | None = None


async def answers(toolbox: Toolbox, question: Question, paths: Sequence[Path]) -> list[Answer]:
    """Ask about some pictures at once; a bad one spoils only its own answer."""
    tool = toolbox.tool(question.tool)
    found: dict[Path, Answer] = {}
    asked: dict[Path, Record] = {}
    for path in paths:
        try:
            picture = load_image(path).image
            value = (picture,) if question.several else picture
            request = tool.parse({**question.given, question.field: value})
            tool.check(request)
        except ToolError as error:
            found[path] = Answer(str(path), problem=str(error))
        else:
            asked[path] = request
    results = await toolbox.call_many(question.tool, list(asked.values())) if asked else []
    for path, result in zip(asked, results, strict=True):
        found[path] = _answer(path, result)
    return [found[path] for path in paths]


def _answer(path: Path, result: Record | ToolError) -> Answer:
    from tools.cache import pictures_in

    if isinstance(result, ToolError):
        return Answer(str(path), problem=str(result))
    made = {picture.id: picture.png() for picture in pictures_in(result)}
    return Answer(str(path), json.dumps(result.model_dump(mode="json")), pictures=made)


def here(
    toolbox: Toolbox, question: Question, paths: Sequence[Path], batch: int
) -> Iterator[Answer]:
    """Answers in order, `batch` pictures at a time."""
    for start in range(0, len(paths), batch):
        yield from asyncio.run(answers(toolbox, question, paths[start : start + batch]))


def spread(
    profile: str, question: Question, paths: Sequence[Path], batch: int, actors: int
) -> Iterator[Answer]:
    """Answers as they come, from actors that each hold the tool.

    With RAY_ADDRESS set they are on that cluster, whose machines must see the same files.

    Args:
        profile: name or file of the profile that each actor opens.
        question: what is asked.
        paths: the pictures.
        batch: pictures that an actor works on at once.
        actors: how many.

    Raises:
        Unavailable: Ray does not start, or an actor cannot work.
    """
    # else it says that its own actors cannot be begun again; the whole command can
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    with cluster.processes(cores=actors):
        import ray.data

        logging.getLogger("ray.data").setLevel(logging.ERROR)
        ray.data.DataContext.get_current().enable_progress_bars = False
        rows = ray.data.from_items([{"path": str(path)} for path in paths])
        made = rows.repartition(-(-len(paths) // batch)).map_batches(
            _Actor,
            fn_constructor_args=(profile, question),
            batch_size=batch,
            batch_format="numpy",
            compute=ray.data.ActorPoolStrategy(size=actors),
        )
        try:
            for row in made.iter_rows():
                names, files = row["names"], row["files"]
                pictures = dict(zip(map(str, names), map(bytes, files), strict=True))
                yield Answer(row["path"], row["output"], row["problem"], pictures)
        except ray.exceptions.RayError as error:
            raise Unavailable(f"an actor could not work: {error}") from error


class _Actor:
    """The tool in a process of Ray's."""

    def __init__(self, profile: str, question: Question) -> None:
        from tools.profile import load_profile
        from tools.toolbox import LocalToolbox

        self._toolbox = LocalToolbox(load_profile(profile))
        self._question = question

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        paths = [Path(path) for path in batch["path"]]
        found = asyncio.run(answers(self._toolbox, self._question, paths))
        return {
            "path": [one.path for one in found],
            "output": [one.output for one in found],
            "problem": [one.problem for one in found],
            "names": [list(one.pictures or ()) for one in found],
            "files": [list((one.pictures or {}).values()) for one in found],
        }
