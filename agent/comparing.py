"""Comparing: how two pictures of a conversation differ, in pixels and in how they were made."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from agent.store import Store
from tools.base import Record
from tools.values import Box

SEEN = 24  # levels of 255 by which a pixel must differ to be seen as another


class Comparison(Record):
    """What is different between two pictures."""

    same_size: bool
    differ: float | None = Field(ge=0, le=1, description="share of pixels; None if sizes differ")
    where: Box | None = Field(description="box around all that differs, px of the first")
    path: tuple[str, ...] = Field(
        description="tools that led from one to the other, or from what they share; oldest first"
    )


def compare(store: Store, one: str, other: str) -> Comparison:
    """Compare two pictures by their ids.

    Raises:
        InvalidInput: there is no such picture.
    """
    first, second = store.get(one), store.get(other)
    before = [kept.id for kept in store.lineage(one)]
    path = tuple(kept.origins[0].tool for kept in store.lineage(other) if kept.id not in before)
    if first.size_wh != second.size_wh:
        return Comparison(same_size=False, differ=None, where=None, path=path)
    apart = np.abs(first.pixels.astype(np.int16) - second.pixels.astype(np.int16)).max(-1) > SEEN
    rows, columns = np.flatnonzero(apart.any(1)), np.flatnonzero(apart.any(0))
    where = (
        (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
        if len(rows)
        else None
    )
    share = round(float(apart.mean()), 6)
    return Comparison(same_size=True, differ=share, where=where, path=path)
