"""Marking: a part of a picture, clicked, boxed or painted, and what a request does with it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image as PIL
from PIL import ImageDraw
from pydantic import JsonValue

from agent.plan import Call, Plan
from tools.errors import InvalidInput, ToolError
from tools.toolbox import Toolbox
from tools.values import Image, Mask
from ui.face.engine import Engine
from ui.face.session import Marks

BRUSH = 12  # a brush is as wide as 1/12 of the picture's shorter side
ABSENT = "This profile has no `segment`, which finds the edge of a thing; paint it or drag a box."
ASKS = re.compile(r"\?\s*$|^\s*(?:what|which|who|how many|is|are|does|do)\b", re.IGNORECASE)
SHOWS = re.compile(r"^\s*(?:please\s+)?(?:describe|caption)\b", re.IGNORECASE)
REMOVES = re.compile(
    r"^\s*(?:please\s+)?(?:remove|erase|delete|take away|rub out)\b", re.IGNORECASE
)
CHANGES = re.compile(r"^\s*(?:please\s+)?(?:make|turn|change)\b", re.IGNORECASE)
LEAD = re.compile(
    r"^\s*(?:please\s+)?(?:replace|exchange|swap|turn|make|change|paint|draw|put|add)?\s*"
    r"(?:this|that|it|the marked part|here|there)?\s*(?:with|by|for|into|to be|here|in|to)?\s+",
    re.IGNORECASE,
)
TAIL = re.compile(r"\s*\b(?:here|there|in it|instead)?[\s.!]*$", re.IGNORECASE)


class Wanted(NamedTuple):
    """What is to be done with a marked part, and pictures that go along."""

    plan: Plan
    images: tuple[Image, ...] = ()


def take(engine: Engine, image: Image, marks: Marks, mark: Mapping[str, Any]) -> None:
    """Add what the canvas reports to the marks.

    Args:
        image: what was marked.
        marks: changed in place; where nothing was found they say why.
        mark: kind, places and off, as the canvas sends them.
    """
    places = [(float(x), float(y)) for x, y in mark["places"]]
    marks.problem = ""
    if mark["kind"] == "brush":
        marks.mask, marks.score = _joined(marks.mask, painted(image, places)), None
        return
    segments = "segment" in engine.toolbox.names()
    try:
        if mark["kind"] == "click":
            marks.points.append((*places[0], not mark.get("off")))
            if not segments:
                raise InvalidInput(ABSENT)
            given: dict[str, Any] = {
                "points": [point[:2] for point in marks.points],
                "labels": [int(point[2]) for point in marks.points],
            }
        else:
            box = framed(image, places)
            if not segments:
                marks.mask, marks.score = boxed(image, box), None
                return
            given = {"boxes": [box]}
        _cut(engine, image, marks, given)
    except ToolError as error:
        marks.problem = str(error)


def _cut(engine: Engine, image: Image, marks: Marks, given: dict[str, Any]) -> None:
    tool = engine.toolbox.tool("segment")
    found: Any = engine.call("segment", tool.parse({"image": image, **given}))
    if not found.masks or not found.masks[0].pixels.any():
        raise InvalidInput("Nothing was found there; click elsewhere, or paint it.")
    marks.mask, marks.score = found.masks[0], found.scores[0]


def painted(image: Image, places: Sequence[tuple[float, float]]) -> Mask:
    """The trace of a brush."""
    canvas = PIL.new("1", image.size_wh)
    pen = ImageDraw.Draw(canvas)
    width = brush(image)
    pen.line(list(places), fill=1, width=width, joint="curve")
    for x, y in places:
        pen.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=1)
    return Mask(np.asarray(canvas, np.bool_))


def brush(image: Image) -> int:
    """Width of the brush in px of the picture."""
    return max(4, min(image.size_wh) // BRUSH)


def framed(
    image: Image, places: Sequence[tuple[float, float]]
) -> tuple[float, float, float, float]:
    """The box between two places.

    Raises:
        InvalidInput: it is too small to mean anything.
    """
    (x0, y0), (x1, y1) = places[0], places[-1]
    box = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
    if min(box[2] - box[0], box[3] - box[1]) < max(2, min(image.size_wh) / 64):
        raise InvalidInput("The box is too small: press, drag to the other corner, let go.")
    return box


def boxed(image: Image, box: tuple[float, float, float, float]) -> Mask:
    """All that lies in a box."""
    inside = np.zeros(image.pixels.shape[:2], np.bool_)
    x0, y0, x1, y1 = (round(side) for side in box)
    inside[y0:y1, x0:x1] = True
    return Mask(inside)


def wanted(words: str, handle: str, image: Image, mask: Mask, toolbox: Toolbox, new: str) -> Wanted:
    """What a request does with the marked part of a picture.

    A question is asked of that part alone; `remove` paints it over; `make it …` edits it where the
    profile can; anything else is painted there.

    Args:
        handle: of the picture.
        new: the handle that a picture cut from it will have.

    Raises:
        InvalidInput: the words do not say what is wanted.
        Unavailable: no tool of this profile can do it.
    """
    region: dict[str, JsonValue] = {"image": handle, "mask": mask.rle()}
    if SHOWS.search(words) or ASKS.search(words):
        asked: dict[str, JsonValue] = {"image": new}
        if not SHOWS.search(words):
            asked["question"] = words.strip()
        name = "vqa" if "question" in asked else "caption"
        return Wanted(_plan(name, asked, toolbox), (part(image, mask),))
    if REMOVES.search(words):
        return Wanted(_plan("remove", region, toolbox))
    if CHANGES.search(words) and "edit" in toolbox.names():
        return Wanted(_plan("edit", {**region, "instruction": words.strip()}, toolbox))
    prompt = TAIL.sub("", LEAD.sub("", f" {words.strip()} ", count=1)).strip()
    if not prompt:
        raise InvalidInput("Say what shall be in the marked part, such as: a red apple.")
    return Wanted(_plan("inpaint", {**region, "prompt": prompt}, toolbox))


def part(image: Image, mask: Mask) -> Image:
    """The picture cut to the marked part, with a little around it."""
    rows, columns = np.flatnonzero(mask.pixels.any(1)), np.flatnonzero(mask.pixels.any(0))
    edge = max(2, min(image.size_wh) // 16)
    return image.crop(
        (columns[0] - edge, rows[0] - edge, columns[-1] + 1 + edge, rows[-1] + 1 + edge)
    )


def _plan(name: str, given: dict[str, JsonValue], toolbox: Toolbox) -> Plan:
    toolbox.tool(name)  # says why, where it is not there
    return Plan(calls=(Call(id="c1", tool=name, input=given),))


def _joined(one: Mask | None, other: Mask) -> Mask:
    return other if one is None else Mask(one.pixels | other.pixels)
