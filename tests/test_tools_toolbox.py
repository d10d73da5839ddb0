"""The toolbox in this process, its profiles and its cache."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from miniature.world.scene import draw, sample
from tools import registry
from tools.base import Record
from tools.cache import ResultCache, result_key
from tools.errors import InvalidInput, Unavailable
from tools.generate import GenerateInput, GenerateOutput
from tools.profile import Profile, ToolProfile, load_profile, profile_names
from tools.score import ScoreInput, ScoreOutput
from tools.toolbox import LocalToolbox, Toolbox
from tools.values import Image

NOISE = Image.from_pixels(np.random.default_rng(1).integers(0, 255, (32, 32, 3), dtype=np.uint8))
DRAWN = GenerateOutput(images=(NOISE,), seeds=(4,))
Make = Callable[..., LocalToolbox]


@pytest.fixture
def make(tiny: Path) -> Iterator[Make]:
    """Makes toolboxes over untrained checkpoints, all closed at the end."""
    made = []

    def build(cache: ResultCache | None = None, **checkpoints: str) -> LocalToolbox:
        wanted = checkpoints or {"generate": "diffusion-tiny", "score": "clip"}
        tools = {name: ToolProfile(checkpoint=str(tiny / at)) for name, at in wanted.items()}
        made.append(LocalToolbox(Profile(name="test", tools=tools), cache))
        return made[-1]

    yield build
    for toolbox in made:
        toolbox.close()


async def test_a_call_gives_the_tools_record(make: Make) -> None:
    toolbox: Toolbox = make()
    assert toolbox.names() == ["generate", "score"]
    result = await toolbox.call("score", ScoreInput(image=NOISE, text="a dog"))
    assert isinstance(result, ScoreOutput)
    assert len(toolbox.checkpoint_digest("score")) == 64
    assert toolbox.checkpoint_digest("score") != toolbox.checkpoint_digest("generate")


async def test_progress_comes_in_order_in_the_callers_thread(make: Make) -> None:
    seen = []
    loop = asyncio.get_running_loop()

    def progress(step: int, total: int, preview: Image | None) -> None:
        assert asyncio.get_running_loop() is loop
        seen.append((step, total))

    await make().call("generate", GenerateInput(prompt="a dog", steps=6), progress)
    assert seen == [(step, 6) for step in range(1, 7)]


async def test_a_cancelled_call_stops_and_the_next_one_works(make: Make) -> None:
    toolbox = make()
    steps = []
    started = asyncio.Event()

    def progress(step: int, total: int, preview: Image | None) -> None:
        steps.append(step)
        started.set()

    long = asyncio.create_task(
        toolbox.call("generate", GenerateInput(prompt="a dog", steps=150), progress)
    )
    await started.wait()
    long.cancel()
    with pytest.raises(asyncio.CancelledError):
        await long
    await toolbox.call("score", ScoreInput(image=NOISE, text="a dog"))
    assert steps[-1] < 150


async def test_an_unknown_tool_is_answered_with_those_there_are(make: Make) -> None:
    toolbox = make()
    with pytest.raises(InvalidInput, match=r"^no tool 'scor'; there are: generate, score$"):
        toolbox.tool("scor")
    with pytest.raises(InvalidInput, match="no tool 'scor'"):
        await toolbox.call("scor", ScoreInput(image=NOISE, text="a dog"))


async def test_a_tool_without_its_weights_is_not_listed_and_says_why(make: Make) -> None:
    toolbox = make(score="clip", caption="gone")
    assert toolbox.names() == ["score"]
    assert "gone' is missing" in toolbox.absent()["caption"]
    with pytest.raises(Unavailable, match="is missing"):
        toolbox.tool("caption")
    caption = registry.discover()["caption"]()
    with pytest.raises(Unavailable, match="is missing"):
        await toolbox.call("caption", caption.parse({"image": NOISE}))
    (error,) = await toolbox.call_many("caption", [caption.parse({"image": NOISE})])
    assert isinstance(error, Unavailable)


async def test_weights_other_than_the_pinned_ones_are_refused(tiny: Path) -> None:
    settings = ToolProfile(checkpoint=str(tiny / "clip"), sha256="0" * 64)
    toolbox = LocalToolbox(Profile(name="test", tools={"score": settings}))
    with pytest.raises(Unavailable, match="the profile expects 000000000000"):
        await toolbox.call("score", ScoreInput(image=NOISE, text="a dog"))
    toolbox.close()


async def test_what_was_answered_once_is_not_asked_again(make: Make, tmp_path: Path) -> None:
    request = GenerateInput(prompt="a dog", n=2, steps=3)
    first = await make(ResultCache(tmp_path)).call("generate", request)
    steps = []
    again = make(ResultCache(tmp_path))
    assert await again.call("generate", request, lambda *step: steps.append(step)) == first
    assert steps == []
    changed = request.model_copy(update={"seed": 1})
    both = await again.call_many("generate", [request, changed], lambda *step: steps.append(step))
    assert both[0] == first
    assert both[1] != first
    assert len(steps) == 6  # two pictures of three steps, the changed request's alone


def test_a_result_is_named_by_all_that_decides_it() -> None:
    base = ("score", "1", "abc", {"dtype": "auto"}, ScoreInput(image=NOISE, text="a dog"))
    other = Image.from_pixels(NOISE.pixels[::-1])
    keys = {
        result_key(*base),
        result_key("vqa", *base[1:]),
        result_key(base[0], "2", *base[2:]),
        result_key(*base[:2], "abd", *base[3:]),
        result_key(*base[:3], {"dtype": "bfloat16"}, base[4]),
        result_key(*base[:4], ScoreInput(image=NOISE, text="a cat")),
        result_key(*base[:4], ScoreInput(image=other, text="a dog")),
    }
    assert len(keys) == 7
    assert result_key(*base[:4], ScoreInput(image=NOISE, text=" a dog ")) in keys


def test_the_cache_forgets_the_oldest_when_it_is_full(tmp_path: Path) -> None:
    cache = ResultCache(tmp_path, limit_bytes=3 * len(NOISE.png()))
    for key in ("a", "b"):
        cache.put(key, DRAWN)
    assert cache.get("a", GenerateOutput) == DRAWN
    cache.put("c", DRAWN)
    assert cache.get("b", GenerateOutput) is None
    assert cache.get("a", GenerateOutput) == cache.get("c", GenerateOutput) == DRAWN


def test_a_damaged_cache_is_started_anew(tmp_path: Path) -> None:
    (tmp_path / "results.sqlite").write_bytes(b"no database at all " * 99)
    cache = ResultCache(tmp_path)
    cache.put("a", DRAWN)
    assert cache.get("a", GenerateOutput) == DRAWN


def test_a_cache_that_cannot_write_costs_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = ResultCache(tmp_path)
    holder = sqlite3.connect(tmp_path / "results.sqlite")
    holder.executescript("DROP TABLE pictures")
    holder.close()
    with caplog.at_level(logging.WARNING):
        cache.put("a", DRAWN)
        assert cache.get("a", GenerateOutput) is None
    assert "a result is not kept" in caplog.text
    (tmp_path / "file").touch()
    nowhere = ResultCache(tmp_path / "file")
    nowhere.put("a", DRAWN)
    assert nowhere.get("a", GenerateOutput) is None


@pytest.mark.parametrize("name", profile_names())
def test_a_shipped_profile_fits_the_tools(name: str) -> None:
    profile = load_profile(name)
    assert set(profile.tools) <= set(registry.discover())
    LocalToolbox(profile).close()


def test_each_tool_is_in_a_shipped_profile() -> None:
    served = {tool for name in profile_names() for tool in load_profile(name).tools}
    assert served == set(registry.discover())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("tools: [", "cannot be read"),
        ("a, b", "holds no mapping"),
        ("extends: nothing", "extends 'nothing'; it can extend: llava, miniature"),
        ("extends: miniature\ntools: [score]", "tools: Input should be a valid dictionary"),
        ("tools: {score: {checkpoint: x, dtyp: auto}}", "tools.score.dtyp: Extra inputs"),
        ("tools: {score: {checkpoint: x, device: gpu}}", "tools.score.device"),
        ("tools: {scor: {checkpoint: x}}", "names tool 'scor'; there are: caption, classify"),
        ("tools: {score: {checkpoint: x, options: {mid: 1}}}", "there are: middle, slope"),
    ],
)
def test_a_wrong_profile_is_refused_in_one_line(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=says) as caught:
        LocalToolbox(load_profile(path))
    if "cannot be read" not in says:
        assert "\n" not in str(caught.value)


def test_a_profile_is_as_the_one_that_it_extends_but_for_what_it_says(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("extends: miniature\ntools: {vqa: {checkpoint: x}}")
    own, miniature = load_profile(path), load_profile("miniature")
    assert (own.name, own.description) == ("own", miniature.description)
    assert own.tools.pop("vqa") == ToolProfile(checkpoint="x")
    assert own.tools.items() < miniature.tools.items()


@pytest.mark.parametrize("name", ["minature", "../profiles/miniature", "", "none.yaml"])
def test_an_unknown_profile_is_answered_with_those_there_are(name: str) -> None:
    with pytest.raises(InvalidInput, match="there are: llava, miniature, minigpt4, sd15"):
        load_profile(name)


async def test_tools_load_ahead_of_need(make: Make) -> None:
    toolbox = make()
    toolbox.warm(["score"])
    result = await toolbox.call("score", ScoreInput(image=NOISE, text="a dog"))
    assert result == await make().call("score", ScoreInput(image=NOISE, text="a dog"))


async def test_what_was_not_used_for_longest_makes_room(miniature: LocalToolbox) -> None:
    asked = {"classify": {"labels": ["a dog", "a cat"]}, "ground": {"phrases": ["dog"]}}
    found: dict[str, Record] = {}
    tools = {name: miniature.profile.tools[name] for name in asked}
    small = miniature.profile.model_copy(update={"tools": tools, "memory_gib": 0.04})
    toolbox = LocalToolbox(small)
    image = Image.from_pixels(draw(sample(3)))
    for name in ("classify", "ground", "classify"):
        request = toolbox.tool(name).parse({"image": image, **asked[name]})
        answer = await toolbox.call(name, request)
        assert found.setdefault(name, answer) == answer, "as before it left and came back"
        held = [other for other in asked if hasattr(toolbox.tool(other), "_model")]
        assert held == [name]
    toolbox.close()
