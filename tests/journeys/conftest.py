"""What the journeys stand on: a real server, a real browser, and pictures of what they see.

Chromium comes from the system (`apt-get install chromium`); without it the journeys are skipped.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from PIL import Image as PIL
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from miniature.world import scene
from tools.profile import FOLDER
from tools.values import Image

ROOT = Path(__file__).resolve().parent.parent.parent
OUTPUT = ROOT / "build" / "journeys"
SCREENS = ROOT / "docs" / "screens"
WIDE, NARROW = (1280, 860), (390, 844)
PATIENCE = 120_000  # ms; a machine that does other work draws slowly

expect.set_options(timeout=PATIENCE)

Snap = Callable[[str], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--screens", action="store_true", help="write the journeys' key moments to docs/screens/"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "plans(*calls): what the server's planner serves, in order")


class Server(NamedTuple):
    """A running `sightloop ui`.

    Attributes:
        seer: folder of the weights that `vqa` looks with; may be moved away and back.
        alive: names of the tools.
    """

    url: str
    seer: Path
    alive: frozenset[str]


@pytest.fixture(scope="module")
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """One server for all journeys; its planner serves the plans of those that were chosen."""
    folder = tmp_path_factory.mktemp("journeys")
    seer = folder / "seer"
    shutil.copytree(ROOT / "miniature" / "weights" / "blip", seer)
    profile = yaml.safe_load((FOLDER / "miniature.yaml").read_text(encoding="utf-8"))
    profile["tools"]["vqa"]["checkpoint"] = str(seer)
    (folder / "miniature.yaml").write_text(yaml.safe_dump(profile), encoding="utf-8")
    plans = [plan for item in request.session.items for plan in _plans(item)]
    (folder / "plans.json").write_text(json.dumps(plans), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *(
            sys.executable,
            "-c",
            "from ui.cli import main; main()",
            "ui",
            "--no-browser",
            "--port",
            str(port),
        ),
        *("--profile", str(folder / "miniature.yaml"), "--budget", "4"),
        *("--llm", f"script:{folder / 'plans.json'}"),
    ]
    environment = {**os.environ, "SIGHTLOOP_HOME": str(folder / "home")}
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_for(url, process)
            yield Server(url, seer, frozenset(profile["tools"]))
        finally:
            process.kill()  # what it wrote is safe; an answer it works on is nobody's any more
            process.wait(timeout=60)


def _plans(item: pytest.Item) -> list[dict[str, object]]:
    marks = item.iter_markers("plans")
    calls = [call for mark in marks for call in mark.args]
    return [{"calls": [{"id": "c1", **call}]} for call in calls]


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=5) as answer:  # noqa: S310
                if answer.status == 200:
                    return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.2)  # until the server listens; there is nothing to be told by
    raise RuntimeError("`sightloop ui` did not start; see server.log")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium as the system has it.

    Ends with the journeys: while Playwright is open its event loop runs in this thread, where no
    other test could then run one of its own.
    """
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("no chromium on this machine: `apt-get install chromium`")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    """The first page as a newcomer sees it, in a browser session of its own."""
    context = browser.new_context(viewport={"width": WIDE[0], "height": WIDE[1]})
    context.set_default_timeout(PATIENCE)
    opened = context.new_page()
    opened.goto(server.url)
    opened.get_by_role("heading", name="What shall we look at?").wait_for()
    yield opened
    context.close()


@pytest.fixture
def snap(page: Page, request: pytest.FixtureRequest) -> Snap:
    """Takes a picture of the page, wide and light, then narrow and dark.

    They are kept under build/journeys; with --screens those in docs/screens are made anew.
    """
    OUTPUT.mkdir(parents=True, exist_ok=True)

    def taken(name: str) -> None:
        settle(page)
        for kind, (width, height), scheme in (
            ("narrow-dark", NARROW, "dark"),
            ("wide-light", WIDE, "light"),
        ):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.set_viewport_size({"width": width, "height": height})
            page.wait_for_timeout(600)  # the sidebar slides
            settle(page)
            shot = PIL.open(io.BytesIO(page.screenshot())).convert("RGB")
            shot.save(OUTPUT / f"{name}-{kind}.webp", quality=82)
            if request.config.getoption("--screens", default=False):
                SCREENS.mkdir(exist_ok=True)
                shot.save(SCREENS / f"{name}-{kind}.webp", quality=82)

    return taken


@pytest.fixture
def scene_file(tmp_path: Path) -> Path:
    """A picture of StickerWorld that nobody trained on: a fox to the left of a red book."""
    return drawn_scene(1_000_000_007, tmp_path / "fox.png")


def drawn_scene(seed: int, path: Path) -> Path:
    """Write the scene of a seed as a PNG file."""
    path.write_bytes(Image.from_pixels(scene.draw(scene.sample(seed), 128)).png())
    return path


def say(page: Page, words: str, file: Path | None = None) -> None:
    """Write into the chat, with a picture if one is given, and send it."""
    if file is not None:
        page.get_by_test_id("stChatInput").locator("input[type=file]").set_input_files(file)
        page.get_by_test_id("stChatInput").get_by_text(file.name).wait_for()
    line = page.get_by_test_id("stChatInputTextArea")
    line.fill(words)
    line.press("Enter")


def answered(page: Page, turns: int) -> Locator:
    """The last answer, once there are that many and nothing is at work."""
    page.get_by_role("button", name="Stop").wait_for(state="detached")
    message = page.get_by_test_id("stChatMessage")
    message.nth(2 * turns - 1).wait_for()
    page.get_by_role("button", name="Stop").wait_for(state="detached")
    settle(page)
    return message.last


def settle(page: Page) -> None:
    """Wait until the server has nothing more to say to this page."""
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)
