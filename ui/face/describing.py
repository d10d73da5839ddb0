"""Describing: what a picture shows in words, and whether the networks can know it."""

from __future__ import annotations

import logging
from typing import Any

from tools.errors import ToolError
from tools.values import Image
from ui.face.engine import Engine
from ui.face.outside import is_outside

log = logging.getLogger(__name__)


def words(engine: Engine, image: Image) -> str:
    """What `caption` says of a picture; empty until it has looked, which this asks for."""
    if image.id not in engine.words:
        engine.words[image.id] = ""
        engine.later(_look(engine, image))
    return engine.words[image.id]


async def _look(engine: Engine, image: Image) -> None:
    alive = engine.toolbox.names()
    if "caption" not in alive:
        return
    try:
        told = await _ask(engine, "caption", image=image)
        engine.words[image.id] = told.text
        if engine.toolbox.profile.name == "miniature" and "score" in alive:
            fit = await _ask(engine, "score", image=image, text=told.text)
            engine.strange[image.id] = is_outside(told.score, fit.raw)
    except ToolError as error:
        log.warning("no words for picture %s: %s", image.id[:12], error)


async def _ask(engine: Engine, name: str, **given: object) -> Any:
    return await engine.toolbox.call(name, engine.toolbox.tool(name).parse(given))
