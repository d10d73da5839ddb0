"""What the benchmarks count, on answers whose figures are known."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from agent.embedded_format import ABLE
from agent.plan import Call, Plan
from benchmarks import planner, report, stickereval, stickereval_figures
from benchmarks.detection import Answer, average_precision
from benchmarks.graph import matches, parse
from benchmarks.stickereval_prompts import load
from miniature.world.language import describe
from miniature.world.scene import sample
from miniature.world.splits import FIRST_SEED


def test_a_full_description_matches_its_scene_and_no_other() -> None:
    first = FIRST_SEED["calibration"]
    found = [sample(seed) for seed in range(first, first + 60)]
    assert all(matches(parse(describe(scene)), scene) for scene in found)
    moved = [matches(parse(describe(a)), b) for a, b in pairwise(found)]
    assert not any(moved)


@pytest.mark.parametrize("text", ["", "a flying teapot", "a dog to the left of", "dog dog dog"])
def test_a_caption_that_makes_no_sense_has_no_graph(text: str) -> None:
    assert parse(text) is None


def test_average_precision_counts_misses_doubles_and_boxes_on_nothing() -> None:
    box, elsewhere = (0.0, 0.0, 10.0, 10.0), (50.0, 50.0, 60.0, 60.0)
    assert average_precision([Answer("dog", "there", [box], [(0.9, box)])]) == 1
    assert average_precision([Answer("dog", "there", [box], [])]) == 0
    double = [(0.9, box), (0.8, box)]
    assert average_precision([Answer("dog", "there", [box], double)]) == 1
    first_wrong = [(0.9, elsewhere), (0.8, box)]
    assert average_precision([Answer("dog", "there", [box], first_wrong)]) == 0.5
    ghost = Answer("dog", "absent", [], [(0.95, elsewhere)])
    assert average_precision([Answer("dog", "there", [box], [(0.9, box)]), ghost]) == 0.5
    assert average_precision([ghost]) is None


REQUEST = planner.Request.from_json(
    {
        "id": "r1",
        "kind": "two-step",
        "text": "draw a red dog and find it",
        "handles": [],
        "sequences": [["generate", "ground"]],
        "arguments": [
            {"tool": "generate", "field": "prompt", "has": [["dog"], ["red", "crimson"]]},
            {"tool": "ground", "field": "image", "equals": "@"},
        ],
    }
)
DRAW = Call(id="c1", tool="generate", input={"prompt": "a red dog"})
FIND = Call(id="c2", tool="ground", input={"image": "@c1.images[0]", "phrases": ["dog"]})


def outcome(*calls: Call, problem: str = "") -> planner.Outcome:
    return planner.Outcome(REQUEST, Plan(calls=calls), problem, 0.1)


def test_a_plan_is_right_by_its_tools_and_then_by_its_arguments() -> None:
    assert outcome(DRAW, FIND).arguments
    assert not outcome(FIND, DRAW).sequence
    assert not outcome(DRAW).sequence
    assert not outcome(DRAW, FIND, problem="it cannot run").sequence
    blue = Call(id="c1", tool="generate", input={"prompt": "a blue dog"})
    assert outcome(blue, FIND).sequence
    assert not outcome(blue, FIND).arguments


def test_the_requests_are_many_and_of_every_kind() -> None:
    requests = planner.load()
    assert len(requests) >= 220
    assert len({request.text for request in requests}) == len(requests)
    kinds = [request.kind for request in requests]
    assert kinds.count("draw") >= 80
    assert kinds.count("question") >= 70
    assert {"two-step", "chat", "impossible"} < set(kinds)
    known = {"generate", "caption", "vqa", "ground", "score", "classify"}
    assert {tool for one in requests for way in one.sequences for tool in way} > known


def test_the_held_out_requests_are_others_and_name_every_tool() -> None:
    requests, seen = planner.load(planner.HELD_OUT), {request.text for request in planner.load()}
    assert len(requests) >= 80
    assert not seen & {request.text for request in requests}
    known = {tool for _, group in ABLE for tool in group}
    assert {tool for one in requests for way in one.sequences for tool in way} == known


def line(
    number: int, *, single: bool, best: bool, loop: bool, stopped: str
) -> stickereval_figures.Line:
    prompt = load()[number]
    return {
        "id": prompt.id,
        "round": 0,
        "kind": prompt.kind,
        "begun": "generate",
        "held_out": False,
        "right": {
            "model": False,
            "model_best": False,
            "single": single,
            "best": best,
            "loop": loop,
        },
        "course": {
            "model": [(0.3, False)],
            "model_best": [(0.3, False), (2.0, False)],
            "single": [(0.5, single)],
            "best": [(0.7, single), (2.0, best)],
            "loop": [(0.6, single), (1.0, loop)],
        },
        "seconds": {"model": 0.3, "model_best": 2.0, "single": 0.5, "best": 2.0, "loop": 1.0},
        "pictures": {"model": 1, "model_best": 5, "single": 1, "best": 4, "loop": 2},
        "stopped": stopped,
        "overhead": 0.01,
    }


def test_regressions_gains_and_false_claims_are_counted() -> None:
    found = stickereval_figures.figures(
        [
            line(0, single=True, best=True, loop=False, stopped="passed"),
            line(1, single=False, best=False, loop=True, stopped="passed"),
            line(2, single=False, best=True, loop=True, stopped="budget"),
        ]
    )
    assert found["regressions"] == {"best": 0, "loop": 1}
    assert found["gains"] == {"best": 1, "loop": 2}
    assert found["right_of_claimed_passed"] == 0.5
    assert found["right"]["loop"] == pytest.approx(2 / 3)
    assert "best of N 0, loop 1" in stickereval_figures.body(found, "a.svg")
    assert found["course"]["single"][0] == 0
    assert found["course"]["loop"][-1] == pytest.approx(found["right"]["loop"], abs=1e-4)


def test_shards_share_out_all_prompts_and_a_limit_takes_every_kind() -> None:
    prompts = load()
    halves = [stickereval.chosen(prompts, None, shard) for shard in ("1/2", "2/2")]
    assert sorted(p.id for half in halves for p in half) == sorted(p.id for p in prompts)
    assert len({prompt.kind for prompt in stickereval.chosen(prompts, 12, "1/1")}) == 6
    with pytest.raises(ValueError, match="i from 1 to n"):
        stickereval.chosen(prompts, None, "3/2")


def test_a_report_says_with_what_command_and_machine_it_was_made(tmp_path: Path) -> None:
    path = report.write("demo", "Demo", "python -m demo", {"right": 0.5}, "body", tmp_path)
    assert "python -m demo" in path.read_text()
    assert json.loads((tmp_path / "demo.json").read_text())["right"] == 0.5
