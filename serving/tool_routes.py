"""Tool routes: what each tool takes and gives, and any one of them by itself."""

from __future__ import annotations

import time

from fastapi import FastAPI
from pydantic import JsonValue

from serving.front import Front
from serving.owner import Owner
from tools.base import Record


class ToolCard(Record):
    """What a tool takes and gives."""

    name: str
    description: str
    input: dict[str, JsonValue]
    output: dict[str, JsonValue]


class ToolList(Record):
    """The tools that are alive, and the others with the reason."""

    tools: tuple[ToolCard, ...]
    absent: dict[str, str]


def add(app: FastAPI, front: Front) -> None:
    """Add the routes to an application."""

    @app.get("/v1/tools")
    async def tools(owner: Owner) -> ToolList:
        """What each tool takes and gives; pictures are ids."""
        cards = tuple(_card(front, name) for name in front.toolbox.names())
        return ToolList(tools=cards, absent=getattr(front.toolbox, "absent", dict)())

    @app.post("/v1/tools/{name}")
    async def call(
        owner: Owner, name: str, arguments: dict[str, JsonValue]
    ) -> dict[str, JsonValue]:
        """Run one tool by itself."""
        if name not in front.toolbox.names():
            front.toolbox.tool(name)  # says why
        front.quotas.enter(owner)
        started = time.monotonic()
        try:
            output = await front.call(owner, name, arguments)
        finally:
            front.quotas.leave(owner, time.monotonic() - started)
        result: dict[str, JsonValue] = output.model_dump(mode="json")
        return result


def _card(front: Front, name: str) -> ToolCard:
    tool = front.toolbox.tool(name)
    return ToolCard(
        name=name,
        description=tool.description,
        input=tool.input.model_json_schema(),
        output=tool.output.model_json_schema(),
    )
