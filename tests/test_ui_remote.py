"""Tools of a server elsewhere, over real HTTP on this machine."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn

from agent.plan import Plan
from serving.app import build
from serving.config import Limits
from serving.front import Front
from tests.agent_drawn import Generate, Ground, HereToolbox, Scripted
from tools.errors import InvalidInput, Unavailable
from tools.toolbox import Toolbox
from tools.values import Image
from ui.remote import RemoteToolbox


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server whose tools are drawn by hand."""
    toolbox, planner = HereToolbox(Generate, Ground), Scripted(Plan(reply="hello"))
    home: Path = tmp_path_factory.mktemp("server")
    app = build(Front(home, toolbox, planner, Limits.model_validate({})))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="on"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(timeout=30)


def call(toolbox: Toolbox, name: str, **given: Any) -> Any:
    return asyncio.run(toolbox.call(name, toolbox.tool(name).parse(given)))


def test_pictures_travel_both_ways(url: str) -> None:
    toolbox = RemoteToolbox(url)
    assert toolbox.names() == ["generate", "ground"]
    drawn = call(toolbox, "generate", prompt="a red box", seed=4)
    given = {"image": drawn.images[0], "phrases": ["red box", "blue disc"]}
    here = HereToolbox(Ground)
    assert call(toolbox, "ground", **given) == call(here, "ground", **given)


def test_what_the_server_refuses_is_said_in_its_words(url: str) -> None:
    toolbox = RemoteToolbox(url)
    image = Image.from_pixels(np.full((8, 8, 3), 9, np.uint8))
    with pytest.raises(InvalidInput, match="no tool 'vqa'"):
        call(toolbox, "vqa", image=image, question="what is it?")


def test_a_server_that_is_gone_has_no_tools() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    toolbox = RemoteToolbox(url)
    assert toolbox.names() == []
    toolbox._alive = ("generate",)
    with pytest.raises(Unavailable, match="does not answer"):
        call(toolbox, "generate", prompt="a red box")
