"""Describing: what a picture shows in words, for those who do not see it."""

from __future__ import annotations

import logging

from tools.errors import ToolError
from tools.values import Image
from ui.face.engine import Engine

log = logging.getLogger(__name__)


def words(engine: Engine, image: Image) -> str:
    """What `caption` says of a picture; empty until it has looked, which this asks for."""
    if image.id not in engine.words:
        engine.words[image.id] = ""
        engine.later(_look(engine, image))
    return engine.words[image.id]


async def _look(engine: Engine, image: Image) -> None:
    if "caption" not in engine.toolbox.names():
        return
    tool = engine.toolbox.tool("caption")
    try:
        told = await engine.toolbox.call("caption", tool.parse({"image": image}))
    except ToolError as error:
        log.warning("no words for picture %s: %s", image.id[:12], error)
        return
    engine.words[image.id] = str(getattr(told, "text", ""))
