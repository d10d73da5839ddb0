"""MCP, asked by the SDK's own client: the command over stdio, the closed loop in this process."""

from __future__ import annotations

import base64
import io
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters, stdio_client
from mcp_types import CallToolResult, ImageContent, TextContent
from PIL import Image as PIL

from agent.plan import Plan
from serving.config import Limits
from serving.front import Front
from tests.agent_drawn import Classify, Generate, Ground, HereToolbox, Scripted, Vqa
from ui.mcp import Door

START = "import sys; from ui.cli import main; sys.argv[0] = 'sightloop'; main()"
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def door(tmp_path: Path) -> Door:
    limits = Limits.model_validate({"pixels": 1_000_000})
    toolbox = HereToolbox(Generate, Ground, Vqa, Classify)
    plan = Plan(reply="There is nothing to change.")
    return Door(Front(tmp_path / "home", toolbox, Scripted(plan), limits), [tmp_path / "mine"])


@asynccontextmanager
async def over_stdio(home: Path, folder: Path) -> AsyncIterator[Client]:
    """The command in a process of its own, as an editor would start it."""
    profile = home.parent / "eyes.yaml"
    profile.write_text("tools: {edges: {checkpoint: 'package:opencv-python-headless'}}")
    words = ["-c", START, "mcp", "--profile", str(profile), "--folder", str(folder)]
    environment = {**os.environ, "SIGHTLOOP_HOME": str(home)}
    parameters = StdioServerParameters(
        command=sys.executable, args=words, env=environment, cwd=ROOT
    )
    async with Client(stdio_client(parameters)) as client:
        yield client


def pictures(result: CallToolResult) -> list[tuple[int, int]]:
    found = [each for each in result.content if isinstance(each, ImageContent)]
    return [PIL.open(io.BytesIO(base64.b64decode(each.data))).size for each in found]


def words(result: CallToolResult) -> str:
    return " ".join(each.text for each in result.content if isinstance(each, TextContent))


async def test_an_editor_opens_a_picture_and_has_its_edges_drawn(home: Path, photo: Path) -> None:
    async with over_stdio(home, photo.parent) as client:
        listed = {card.name: card for card in (await client.list_tools()).tools}
        assert list(listed) == ["open_picture", "generate_verified", "edit_verified", "edges"]
        assert "low" in listed["edges"].input_schema["properties"]
        opened = await client.call_tool("open_picture", {"path": str(photo)})
        assert pictures(opened) == [(64, 48)]
        facts: dict[str, Any] = opened.structured_content
        drawn = await client.call_tool("edges", {"image": facts["id"]})
        assert not drawn.is_error, words(drawn)
        assert pictures(drawn) == [(64, 48)]
        assert drawn.structured_content["image"] != facts["id"]
        refused = await client.call_tool("edges", {"image": facts["id"], "low": 300, "high": 200})
        assert refused.is_error
        assert "low must be below high" in words(refused)


async def test_the_loop_draws_checks_and_shows_the_picture(door: Door) -> None:
    told: list[str | None] = []

    async def tell(progress: float, total: float | None, message: str | None) -> None:
        told.append(message)

    async with Client(door.server()) as client:
        drawn = await client.call_tool(
            "generate_verified", {"request": "a red box"}, progress_callback=tell
        )
        assert not drawn.is_error, words(drawn)
        facts: dict[str, Any] = drawn.structured_content
        assert facts["stopped"] == "passed"
        assert {check["verdict"] for check in facts["checks"]} == {"pass"}
        assert "path" not in facts["images"][0]
        assert pictures(drawn) == [(64, 64)]
        assert told[0] == "plan"
        assert "check" in told
        changed = await client.call_tool(
            "edit_verified", {"request": "make it blue", "image": facts["images"][0]["id"]}
        )
        assert words(changed) == "There is nothing to change."


async def test_a_tool_tells_its_progress(door: Door) -> None:
    steps: list[tuple[float, float | None]] = []

    async def tell(progress: float, total: float | None, message: str | None) -> None:
        steps.append((progress, total))

    async with Client(door.server()) as client:
        await client.call_tool("generate", {"prompt": "a red box"}, progress_callback=tell)
    assert steps == [(1, 2), (2, 2)]


@pytest.mark.parametrize(
    ("name", "given", "says"),
    [
        ("os.system", {}, "no tool 'os.system'"),
        ("generate", {"prompt": "a", "path": "/etc/passwd"}, "path: Extra inputs"),
        ("generate_verified", {"request": ""}, "request"),
        ("generate_verified", {"request": "a", "budget_s": 1e9}, "budget_s"),
        ("edit_verified", {"request": "a", "image": "../../keys.json"}, "no picture"),
        ("edit_verified", {"request": "a", "image": "a" * 64}, "picture"),
        ("open_picture", {}, "either"),
        ("open_picture", {"path": "/etc/passwd"}, "no file '/etc/passwd'"),
        ("open_picture", {"path": "/no/such/file"}, "no file"),
        ("open_picture", {"path": "\0"}, "no file"),
        ("open_picture", {"path": "{folder}/../photo.png"}, "no file"),
        ("open_picture", {"path": "{folder}/link.png"}, "no file"),
        ("open_picture", {"base64": "@@@"}, "damaged"),
        ("open_picture", {"base64": "YWJj"}, "picture"),
    ],
)
async def test_what_cannot_be_done_is_said_in_the_result(
    door: Door, photo: Path, name: str, given: dict[str, Any], says: str
) -> None:
    folder = photo.parent / "mine"
    folder.mkdir()
    (folder / "link.png").symlink_to(photo)
    if "path" in given:
        given = {**given, "path": given["path"].replace("{folder}", str(folder))}
    async with Client(door.server()) as client:
        refused = await client.call_tool(name, given)
    assert refused.is_error
    assert says in words(refused)
