"""Everything: a toolbox in which every tool is alive, to judge plans by; it runs none of them.

Which weights a machine has says nothing about how well a planner plans. Tools that a planner is
taught and this repository does not hold stand here as their arguments alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from agent.embedded_format import ABLE
from tools.base import Progress, Record, Text, Tool
from tools.errors import ToolError, Unavailable
from tools.registry import discover
from tools.toolbox import Toolbox
from tools.values import Image

SIDE = 512
"""Pixels of every picture that plans are made for: places inside pictures need a size."""


class Looked(Record):
    """One picture."""

    image: Image


class Learnt(Record):
    """Pictures of one thing, and what it shall be called."""

    images: tuple[Image, ...]
    name: Text


class _Unbuilt(Tool[Any, Looked]):
    """A tool of which only the arguments are known."""

    output = Looked

    def load(self, checkpoint: str, device: str, dtype: str) -> NoReturn:
        raise Unavailable(f"{self.name} stands for its arguments alone")

    def answer(self, requests: Sequence[Any], progress: Progress | None) -> NoReturn:
        raise Unavailable(f"{self.name} stands for its arguments alone")


def _unbuilt(name: str) -> type[Tool[Any, Any]]:
    taken = Learnt if name == "customize" else Looked
    return type(name.title(), (_Unbuilt,), {"name": name, "input": taken})


class Everything(Toolbox):
    """All tools of the registry, and all that the embedded planner has a verb for."""

    def __init__(self) -> None:
        built = discover()
        named = {name for _, group in ABLE for name in group}
        self._tools = {
            name: (built.get(name) or _unbuilt(name))() for name in sorted(named | built.keys())
        }

    def names(self) -> list[str]:
        return list(self._tools)

    def tool(self, name: str) -> Tool[Any, Any]:
        return self._tools[name]

    def checkpoint_digest(self, name: str) -> str:
        return name

    async def call_many(
        self, name: str, inputs: Sequence[Record], progress: Progress | None = None
    ) -> list[Record | ToolError]:
        raise Unavailable("these tools are for planning only")
