"""The arms of StickerEval and the figures of the eyes, on networks that really run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.store import Store
from benchmarks import arms, eyes, stickereval, stickereval_figures
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
            [*stickereval.cases(chosen, 1)],
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
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 10
    found = stickereval_figures.figures(lines)
    assert found["prompts"] == found["cases"] == 2
    assert found["right"]["loop"] == found["course"]["loop"][-1]
    assert "cases `layout`" in stickereval_figures.body(found, "a.svg")
    stickereval_figures.plot(found["course"], tmp_path / "course.svg")
    assert (tmp_path / "course.svg").read_text().startswith("<?xml")


async def test_the_single_shot_is_the_first_of_best_of_n(
    small: LocalToolbox, tmp_path: Path
) -> None:
    prompt, store = load()[0], Store(tmp_path)
    alone = await arms.best_of(prompt, 1, small, store, arms.Verbatim())
    several = await arms.best_of(prompt, 3, small, store, arms.Verbatim())
    assert alone.first.image.id == alone.image.id == several.first.image.id
    assert several.first.seconds < several.moments[0].seconds < several.seconds
    store.close()


def test_an_interval_is_over_prompts_not_over_their_seeds() -> None:
    lines = [{"id": str(i % 4), "right": {"loop": i % 4 < 2}} for i in range(400)]
    low, high = stickereval_figures.interval(lines, lambda line: float(line["right"]["loop"]))
    assert low < 0.1
    assert high > 0.9


async def test_the_eyes_are_measured_on_scenes_with_and_without_unseen_pairs(
    small: LocalToolbox,
) -> None:
    found = await eyes.measure(small, 2, ("classify", "ground", "vqa", "caption"))
    assert set(found) == {"seen", "held out"}
    assert {name for name, _, _ in eyes.rows(found)} >= {"classify: accuracy", "ground: ap50"}
    for held_out in (True, False):
        for scene in eyes.scenes(5, held_out=held_out, first=FIRST_SEED["test"]):
            assert has_held_out_pair(thing.group for thing in scene.things) == held_out
