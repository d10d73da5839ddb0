"""The loop: draw, look, check, repair, with small real tools and a scripted planner."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agent import loop
from agent.drawing import Try
from agent.events import Checked, Done, Event, Failed, MessageSaid, Repair
from agent.plan import Call, Plan
from agent.state import RunResult
from agent.store import Store
from tests.agent_drawn import (
    Broken,
    Classify,
    Generate,
    Ground,
    HereToolbox,
    Scripted,
    Shout,
    Vqa,
    painted,
)
from tools.errors import InvalidInput, Unavailable
from tools.values import Image

REQUEST = "Please draw a red box to the left of a blue bar."


class NeverRight(Generate):
    """Paint, always wrong."""

    def right(self, seed: int) -> bool:
        return False


class AlwaysRight(Generate):
    """Paint, always right."""

    def right(self, seed: int) -> bool:
        return True


class Slow(NeverRight):
    """Paint wrong, slowly."""

    seconds = 0.15


def drawing(prompt: str = "a red box to the left of a blue bar", **more: Any) -> Plan:
    return Plan(calls=(Call(id="c1", tool="generate", input={"prompt": prompt, **more}),))


def toolbox(generate: type[Generate] = Generate) -> HereToolbox:
    return HereToolbox(generate, Ground, Vqa, Classify, Shout, Broken)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store that has seen new seeds help in this world, whatever the program ships with."""
    store = Store(tmp_path / "store")
    for kind in ("exists", "colour", "count", "relation"):
        store.count_repair(Try("new seeds", "", kind, 1000, 900.0, 1000.0), "digest of generate")
    return store


async def events_of(
    store: Store,
    planner: Scripted,
    request: str = REQUEST,
    images: Sequence[Image] = (),
    tools: HereToolbox | None = None,
    **more: Any,
) -> list[Event]:
    stream = loop.run(
        request, images, toolbox=tools or toolbox(), planner=planner, store=store, **more
    )
    return [event async for event in stream]


def result_of(events: Sequence[Event]) -> RunResult:
    assert isinstance(events[-1], Done), events[-1]
    return events[-1].result


async def test_a_wrong_first_picture_is_repaired_until_every_check_passes(store: Store) -> None:
    events = await events_of(store, Scripted(drawing()), seed=0)
    result = result_of(events)
    assert result.stopped == "passed"
    assert [check.verdict for check in result.checks] == ["pass"] * 5
    assert result.budget.repairs == 1
    assert len(result.images) == 1
    assert store.get(result.images[0].id).id == result.images[0].id
    assert "meets 5 of 5 checks" in result.reply


async def test_events_tell_the_story_in_order(store: Store) -> None:
    events = await events_of(store, Scripted(drawing()), seed=0)
    kinds = [event.type for event in events]
    assert kinds[0] == "plan"
    assert kinds[-2:] == ["message", "done"]
    first = {kind: kinds.index(kind) for kind in set(kinds)}
    assert first["plan"] < first["tool_started"] < first["progress"] < first["tool_finished"]
    assert first["tool_finished"] < first["check"] < first["repair"] < first["message"]


async def test_without_the_loop_it_draws_and_checks_once(store: Store) -> None:
    events = await events_of(store, Scripted(drawing()), seed=0, loop=False)
    result = result_of(events)
    assert result.stopped == "single"
    assert result.budget.pictures == 1
    assert not any(isinstance(event, Repair) for event in events)
    assert "Not met" in result.reply


async def test_what_is_handed_over_never_stands_worse_than_anything_seen(store: Store) -> None:
    for seed in (0, 1, 7, 20):
        events = await events_of(
            store, Scripted(drawing()), seed=seed, tools=toolbox(NeverRight), budget_s=20
        )
        result = result_of(events)
        fails = sum(check.verdict == "fail" for check in result.checks)
        of_picture: dict[str, list[str]] = {}
        for event in events:
            if isinstance(event, Checked):
                of_picture.setdefault(event.image, []).append(event.check.verdict)
        shown = [verdicts.count("fail") for verdicts in of_picture.values()]
        assert shown == sorted(shown, reverse=True)  # each new best is at least as good
        assert fails == shown[-1]
        assert result.stopped == "no_progress"
        assert "stopped because" in result.reply


async def test_a_budget_ends_the_run_in_time(store: Store) -> None:
    started = time.perf_counter()
    events = await events_of(store, Scripted(drawing()), tools=toolbox(Slow), budget_s=1.2)
    result = result_of(events)
    assert result.stopped == "budget"
    assert time.perf_counter() - started < 2.0
    assert result.budget.used < 1.5
    assert len(result.images) == 1
    assert "budget of 1.2 s" in result.reply


async def test_no_budget_still_gives_one_checked_picture(store: Store) -> None:
    result = result_of(
        await events_of(store, Scripted(drawing()), tools=toolbox(Slow), budget_s=0.01)
    )
    assert result.stopped == "budget"
    assert result.budget.pictures == 1
    assert len(result.checks) == 5


async def test_the_same_seed_gives_the_same_picture(store: Store) -> None:
    first = result_of(await events_of(store, Scripted(drawing()), seed=11))
    second = result_of(await events_of(store, Scripted(drawing()), seed=11))
    other = result_of(await events_of(store, Scripted(drawing()), seed=500))
    assert first.images[0].id == second.images[0].id
    assert first.images[0].id != other.images[0].id


async def test_what_waits_for_a_drawing_gets_the_repaired_picture(store: Store) -> None:
    question = {"image": "@c1.images[0]", "question": "how many bars are there?"}
    plan = Plan(calls=(*drawing().calls, Call(id="c2", tool="vqa", input=dict(question))))
    result = result_of(await events_of(store, Scripted(plan), seed=0))
    asked = next(call for call in result.calls if call.id == "c2")
    assert asked.input["image"] == result.images[0].id
    assert asked.output == {"answer": "one", "confidence": 0.95, "guess": ""}
    assert "how many bars are there?" in result.reply


async def test_several_pictures_are_all_repaired(store: Store) -> None:
    result = result_of(await events_of(store, Scripted(drawing(n=2)), seed=0))
    assert result.stopped == "passed"
    assert [image.handle for image in result.images] == ["img1", "img2"]
    assert result.images[0].id != result.images[1].id


async def test_counts_and_absence_are_checked(store: Store) -> None:
    request = "draw two green boxes, no planks, on a white background"
    plan = drawing("two green boxes on a white background")
    result = result_of(await events_of(store, Scripted(plan), request, tools=toolbox(AlwaysRight)))
    assert {check.claim.kind for check in result.checks} == {
        "count",
        "colour",
        "absent",
        "background",
    }
    assert result.stopped == "passed"


async def test_a_request_without_claims_is_drawn_and_says_so(store: Store) -> None:
    result = result_of(await events_of(store, Scripted(drawing("anything")), "surprise me"))
    assert result.stopped == "unchecked"
    assert result.checks == ()
    assert "nothing in the request could be checked" in result.reply


async def test_a_plan_without_calls_is_the_reply(store: Store) -> None:
    result = result_of(await events_of(store, Scripted(Plan(reply="Hello!")), "hi"))
    assert (result.reply, result.stopped, result.images) == ("Hello!", "reply", ())


@pytest.mark.parametrize("request_", ["what is in this picture?", "describe img1"])
async def test_without_a_picture_the_agent_asks_for_one(store: Store, request_: str) -> None:
    planner = Scripted(Plan(calls=(Call(id="c1", tool="vqa", input={"image": "img1"}),)))
    result = result_of(await events_of(store, planner, request_))
    assert result.stopped == "reply"
    assert "add one" in result.reply


async def test_a_question_about_a_given_picture_is_answered_from_the_tool(store: Store) -> None:
    call = Call(
        id="c1", tool="vqa", input={"image": "img1", "question": "how many boxes are there?"}
    )
    picture = painted(("red", "box"), ("green", "box"))
    result = result_of(
        await events_of(store, Scripted(Plan(calls=(call,))), "how many boxes?", [picture])
    )
    assert result.stopped == "answered"
    assert "two" in result.reply
    assert "img1" in result.reply


async def test_a_plan_that_cannot_run_goes_back_with_all_its_problems(store: Store) -> None:
    wrong = Plan(calls=(Call(id="c1", tool="generat", input={"prompt": "x"}),))
    planner = Scripted(wrong, drawing())
    result = result_of(await events_of(store, planner, seed=4))
    assert result.stopped == "passed"
    assert "no tool 'generat'" in planner.requests[1].observations[0].text


async def test_a_failed_call_goes_back_to_the_planner_once_more(store: Store) -> None:
    bad = Plan(
        calls=(
            Call(id="c1", tool="broken", input={"text": "x"}),
            Call(id="c2", tool="shout", input={"text": "@c1.text"}),
        )
    )
    good = Plan(calls=(Call(id="c1", tool="shout", input={"text": "ho"}),))
    planner = Scripted(bad, good)
    result = result_of(await events_of(store, planner, "shout"))
    assert [call.status for call in result.calls] == ["failed", "skipped", "done"]
    assert len({call.id for call in result.calls}) == 3
    assert [one.status for one in planner.requests[1].observations] == ["failed", "skipped"]


async def test_a_planner_that_keeps_failing_ends_in_words_not_in_an_exception(
    store: Store,
) -> None:
    planner = Scripted(InvalidInput("what it said is no plan"))
    result = result_of(await events_of(store, planner))
    assert result.stopped == "failed"
    assert "what it said is no plan" in result.reply


async def test_a_failed_drawing_skips_what_waits_for_it(store: Store) -> None:
    class Refuses(Generate):
        """Paint nothing."""

        def answer(self, requests: Any, progress: Any) -> Any:
            raise Unavailable("no weights")

    question = {"image": "@c1.images[0]", "question": "is there a bar?"}
    plan = Plan(calls=(*drawing().calls, Call(id="c2", tool="vqa", input=dict(question))))
    result = result_of(await events_of(store, Scripted(plan), tools=toolbox(Refuses)))
    assert [call.status for call in result.calls] == ["failed", "skipped"]
    assert result.stopped == "failed"
    assert "no weights" in result.reply


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"request": "  "}, "empty"),
        ({"budget_s": 0}, "budget"),
        ({"conversation": "x"}, "no conversation"),
    ],
)
async def test_what_cannot_begin_is_one_error_event(
    store: Store, more: dict[str, Any], says: str
) -> None:
    events = await events_of(store, Scripted(drawing()), **more)
    assert len(events) == 1
    assert isinstance(events[0], Failed)
    assert says in events[0].message
    assert events[0].kind == "invalid_input"


async def test_an_absent_planner_is_an_error_and_the_store_remembers_the_turn(store: Store) -> None:
    events = await events_of(store, Scripted(Unavailable("no language model here")))
    assert isinstance(events[-1], Failed)
    assert events[-1].kind == "unavailable"
    (conversation,) = store.conversations()
    assert [message.text for message in store.history(conversation)] == [REQUEST.strip()]


async def test_cancelling_keeps_every_picture_that_was_drawn(store: Store) -> None:
    seen: list[str] = []

    async def follow() -> None:
        stream = loop.run(
            REQUEST, toolbox=toolbox(Slow), planner=Scripted(drawing()), store=store, budget_s=None
        )
        async for event in stream:
            if event.type == "tool_finished" and event.record.output:
                images = event.record.output.get("images")
                seen.extend(images if isinstance(images, list) else [])  # type: ignore[arg-type]
            if event.type == "repair" and event.round == 2:
                raised.set()

    raised = asyncio.Event()
    task = asyncio.create_task(follow())
    await raised.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(seen) == 5
    for identity in seen:
        assert store.get(identity).id == identity


async def test_a_conversation_goes_on_with_its_pictures(store: Store) -> None:
    first = result_of(await events_of(store, Scripted(drawing()), seed=4))
    (conversation,) = store.conversations()
    call = Call(id="c1", tool="vqa", input={"image": "img1", "question": "is there a bar?"})
    planner = Scripted(Plan(calls=(call,)))
    second = result_of(
        await events_of(store, planner, "is there a bar?", conversation=conversation)
    )
    assert second.calls[0].input["image"] == first.images[0].id
    assert planner.requests[0].handles == ("img1",)
    assert [m.role for m in planner.requests[0].history] == ["user", "assistant"]


async def test_every_sentence_of_fact_names_what_it_rests_on(store: Store) -> None:
    events = await events_of(store, Scripted(drawing()), seed=0, loop=False)
    said = next(event for event in events if isinstance(event, MessageSaid))
    facts = [s for s in said.sentences if any(c.isdigit() for c in s.text)]
    assert facts
    assert all(sentence.rests_on for sentence in facts)


async def test_in_a_follow_up_what_was_said_before_is_checked_as_well(store: Store) -> None:
    await events_of(store, Scripted(drawing()), seed=4)
    (conversation,) = store.conversations()
    plan = drawing("a red box to the left of a blue bar on a white background")
    events = await events_of(
        store,
        Scripted(plan),
        "now on a white background, please",
        conversation=conversation,
        tools=toolbox(AlwaysRight),
    )
    assert {check.claim.kind for check in result_of(events).checks} == {
        "exists",
        "colour",
        "relation",
        "background",
    }


async def test_why_a_call_failed_is_said_once(store: Store) -> None:
    call = Call(id="c1", tool="broken", input={"text": "hello"})
    for planner in (
        Scripted(Plan(calls=(call,))),
        Scripted(Plan(calls=(call,)), Plan(reply="I am sorry: broken is broken.")),
    ):
        stream = loop.run("shout hello", toolbox=HereToolbox(Broken), planner=planner, store=store)
        done = [event async for event in stream][-1]
        assert isinstance(done, Done)
        assert done.result.reply.count("broken is broken") == 1
