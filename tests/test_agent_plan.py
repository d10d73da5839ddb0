"""Plans: what is refused, with which words, and in which order calls run."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agent.act import Board, act
from agent.events import Event
from agent.plan import Call, Plan, dependents, order, renamed, resolve, validate
from tests.agent_drawn import (
    Broken,
    Classify,
    Generate,
    Ground,
    HereToolbox,
    Shout,
    Vqa,
    painted,
)
from tools.errors import InvalidInput

TOOLS = HereToolbox(Generate, Ground, Vqa, Classify, Shout, Broken)


def plan(*calls: tuple[str, str, dict[str, Any]]) -> Plan:
    return Plan(calls=tuple(Call(id=i, tool=tool, input=given) for i, tool, given in calls))


DRAW = ("c1", "generate", {"prompt": "a red box"})


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (Plan(), ["neither calls nor a reply"]),
        (plan(("c1", "gnerate", {"prompt": "x"})), ["no tool 'gnerate'", "generate, ground"]),
        (plan(("c 1", "generate", {"prompt": "x"})), ["call id 'c 1'"]),
        (plan(DRAW, DRAW), ["'c1' is used twice"]),
        (plan(("c1", "generate", {})), ["c1.prompt: missing", "text"]),
        (plan(("c1", "generate", {"prompt": 3})), ["c1.prompt", "not 3"]),
        (plan(("c1", "generate", {"prompt": "x", "n": 99})), ["c1.n", "16", "not 99"]),
        (
            plan(("c1", "generate", {"prompt": "x", "size": 3})),
            ["no argument 'size'; it has prompt"],
        ),
        (
            plan(("c1", "vqa", {"image": "img7", "question": "?"})),
            ["no picture 'img7'", "there are: img1"],
        ),
        (plan(("c1", "vqa", {"image": 3, "question": "?"})), ["no picture 3"]),
        (
            plan(("c1", "vqa", {"image": "@c9.images[0]", "question": "?"})),
            ["'@c9.images[0]' names no call", "there are: c1"],
        ),
        (
            plan(DRAW, ("c2", "vqa", {"image": "@c1.pictures[0]", "question": "?"})),
            ["'@c1' has no field 'pictures'; it has images, seeds"],
        ),
        (
            plan(DRAW, ("c2", "vqa", {"image": "@c1.images", "question": "?"})),
            ["'@c1.images' is a list: a picture, but a picture is wanted"],
        ),
        (
            plan(DRAW, ("c2", "vqa", {"image": "@c1.seeds[0]", "question": "?"})),
            ["is a whole number, but a picture is wanted"],
        ),
        (
            plan(DRAW, ("c2", "shout", {"text": "@c1.images[0]"})),
            ["is a picture, but text is wanted"],
        ),
        (
            plan(("c1", "shout", {"text": "hi"}), ("c2", "shout", {"text": "@c1.text[0]"})),
            ["'@c1.text' is text, not a list"],
        ),
        (
            plan(DRAW, ("c2", "ground", {"image": "img1", "phrases": ["@c1.seeds[0]"]})),
            ["c2.phrases[0]", "is a whole number, but text is wanted"],
        ),
        (
            plan(
                ("c1", "shout", {"text": "@c2.text"}),
                ("c2", "shout", {"text": "@c3.text"}),
                ("c3", "shout", {"text": "@c1.text"}),
            ),
            ["circle: c1 -> c2 -> c3 -> c1"],
        ),
        (plan(("c1", "shout", {"text": "@c1.text"})), ["circle: c1 -> c1"]),
    ],
)
def test_a_plan_that_cannot_run_is_refused_in_words(wrong: Plan, says: list[str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        validate(wrong, TOOLS, ["img1"])
    for part in says:
        assert part in str(refused.value)


def test_all_problems_come_at_once_in_one_line() -> None:
    wrong = plan(
        ("c1", "paint", {"prompt": "x"}),
        ("c2", "vqa", {"image": "img9", "question": "?", "loud": True}),
        ("c3", "generate", {"n": 0, "prompt": "x"}),
    )
    with pytest.raises(InvalidInput) as refused:
        validate(wrong, TOOLS, [])
    text = str(refused.value)
    assert "\n" not in text
    for part in ("no tool 'paint'", "'img9'", "'loud'", "c3.n", "none; add a picture first"):
        assert part in text


@pytest.mark.parametrize(
    "right",
    [
        Plan(reply="hello"),
        plan(DRAW),
        plan(DRAW, ("c2", "vqa", {"image": "@c1.images[0]", "question": "what is it?"})),
        plan(("c1", "vqa", {"image": "img1", "question": "?"})),
        plan(
            ("a", "ground", {"image": "img1", "phrases": ["box"]}),
            ("b", "classify", {"image": "img1", "labels": ["x", "y"], "box": "@a.boxes[0].box"}),
        ),
        plan(
            ("a", "shout", {"text": "x"}),
            ("b", "ground", {"image": "img1", "phrases": ["@a.text", "bar"]}),
        ),
        plan(
            ("a", "shout", {"text": "x"}), ("b", "ground", {"image": "img1", "phrases": "@a.parts"})
        ),
        plan(DRAW, ("c2", "shout", {"text": "hi", "image": "@c1.images[0]"})),
        plan(("c1", "shout", {"text": "write to me @home"})),
    ],
)
def test_a_plan_that_can_run_passes(right: Plan) -> None:
    validate(right, TOOLS, ["img1"])


def test_calls_that_ended_before_may_be_referred_to() -> None:
    later = plan(("c2", "vqa", {"image": "@c1.images[0]", "question": "?"}))
    validate(later, TOOLS, [], {"c1": "generate"})


def test_order_puts_needs_first() -> None:
    backwards = plan(
        ("c3", "shout", {"text": "@c2.text"}),
        ("c2", "shout", {"text": "@c1.text"}),
        ("c1", "shout", {"text": "x"}),
    )
    assert [call.id for call in order(backwards.calls)] == ["c1", "c2", "c3"]
    assert dependents(backwards.calls, {"c1"}) == {"c2", "c3"}


def test_taken_ids_are_renamed_with_their_references() -> None:
    new = renamed(
        plan(("c1", "shout", {"text": "x"}), ("c2", "shout", {"text": "@c1.text"})), ["c1"]
    )
    assert [call.id for call in new.calls] == ["c1_2", "c2"]
    assert new.calls[1].input == {"text": "@c1_2.text"}


def test_an_index_past_the_end_is_told_when_it_is_known() -> None:
    picture = painted(("red", "box"))
    found = TOOLS.tool("ground").run([Ground.input(image=picture, phrases=("bar",))])[0]
    call = Call(
        id="c2",
        tool="classify",
        input={"image": "img1", "labels": ["x", "y"], "box": "@c1.boxes[0].box"},
    )
    with pytest.raises(InvalidInput, match="gave 0 there"):
        resolve(call, TOOLS.tool("classify"), {"c1": found}, {"img1": picture})  # type: ignore[dict-item]


async def run(*calls: tuple[str, str, dict[str, Any]]) -> tuple[Board, list[Event], HereToolbox]:
    tools = HereToolbox(Generate, Ground, Vqa, Classify, Shout, Broken, Pause)
    board, events = Board(pictures={"img1": painted(("red", "box"))}), list[Event]()
    await act(
        plan(*calls).calls, toolbox=tools, board=board, emit=events.append, defaults={"seed": 77}
    )
    return board, events, tools


class Pause(Shout):
    """Shout after a while."""

    name = "pause"

    def answer(self, requests: Any, progress: Any) -> Any:
        import time

        time.sleep(0.1)
        return super().answer(requests, progress)


async def test_ready_calls_run_side_by_side() -> None:
    _, _, tools = await run(
        ("c1", "pause", {"text": "a"}),
        ("c2", "pause", {"text": "b"}),
        ("c3", "pause", {"text": "@c1.text"}),
    )
    kinds = [kind for kind, _, _ in tools.log]
    assert kinds[:2] == ["start", "start"]  # c1 and c2 overlap
    third = [place for place, kind in enumerate(kinds) if kind == "start"][2]
    assert third > kinds.index("end")  # c3 only after c1


async def test_values_flow_along_references_and_seconds_are_counted() -> None:
    board, _, _ = await run(
        ("c2", "shout", {"text": "@c1.text", "times": 2}), ("c1", "pause", {"text": "ho"})
    )
    assert board.records["c2"].output == {"text": "HOHO", "parts": ["HO"]}
    assert board.records["c1"].seconds >= 0.1


async def test_what_hangs_on_a_failed_call_is_skipped_and_the_rest_runs() -> None:
    board, events, _ = await run(
        ("c1", "broken", {"text": "x"}),
        ("c2", "shout", {"text": "@c1.text"}),
        ("c3", "shout", {"text": "@c2.text"}),
        ("c4", "shout", {"text": "free"}),
    )
    assert {i: record.status for i, record in board.records.items()} == {
        "c1": "failed",
        "c2": "skipped",
        "c3": "skipped",
        "c4": "done",
    }
    assert board.records["c1"].error == "broken is broken"
    assert "c1 (failed)" in str(board.records["c2"].error)
    assert "c2" not in {event.call for event in events if event.type == "tool_started"}


async def test_the_seed_of_the_run_is_given_where_the_plan_is_silent() -> None:
    board, _, _ = await run(DRAW, ("c2", "generate", {"prompt": "a bar", "seed": 5}))
    assert board.records["c1"].input["seed"] == 77
    assert board.records["c2"].input["seed"] == 5


async def test_records_hold_ids_not_pixels() -> None:
    board, _, _ = await run(("c1", "vqa", {"image": "img1", "question": "is there a box?"}))
    assert board.records["c1"].input["image"] == board.pictures["img1"].id
    assert board.records["c1"].output == {"answer": "yes", "confidence": 0.95, "guess": ""}


async def test_a_cancelled_act_keeps_what_had_ended() -> None:
    board = Board()
    calls = plan(
        ("c1", "shout", {"text": "a"}),
        ("c2", "pause", {"text": "@c1.text"}),
        ("c3", "pause", {"text": "@c2.text"}),
    ).calls
    tools = HereToolbox(Shout, Pause)
    ended = asyncio.Event()

    def emit(event: Event) -> None:
        if event.type == "tool_started" and event.call == "c2":
            ended.set()

    task = asyncio.create_task(act(calls, toolbox=tools, board=board, emit=emit))
    await ended.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert board.records["c1"].status == "done"
    assert board.records["c2"].status == "cancelled"
    assert "c3" not in board.outputs
