"""Archive: a conversation leaves as one file and comes back the same; nothing else gets in."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.archive import CONTENT, bring_in, export
from agent.claims import one_claim
from agent.comparing import compare
from agent.store import Origin, Store
from tests.agent_drawn import painted
from tools.errors import InvalidInput

FIRST = painted(("red", "box"))
SECOND = painted(("blue", "box"))


@pytest.fixture
def store(opened: Callable[[str], Store]) -> Store:
    return opened("one")


@pytest.fixture
def talk(store: Store) -> str:
    talk = store.conversation("ann")
    turn = store.begin_turn(talk, "draw a red box")
    store.put(FIRST, Origin(tool="generate", input={"prompt": "a red box"}, seed=4))
    store.put(SECOND, Origin(tool="edit", input={"image": FIRST.id}, parents=(FIRST.id,)))
    store.name(talk, FIRST.id, turn)
    store.name(talk, SECOND.id, turn)
    store.end_turn(talk, turn, "done", "Here.", '{"reply": "Here."}')
    store.strike(talk, "the box is red")
    store.add_claim(talk, one_claim("no bar"))
    return talk


def test_a_conversation_comes_back_as_it_left(
    store: Store, opened: Callable[[str], Store], talk: str, tmp_path: Path
) -> None:
    other = opened("other")
    file = tmp_path / "talk.zip"
    file.write_bytes(export(store, talk))
    came = bring_in(other, file, "bob")
    assert other.turns(came) == store.turns(talk)
    assert other.named(came) == store.named(talk)
    assert other.wishes(came) == store.wishes(talk)
    assert other.get(SECOND.id) == SECOND
    assert other.lineage(SECOND.id) == store.lineage(SECOND.id)
    assert other.conversations("bob") == (came,)
    again = bring_in(other, export(other, came))
    assert again != came
    assert other.named(again) == store.named(talk)


def rewritten(data: bytes, change: Callable[[dict[str, bytes]], None]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        members = {name: file.read(name) for name in file.namelist()}
    change(members)
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return held.getvalue()


def _swap(members: dict[str, bytes]) -> None:
    members[f"pictures/{FIRST.id}.png"] = SECOND.png()


def _lose(members: dict[str, bytes]) -> None:
    del members[f"pictures/{FIRST.id}.png"]


def _climb(members: dict[str, bytes]) -> None:
    content = json.loads(members[CONTENT])
    content["names"][0]["picture"] = "../../etc/passwd"
    members[CONTENT] = json.dumps(content).encode()


def _later(members: dict[str, bytes]) -> None:
    members[CONTENT] = members[CONTENT].replace(b'"format": 1', b'"format": 2')


def _no_content(members: dict[str, bytes]) -> None:
    del members[CONTENT]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_swap, "holds other pixels"),
        (_lose, "is not in the file"),
        (_climb, "damaged"),
        (_later, "format 2 is not read"),
        (_no_content, "no conversation.json"),
    ],
)
def test_a_file_that_was_tampered_with_is_refused_whole(
    store: Store, talk: str, tmp_path: Path, change: Callable[[dict[str, bytes]], None], says: str
) -> None:
    other = Store(tmp_path / "other")
    with pytest.raises(InvalidInput, match=says):
        bring_in(other, rewritten(export(store, talk), change))
    assert other.conversations() == ()


@pytest.mark.parametrize("data", [b"", b"PK", b"not a zip file at all"])
def test_what_is_no_zip_file_is_refused(store: Store, data: bytes) -> None:
    with pytest.raises(InvalidInput, match="no exported conversation"):
        bring_in(store, data)


def test_two_pictures_are_compared(store: Store, talk: str) -> None:
    found = compare(store, FIRST.id, SECOND.id)
    assert found.same_size
    assert found.path == ("edit",)
    assert found.where == (4.0, 4.0, 24.0, 24.0)
    assert found.differ == pytest.approx(400 / 4096, abs=1e-5)
    assert compare(store, FIRST.id, FIRST.id).differ == 0
