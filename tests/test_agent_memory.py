"""Memory: undo, branch, wishes, checkpoints, budgets and approval, in whole runs."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent import loop
from agent.claims import one_claim
from agent.commands import command
from agent.events import ApprovalAsked, Done, Event, PlanMade, ToolStarted
from agent.plan import Call, Plan
from agent.state import RunResult
from agent.store import Store
from tests.agent_drawn import Classify, Generate, Ground, HereToolbox, Scripted, Vqa, painted
from tests.agent_hands import Edit
from tools.errors import InvalidInput
from tools.values import Image

Opened = Callable[[str], Store]


def tools() -> HereToolbox:
    return HereToolbox(Generate, Ground, Vqa, Classify, Edit)


def drawing(prompt: str = "a red box", seed: int = 4) -> Plan:
    given = {"prompt": prompt, "seed": seed}
    return Plan(calls=(Call(id="c1", tool="generate", input=dict(given)),))


def recolour(handle: str = "img1") -> Plan:
    given = {"image": handle, "instruction": "make the box blue"}
    return Plan(calls=(Call(id="c1", tool="edit", input=dict(given)),))


async def run(store: Store, request: str, plan: Plan, conversation: str, **more: Any) -> RunResult:
    return (await events(store, request, plan, conversation, **more))[-1].result  # type: ignore[union-attr]


async def events(
    store: Store, request: str, plan: Plan, conversation: str | None = None, **more: Any
) -> list[Event]:
    stream = loop.run(
        request,
        toolbox=tools(),
        planner=more.pop("planner", None) or Scripted(plan),
        store=store,
        conversation=conversation,
        **more,
    )
    return [event async for event in stream]


@pytest.fixture
def store(opened: Opened) -> Store:
    return opened("one")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("undo that", "undo"),
        ("please undo the last change", "undo"),
        ("go back one step", "undo"),
        ("It was better before!", "undo"),
        ("redo", "redo"),
        ("What did you change?", "changes"),
        ("what has changed in the picture", "changes"),
        ("what is different now?", "changes"),
        ("what did the dog do?", None),
        ("what can you do?", None),
        ("what is on it?", None),
        ("undo the dog's collar in the picture", None),
        ("draw a cat", None),
        ("go back to drawing cats", None),
    ],
)
def test_commands_are_told_from_requests(text: str, wanted: str | None) -> None:
    assert command(text) == wanted


async def test_undo_hides_what_the_last_turn_gave_and_redo_shows_it(store: Store) -> None:
    talk = store.conversation()
    await run(store, "draw a red box", drawing(), talk)
    await run(store, "make the box blue", recolour(), talk)
    planner = Scripted(Plan(reply="hello"))
    said = (await run(store, "undo that", Plan(), talk, planner=planner)).reply
    assert said == "img2 is undone. The latest picture is img1."
    assert planner.requests == []
    await run(store, "hi", Plan(), talk, planner=planner)
    assert list(planner.requests[-1].handles) == ["img1"]
    await run(store, "what is on img2?", Plan(), talk, planner=planner)
    assert list(planner.requests[-1].handles) == ["img1", "img2"]  # named outright, it is there
    assert (await run(store, "redo", Plan(), talk)).reply.startswith("img2 is back")
    assert store.undo(talk) == ("img2",)
    assert store.undo(talk) == ("img1",)
    with pytest.raises(InvalidInput, match="nothing to undo"):
        store.undo(talk)
    assert store.redo(talk) == ("img1",)


async def test_what_was_changed_is_told_from_the_store(store: Store) -> None:
    talk = store.conversation()
    planner = Scripted(Plan(reply="hello"))

    async def asked() -> str:
        return (await run(store, "what did you change?", Plan(), talk, planner=planner)).reply

    assert await asked() == "There is no picture yet, so nothing was changed."
    await run(store, "draw a red box", drawing(), talk)
    assert (await asked()).startswith('img1 was drawn by generate ("')
    await run(store, "make the box blue", recolour(), talk)
    said = await asked()
    assert re.fullmatch(r'img2 came from img1 by edit \(".*"\): \d+% of the pixels differ.', said)
    store.undo(talk)
    assert (await asked()).startswith("img1 was drawn")
    assert planner.requests == []


async def test_a_branch_goes_its_own_way(store: Store) -> None:
    talk = store.conversation("ann")
    await run(store, "draw a red box", drawing(), talk)
    await run(store, "make the box blue", recolour(), talk)
    other = store.branch(talk, 1)
    assert list(store.handles(other)) == ["img1"]
    assert [turn.request for turn in store.turns(other)] == ["draw a red box"]
    await run(store, "make the box blue", recolour(), other)
    assert list(store.handles(other)) == ["img1", "img2"]
    assert len(store.turns(talk)) == 2
    assert store.conversations("ann") == (other, talk)
    assert store.conversations("bob") == ()
    with pytest.raises(InvalidInput, match="no turn 9"):
        store.branch(talk, 9)


async def test_a_struck_claim_stays_away_and_an_added_one_is_checked(store: Store) -> None:
    talk = store.conversation()
    store.strike(talk, "the box is red")
    store.add_claim(talk, one_claim("no bar"))
    for _ in range(2):
        result = await run(store, "draw a red box", drawing(), talk)
        assert [one.text for one in result.checklist] == ["there is a box", "there is no bar"]
        assert [check.claim for check in result.checks] == list(result.checklist)
    store.forget_wish(talk, "the box is red")
    result = await run(store, "draw a red box", drawing(), talk)
    assert "the box is red" in [one.text for one in result.checklist]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("there are two dogs", "there are exactly two dogs"),
        ("no text", "there is no text"),
        ("the car is blue", "the car is blue"),
        ("a blue background", "the background is blue"),
    ],
)
def test_words_make_one_claim(text: str, says: str) -> None:
    assert one_claim(text).text == says


def test_words_that_make_no_claim_are_refused() -> None:
    with pytest.raises(InvalidInput, match="makes 0 claims"):
        one_claim("and of the")


async def test_a_follow_up_is_checked_against_what_came_before(store: Store) -> None:
    talk = store.conversation()
    await run(store, "draw a red box on a white background", drawing(), talk)
    plan = drawing("a green box on a white background")
    result = await run(store, "now in green", plan, talk)
    assert {one.text for one in result.checklist} == {
        "there is a box",
        "the box is green",
        "the background is white",
    }


async def test_a_budget_of_calls_holds_and_one_picture_is_given(store: Store) -> None:
    made = await events(store, "draw a red box", drawing(seed=0), most_calls=3, loop=True)
    result = made[-1].result  # type: ignore[union-attr]
    assert result.budget.calls <= 3
    assert result.budget.most_calls == 3
    assert len(result.images) == 1
    assert result.stopped == "budget"


async def test_calls_side_by_side_cannot_overspend_together(store: Store) -> None:
    calls = tuple(
        Call(id=f"c{n}", tool="vqa", input={"image": "img1", "question": f"how many boxes? {n}"})
        for n in range(4)
    )
    stream = loop.run(
        "look",
        [painted(("red", "box"))],
        toolbox=tools(),
        planner=Scripted(Plan(calls=calls)),
        store=store,
        most_calls=2,
    )
    result = [event async for event in stream][-1].result  # type: ignore[union-attr]
    assert sorted(record.status for record in result.calls) == ["done"] * 2 + ["failed"] * 2
    assert result.budget.calls == 2


async def test_tokens_used_up_end_the_planning(store: Store) -> None:
    wrong = Plan(calls=(Call(id="c1", tool="nothing", input={}),), tokens=60)
    planner = Scripted(wrong)
    await events(store, "draw a red box", Plan(), planner=planner, most_tokens=50)
    assert len(planner.requests) == 1


@pytest.mark.parametrize("yes", [True, False])
async def test_costly_calls_wait_for_a_yes(store: Store, yes: bool) -> None:
    asked: list[str] = []

    async def approve(question: ApprovalAsked) -> bool:
        asked.append(question.text)
        return yes

    made = await events(
        store, "draw a red box", drawing(), ask_before=["generate"], approve=approve
    )
    assert asked == ["Shall I run generate (c1)?"]
    assert any(isinstance(event, ToolStarted) for event in made) is yes
    result = made[-1].result  # type: ignore[union-attr]
    assert bool(result.images) is yes
    assert yes or "did not approve" in result.reply


CHILD = """
import asyncio, os, signal, sys
from pathlib import Path
from agent import loop
from agent.storage import open_store
from tests.agent_drawn import Classify, Generate, Ground, HereToolbox, Scripted, Vqa
from tests.test_agent_memory import drawing

async def main(root, after):
    store = open_store(Path(root), 'one')
    class Wrong(Generate):
        '''Paint, always wrong.'''
        def right(self, seed):
            return False
    tools = HereToolbox(Wrong, Ground, Vqa, Classify)
    stream = loop.run("draw a red box", toolbox=tools, planner=Scripted(drawing(seed=1)),
                      store=store, seed=1, conversation=sys.argv[3])
    count = 0
    async for event in stream:
        count += 1
        if count == after:
            os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


@pytest.mark.parametrize(
    ("opened", "after"), [("here", 1), ("here", 4), ("here", 9), ("shared", 4)], indirect=["opened"]
)
async def test_a_killed_run_goes_on_and_nothing_is_lost(
    opened: Opened, tmp_path: Path, after: int
) -> None:
    store = opened("one")
    talk = store.conversation()
    child = [sys.executable, "-c", CHILD, str(tmp_path), str(after), talk]
    done = subprocess.run(child, cwd=Path(__file__).parents[1], env=os.environ, check=False)
    assert done.returncode == -signal.SIGKILL
    (turn,) = store.turns(talk)
    assert (turn.state, turn.request) == ("open", "draw a red box")
    for (identity,) in store._database.rows("SELECT id FROM pictures"):
        assert isinstance(store.get(identity), Image)
    planner = Scripted(drawing(seed=1))
    whole = HereToolbox(Generate, Ground, Vqa, Classify)
    stream = loop.resume(talk, toolbox=whole, planner=planner, store=store)
    made = [event async for event in stream]
    assert isinstance(made[-1], Done)
    assert made[-1].result.stopped == "passed"
    assert len(made[-1].result.images) == 1
    assert store.turns(talk)[0].state == "done"
    if after >= 9:  # planned and drawn already
        assert planner.requests == []
        assert not any(isinstance(event, PlanMade) for event in made)


async def test_only_what_was_cut_short_can_go_on(store: Store) -> None:
    talk = store.conversation()
    await run(store, "draw a red box", drawing(), talk)
    made = [e async for e in loop.resume(talk, toolbox=tools(), planner=Scripted(), store=store)]
    assert [event.type for event in made] == ["error"]


def test_a_store_of_an_earlier_version_is_opened(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "store.sqlite")
    database.executescript(
        "CREATE TABLE conversations (id TEXT PRIMARY KEY, made REAL NOT NULL);"
        "CREATE TABLE handles (conversation TEXT, number INTEGER, picture TEXT,"
        " PRIMARY KEY (conversation, number));"
        "INSERT INTO conversations VALUES ('old', 1.0);"
    )
    database.commit()
    database.close()
    store = Store(tmp_path)
    assert store.conversations() == ("old",)
    assert store.owner("old") == ""
    assert store.handles("old") == {}
