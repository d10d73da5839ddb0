"""The three arms of StickerEval and the figures of the eyes, on networks that really run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import arms, eyes, stickereval
from benchmarks.stickereval_prompts import load
from miniature.world.splits import FIRST_SEED, has_held_out_pair
from tools.profile import Profile, ToolProfile
from tools.toolbox import LocalToolbox


@pytest.fixture(scope="module")
def small(tiny: Path) -> LocalToolbox:
    """All six tools on tiny checkpoints; two steps a picture."""
    folders = {
        "generate": "diffusion-tiny",
        "caption": "blip",
        "vqa": "blip-vqa",
        "ground": "owl",
        "score": "clip",
        "classify": "clip",
    }
    tools = {name: ToolProfile(checkpoint=str(tiny / at)) for name, at in folders.items()}
    tools["generate"] = tools["generate"].model_copy(update={"options": {"steps": 2}})
    return LocalToolbox(Profile(name="tiny", tools=tools))


async def test_a_run_that_was_stopped_goes_on_where_it_was(
    small: LocalToolbox, tmp_path: Path
) -> None:
    prompts = load()[:2]
    results = tmp_path / "1-of-1.jsonl"
    for chosen in (prompts[:1], prompts):
        await stickereval.measure(
            chosen,
            0.2,
            2,
            toolbox=small,
            planner=arms.Verbatim(),
            results=results,
            keep=tmp_path / "pictures",
        )
    lines = stickereval.read(tmp_path)
    assert [line["id"] for line in lines] == [prompt.id for prompt in prompts]
    assert len(results.read_text().splitlines()) == 2
    assert json.loads(results.read_text().splitlines()[0])["pictures"]["best"] == 2
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 6
    assert stickereval.figures(lines)["prompts"] == 2


async def test_the_single_shot_is_the_first_of_best_of_n(small: LocalToolbox) -> None:
    prompt = load()[0]
    alone, _ = await arms.best_of(prompt, 1, small)
    _, first = await arms.best_of(prompt, 3, small)
    assert alone.image.id == first.id


async def test_the_eyes_are_measured_on_scenes_with_and_without_unseen_pairs(
    small: LocalToolbox,
) -> None:
    found = await eyes.measure(small, 2, ("classify", "ground", "vqa", "caption"))
    assert set(found) == {"seen", "held out"}
    assert {name for name, _, _ in eyes.rows(found)} >= {"classify: accuracy", "ground: ap50"}
    for held_out in (True, False):
        for scene in eyes.scenes(5, held_out=held_out, first=FIRST_SEED["test"]):
            assert has_held_out_pair(thing.group for thing in scene.things) == held_out
