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


def last_change(store: Store, conversation: str) -> str:
    """In words, how the latest picture that is shown came about and how much it differs."""
    shown = store.handles(conversation, hidden=False)
    if not shown:
        return "There is no picture yet, so nothing was changed."
    handle, identity = list(shown.items())[-1]
    names = {known: name for name, known in store.handles(conversation).items()}
    *earlier, kept = store.lineage(identity)
    origin = kept.origins[-1]
    if origin.tool == "upload":
        return f"{handle} is as you gave it; nothing was changed."
    asked = (origin.input.get(name) for name in ("instruction", "phrase", "prompt"))
    said = next((f' ("{words}")' for words in asked if words), "")
    source = next((one.id for one in reversed(earlier) if one.id in names), None)
    if source is None:
        return f"{handle} was drawn by {origin.tool}{said}; it was made from no other picture."
    told = compare(store, source, identity)
    by = " and ".join(dict.fromkeys(told.path)) or origin.tool
    share = f"{told.differ:.0%} of the pixels differ" if told.same_size else "the size differs"
    return f"{handle} came from {names[source]} by {by}{said}: {share}."
