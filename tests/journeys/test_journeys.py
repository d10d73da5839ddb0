"""Journeys: five whole ways through the face, as a person goes them."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.journeys.conftest import Server, Snap, answered, drawn_scene, say, settle

DRAW = {"tool": "generate", "input": {"prompt": "a red apple"}}
LOOK = {"tool": "caption", "input": {"image": "img1"}}
SWAP = {
    "tool": "replace",
    "input": {"image": "img1", "phrase": "fox", "prompt": "a yellow star"},
}
LARGER = {"tool": "upscale", "input": {"image": "img2", "factor": 2}}
COUNT = {"tool": "vqa", "input": {"image": "img1", "question": "how many books are there?"}}


def accessible(page: Page) -> None:
    """No serious violation of the accessibility rules that axe knows."""
    found = Axe().run(page).response["violations"]
    serious = [
        f"{one['id']}: {node['html'][:160]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]
    assert not serious, "\n".join(serious)


pytestmark = pytest.mark.journey


@pytest.mark.plans(DRAW)
def test_a_picture_is_drawn_and_a_claim_shows_what_it_stands_on(page: Page, snap: Snap) -> None:
    snap("welcome")
    accessible(page)
    say(page, "draw a red apple")
    page.get_by_text("Planning …").or_(page.get_by_text("Working …")).first.wait_for()
    page.get_by_role("img", name="what generate has drawn so far").first.wait_for()
    snap("drawing")
    answered(page, 1)
    page.get_by_role("button", name="there is an apple").click()
    page.get_by_text("ground says").first.wait_for()
    snap("checked")
    accessible(page)
    page.get_by_role("tab", name="Recipe").click()
    page.get_by_role("button", name="Surprise me").click()
    answered(page, 2)


@pytest.mark.plans(LOOK)
def test_a_part_of_a_picture_is_marked_and_replaced(
    page: Page, snap: Snap, scene_file: Path, server: Server
) -> None:
    say(page, "what is in this picture?", scene_file)
    answered(page, 1)
    clicks = "segment" in server.alive
    page.get_by_role("radio", name="Click it" if clicks else "Paint it").click()
    canvas = page.get_by_role("application")
    frame = canvas.bounding_box()
    assert frame is not None
    x, y = frame["x"] + 0.31 * frame["width"], frame["y"] + 0.3 * frame["height"]
    page.mouse.move(x, y)  # the fox
    page.mouse.down()
    if not clicks:
        for step in range(8):
            page.mouse.move(x + (-1) ** step * 45, y - 40 + 10 * step)
    page.mouse.up()
    page.get_by_text("of the picture is marked").wait_for()
    snap("marked")
    say(page, "a yellow star")
    answered(page, 2)
    page.get_by_role("tab", name="Versions").click()
    page.get_by_role("slider").wait_for()
    snap("replaced")
    accessible(page)


@pytest.mark.plans(SWAP, LARGER)
def test_edits_are_undone_and_branched(page: Page, snap: Snap, scene_file: Path) -> None:
    say(page, "replace the fox with a yellow star", scene_file)
    answered(page, 1)
    say(page, "make it twice as large")
    answered(page, 2)
    page.get_by_role("tab", name="Versions").click()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("button", name="img3 · upscale")).to_have_attribute("class", "undone")
    page.get_by_role("button", name="img2 · replace").click()
    settle(page)
    snap("versions")
    accessible(page)
    page.get_by_role("button", name="Redo").click()
    expect(page.get_by_role("button", name="img3 · upscale")).not_to_have_attribute(
        "class", "undone"
    )
    before = page.url
    page.get_by_role("button", name="img2 · replace").click()
    page.get_by_role("button", name="Branch").click()
    page.wait_for_url(lambda url: url != before)
    expect(page.get_by_text("make it twice as large")).to_have_count(0)


@pytest.mark.plans(LOOK)
def test_own_pictures_are_found_by_words(page: Page, snap: Snap, tmp_path: Path) -> None:
    folder = tmp_path / "my pictures"
    folder.mkdir()
    for number, seed in enumerate((1_000_000_003, 1_000_000_007, 1_000_000_012, 1_000_000_021)):
        drawn_scene(seed, folder / f"{number}.png")
    page.get_by_role("link", name="Pictures").click()
    page.get_by_label("Add a folder of this machine").fill(str(folder))
    page.get_by_role("button", name="Add it").click()
    page.get_by_text("4 pictures added").wait_for()
    words = page.get_by_label("Search by words")
    words.fill("a blue key to the left of a red bell")
    words.press("Enter")
    first = page.get_by_test_id("stImageCaption").filter(has_text=".png").first
    expect(first).to_have_text("2.png")
    snap("found")
    accessible(page)
    page.get_by_role("button", name="Ask about it").first.click()
    expect(answered(page, 1)).to_contain_text("key")


@pytest.mark.plans(COUNT, COUNT, COUNT)
def test_a_tool_that_dies_is_said_and_comes_back(
    page: Page, snap: Snap, scene_file: Path, server: Server
) -> None:
    away = server.seer.with_name("away")
    server.seer.rename(away)
    try:
        say(page, "how many books are there?", scene_file)
        page.get_by_role("button", name="Try again").wait_for()
        snap("failed")
        accessible(page)
        assert page.get_by_text("how many books are there?").first.is_visible()
    finally:
        away.rename(server.seer)
    page.get_by_role("button", name="Try again").click()
    expect(answered(page, 2)).to_contain_text("1", timeout=240_000)
    snap("recovered")
