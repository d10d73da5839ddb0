"""Batches, the picture passage and the serving part of a profile, without Ray."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from serving.batching import Batcher
from serving.config import ServingConfig
from serving.pixels import Missing, Pixels
from tools.base import Progress, Record
from tools.errors import InvalidInput, ToolError
from tools.profile import Profile
from tools.values import Image


class Number(Record):
    """A number."""

    value: int


class Doubler:
    """Doubles numbers, each batch as soon as it may; odd batches fail where told to."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.may = asyncio.Event()
        self.stopped = 0

    async def run(self, requests: Sequence[Record], progress: Progress) -> list[Record | ToolError]:
        values = [request.value for request in requests if isinstance(request, Number)]
        self.batches.append(values)
        try:
            await self.may.wait()
        except asyncio.CancelledError:
            self.stopped += 1
            raise
        progress(1, 1, None)
        return [
            InvalidInput("negative") if value < 0 else Number(value=2 * value) for value in values
        ]


async def begun(batcher: Batcher, *values: int) -> list[asyncio.Task[Record | ToolError]]:
    tasks = [asyncio.create_task(batcher.ask(Number(value=value), None)) for value in values]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks


async def test_a_lone_call_starts_at_once_and_those_that_come_meanwhile_run_together() -> None:
    doubler = Doubler()
    batcher = Batcher(doubler.run, most=3)
    first = await begun(batcher, 1)
    assert doubler.batches == [[1]]
    others = await begun(batcher, 2, 3, 4, 5)
    doubler.may.set()
    results = await asyncio.gather(*first, *others)
    assert results == [Number(value=2 * value) for value in (1, 2, 3, 4, 5)]
    assert doubler.batches == [[1], [2, 3, 4], [5]]


async def test_one_bad_request_fails_alone() -> None:
    doubler = Doubler()
    doubler.may.set()
    batcher = Batcher(doubler.run, most=8)
    good, bad = await asyncio.gather(*await begun(batcher, 1, -1))
    assert good == Number(value=2)
    assert isinstance(bad, InvalidInput)


async def test_a_batch_that_nobody_waits_for_is_stopped() -> None:
    doubler = Doubler()
    batcher = Batcher(doubler.run, most=8)
    (first,) = await begun(batcher, 1)
    waiting = await begun(batcher, 2, 3)
    waiting[0].cancel()
    first.cancel()
    await asyncio.gather(first, waiting[0], return_exceptions=True)
    doubler.may.set()
    assert await waiting[1] == Number(value=6)
    assert doubler.batches == [[1], [3]]
    assert doubler.stopped == 1


def picture(value: int, side: int = 16) -> Image:
    return Image.from_pixels(np.full((side, side, 3), value, np.uint8))


def test_a_picture_passes_by_its_id(tmp_path: Path) -> None:
    sender, reader = Pixels(tmp_path), Pixels(tmp_path)
    image = picture(7)
    assert reader.get(sender.put(image)) == image
    assert np.array_equal(reader.get(image.id).pixels, image.pixels)


def test_a_full_passage_drops_what_is_old_and_says_what_is_missing(tmp_path: Path) -> None:
    passage = Pixels(tmp_path, limit_bytes=2500)
    ids = [passage.put(picture(value)) for value in range(5)]
    passage.get(ids[-1])
    with pytest.raises(Missing):
        passage.get(ids[0])


@pytest.mark.parametrize("identity", ["../x", "", "a" * 63, "A" * 64])
def test_the_passage_reads_nothing_else(tmp_path: Path, identity: str) -> None:
    with pytest.raises(InvalidInput):
        Pixels(tmp_path).get(identity)


def profile(serving: dict[str, object]) -> Profile:
    tools = {name: {"checkpoint": "x"} for name in ("caption", "vqa", "generate")}
    return Profile.model_validate({"name": "p", "tools": tools, "serving": serving})


def test_every_tool_ends_up_in_one_group() -> None:
    groups = ServingConfig.of(profile({"groups": {"draw": {"tools": ["generate"]}}})).groups
    assert groups["draw"].tools == ("generate",)
    assert groups["tools"].tools == ("caption", "vqa")
    assert list(ServingConfig.of(profile({})).groups) == ["tools"]


@pytest.mark.parametrize(
    "serving",
    [
        {"groups": {"a": {"tools": ["nothing"]}}},
        {"groups": {"a": {"tools": ["vqa"]}, "b": {"tools": ["vqa"]}}},
        {"groups": {"a": {"replicas": 0}}},
        {"gpu": 1},
    ],
)
def test_a_wrong_serving_part_is_refused(serving: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        ServingConfig.of(profile(serving))
