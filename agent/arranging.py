"""Arranging: from the claims of a request to a box for each thing of its picture, by rule.

Counts, relations, colours and sizes become places in a grid; what no claim decides, the seed
does, so that another seed gives another arrangement that meets the same claims.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from pydantic import JsonValue

from agent import words
from agent.checklist import Claim
from tools.values import Box, Image

SIZES = {"small": 0.31, "large": 0.5}  # shares of the picture's shorter side
MOST = 16  # things; more would be too small to see
KEPT = ("prompt", "negative_prompt", "steps", "guidance", "width", "height")
"""Arguments of a drawing that also hold where each thing has its place."""
CELLS, FULL = 16, 0.1  # cells a side; share of a cell's pixels from which it is not free
UNLIKE = 32  # levels of 255 by which a pixel differs from the ground
FREE_SIDES = (0.45, 0.36, 0.3, 0.22)  # sides tried for a box in free space, shares of the picture


class Placed(NamedTuple):
    """One thing and where it shall be."""

    phrase: str
    box: Box


@dataclass(eq=False)
class Group:
    """Things that one claim of existence or number speaks of."""

    noun: str
    apart: str | None
    """The colour that tells these from others of the same noun."""
    phrase: str
    count: int
    side: float | None = None
    column: int = 0
    row: int = 0
    related: bool = False


def groups_of(claims: Sequence[Claim]) -> list[Group]:
    """What the claims say must be there, in their order."""
    colours = {claim.subject: claim.colour for claim in claims if claim.kind == "colour"}
    sizes = {claim.subject: SIZES.get(claim.size or "") for claim in claims if claim.kind == "size"}
    found = []
    for claim in claims:
        if claim.kind not in ("exists", "count") or claim.count == 0:
            continue
        colour = claim.colour or colours.get(claim.subject)
        name = words.coloured(claim.subject, colour)
        count = claim.count or (2 if claim.several else 1)
        side = sizes.get(claim.subject)
        found.append(Group(claim.subject, claim.colour, words.article(name), count, side))
    return found


def arrange(claims: Sequence[Claim], size_wh: tuple[int, int], seed: int) -> tuple[Placed, ...]:
    """A box for each thing that the claims want, inside a picture of this size.

    Args:
        claims: of one picture.
        size_wh: width and height in pixels.
        seed: decides what the claims leave open.

    Returns:
        Each instance with its box in pixels; empty where the claims name nothing to draw, or
        more than can be placed.
    """
    groups = groups_of(claims)
    if not groups or sum(group.count for group in groups) > MOST:
        return ()
    rng = random.Random(seed)
    _relate(groups, claims)
    cells = _related_cells(groups, rng) if any(group.related for group in groups) else None
    if cells is None:
        units = [group for group in groups for _ in range(group.count)]
        rng.shuffle(units)
        cells = _grid(units, rng)
    columns = 1 + max(column for column, _, _ in cells)
    rows = 1 + max(row for _, row, _ in cells)
    placed: list[Placed] = []
    for column, row, units_here in cells:
        placed += _in_cell(units_here, (column, row), (columns, rows), size_wh, rng)
    return tuple(placed)


def laid_out(
    given: Mapping[str, JsonValue], claims: Sequence[Claim], size_wh: tuple[int, int], seed: int
) -> dict[str, JsonValue] | None:
    """Arguments of `layout` that draw what `given` draws, each thing in its place.

    Args:
        given: arguments of `generate`.
        seed: of the arrangement.

    Returns:
        None where the claims name nothing that can be placed.
    """
    placed = arrange(claims, size_wh, seed)
    things: list[JsonValue] = [{"phrase": phrase, "box": list(box)} for phrase, box in placed]
    kept = {name: value for name, value in given.items() if name in KEPT}
    return {**kept, "things": things} if things else None


Cell = tuple[int, int, list[Group]]


def _relate(groups: Sequence[Group], claims: Sequence[Claim]) -> None:
    """Columns and rows in which every relation holds (longest path; cycles are cut off)."""
    known = {(group.noun, group.apart): group for group in groups}
    for _ in groups:
        for claim in claims:
            one = known.get((claim.subject, claim.colour))
            other = known.get((str(claim.other), claim.other_colour))
            if claim.kind != "relation" or one is None or other is None:
                continue
            one.related = other.related = True
            if claim.relation in ("right of", "below"):
                one, other = other, one
            if claim.relation in ("left of", "right of"):
                other.column = max(other.column, min(one.column + 1, len(groups)))
            else:
                other.row = max(other.row, min(one.row + 1, len(groups)))


def _related_cells(groups: Sequence[Group], rng: random.Random) -> list[Cell]:
    """Related groups each in a cell of its own; of the rest each thing where there is room.

    Where there is none, the grid grows on its shorter side, so that cells stay large.
    """
    cells: dict[tuple[int, int], list[Group]] = {}
    for group in groups:
        if group.related:
            column, row = group.column, group.row
            while (column, row) in cells:
                row += 1
            cells[column, row] = [group] * group.count
    columns = 1 + max(column for column, _ in cells)
    rows = 1 + max(row for _, row in cells)
    for unit in (group for group in groups if not group.related for _ in range(group.count)):
        if len(cells) == columns * rows:
            columns, rows = (columns + 1, rows) if columns <= rows else (columns, rows + 1)
        everywhere = ((column, row) for row in range(rows) for column in range(columns))
        cells[rng.choice([cell for cell in everywhere if cell not in cells])] = [unit]
    return [(column, row, units) for (column, row), units in cells.items()]


def _grid(units: Sequence[Group], rng: random.Random) -> list[Cell]:
    """One cell for each unit, in a grid as square as can be; two stand side by side or stacked."""
    columns = math.ceil(math.sqrt(len(units)))
    if len(units) == 2 and rng.random() < 0.5:
        columns = 1
    return [(i % columns, i // columns, [unit]) for i, unit in enumerate(units)]


def _in_cell(
    units: Sequence[Group],
    cell: tuple[int, int],
    grid: tuple[int, int],
    size_wh: tuple[int, int],
    rng: random.Random,
) -> list[Placed]:
    width, height = size_wh[0] / grid[0], size_wh[1] / grid[1]
    across = math.ceil(math.sqrt(len(units) * width / height)) if len(units) > 1 else 1
    across = min(len(units), across)
    down = math.ceil(len(units) / across)
    step_x, step_y = width / across, height / down
    placed = []
    for number, unit in enumerate(units):
        share = unit.side or SIZES["large" if grid[0] * grid[1] * len(units) <= 2 else "small"]
        side = min(math.floor(min(step_x, step_y)), _grain(share * min(size_wh)))
        x = cell[0] * width + (number % across + 0.5) * step_x
        y = cell[1] * height + (number // across + 0.5) * step_y
        x += (step_x - side) / 2 * rng.uniform(-0.6, 0.6)
        y += (step_y - side) / 2 * rng.uniform(-0.6, 0.6)
        x0 = float(min(round((x - side / 2) / 8) * 8, size_wh[0] - side))
        y0 = float(min(round((y - side / 2) / 8) * 8, size_wh[1] - side))
        placed.append(Placed(unit.phrase, (x0, y0, x0 + side, y0 + side)))
    return placed


def _grain(length: float) -> int:
    """The nearest multiple of 8 px, the cell of a latent: a box between two is drawn blurred."""
    return max(8, round(length / 8) * 8)


def free_box(
    taken: Sequence[Box],
    size_wh: tuple[int, int],
    sides: Sequence[tuple[str, Box]] = (),
) -> Box | None:
    """The largest box of some sizes that touches no other, None if there is no room.

    Args:
        taken: boxes of what is there, px.
        size_wh: of the picture, px.
        sides: on which side of which box it must lie, such as ("left of", box).
    """
    width, height = size_wh
    for share in FREE_SIDES:
        side = round(share * min(size_wh))
        for y in _steps(height - side):
            for x in _steps(width - side):
                box = (float(x), float(y), float(x + side), float(y + side))
                clear = all(_apart(box, other) for other in taken)
                if clear and all(_lies(box, relation, other) for relation, other in sides):
                    return box
    return None


def occupied(image: Image) -> list[Box]:
    """Cells of a grid in which a picture shows more than its ground, px; of a photo nearly all."""
    height, width = image.pixels.shape[:2]
    rim = np.concatenate(
        [image.pixels[0], image.pixels[-1], image.pixels[:, 0], image.pixels[:, -1]]
    )
    unlike = np.abs(image.pixels - np.median(rim, axis=0)).max(axis=-1) > UNLIKE  # (H, W)
    rows = np.linspace(0, height, CELLS + 1).astype(int)
    columns = np.linspace(0, width, CELLS + 1).astype(int)
    return [
        (float(x0), float(y0), float(x1), float(y1))
        for y0, y1 in pairwise(rows)
        for x0, x1 in pairwise(columns)
        if unlike[y0:y1, x0:x1].mean() > FULL
    ]


def _steps(room: int) -> list[int]:
    """Offsets from the middle outwards, so that what is put in stands well inside."""
    steps = sorted({round(room * share / 8) for share in range(9)})
    return sorted(steps, key=lambda at: abs(at - room / 2))


def _apart(one: Box, other: Box) -> bool:
    return one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


def _lies(box: Box, relation: str, other: Box) -> bool:
    return {
        "left of": box[2] <= other[0],
        "right of": box[0] >= other[2],
        "above": box[3] <= other[1],
        "below": box[1] >= other[3],
    }[relation]
