"""Hands benchmark: the trials are fair, the judge knows their answers, the sheets show all."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
from PIL import Image as PIL

from benchmarks import hands
from benchmarks.hands_sheet import MOST_BYTES, Tile, save
from benchmarks.hands_trials import TOOLS, trials
from benchmarks.judge import Judge
from tools.toolbox import LocalToolbox


@pytest.mark.parametrize("tool", TOOLS)
def test_trials_are_what_the_tool_takes_and_always_the_same(
    tool: str, miniature: LocalToolbox
) -> None:
    first, second = (list(islice(trials(tool), 6)) for _ in range(2))
    assert [one.arguments for one in first] == [one.arguments for one in second]
    called = miniature.tool("generate" if tool == "customize" else tool)
    for one in first:
        given = {one.given: one.before} if one.before and one.given else {}
        called.check(called.parse({**one.arguments, **given}))
        if one.learn:
            miniature.tool("customize").parse(one.learn)


def test_the_judge_knows_a_right_answer_from_what_was_there_before() -> None:
    judge = Judge()
    asked = [one for tool in ("remove", "replace", "edit") for one in islice(trials(tool), 4)]
    truths, befores = (
        judge.look([picture.pixels for picture in pictures])
        for pictures in (
            [one.truth for one in asked],
            [one.before for one in asked if one.before is not None],
        )
    )
    right = [all(one.verdicts(sight)) for one, sight in zip(asked, truths, strict=True)]
    wrong = [all(one.verdicts(sight)) for one, sight in zip(asked, befores, strict=True)]
    assert sum(right) >= 10
    assert not any(wrong)


def test_a_sheet_holds_every_picture_and_stays_small(tmp_path: Path) -> None:
    one = next(trials("edit"))
    tiles = [Tile(one.words, one.before, one.truth, i % 2 == 0) for i in range(64)]
    path = save(tiles, tmp_path / "sheet.webp")
    with PIL.open(path) as sheet:
        assert sheet.size == (8 * 198, 8 * 116)
    assert path.stat().st_size <= MOST_BYTES


def test_a_report_of_one_tool_keeps_the_others(tmp_path: Path) -> None:
    kept = tmp_path / "hands.json"
    kept.write_text('{"tools": {"edit": 1, "layout": 2}, "generate_over_bare": 1.1, "date": "old"}')
    found = hands.merged(kept, {"tools": {"edit": 3}})
    assert found == {"generate_over_bare": 1.1, "tools": {"edit": 3, "layout": 2}}
