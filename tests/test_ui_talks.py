"""`sightloop talks`: what a conversation holds, as a person handles it from a shell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agent.store import Origin, Store
from tests.agent_drawn import painted
from tests.conftest import Ended
from ui.home import store_folder


@pytest.fixture
def talk(home: Path) -> str:
    store = Store(store_folder())
    talk = store.conversation()
    for number, colour in enumerate(("red", "blue"), 1):
        turn = store.begin_turn(talk, f"draw a {colour} box")
        image = painted((colour, "box"))
        store.put(image, Origin(tool="generate", seed=number))
        store.name(talk, image.id, turn)
        store.end_turn(talk, turn, "done", "Here.", None)
    store.close()
    return talk


def test_conversations_are_listed(talk: str, sightloop: Callable[..., Ended]) -> None:
    ended = sightloop("talks", "list")
    assert ended.code == 0
    assert talk[:12] in ended.out
    assert "2 turns" in ended.out


def test_undo_redo_branch_and_compare(talk: str, sightloop: Callable[..., Ended]) -> None:
    assert sightloop("talks", "undo", talk[:8]).out.strip() == "img2"
    assert sightloop("talks", "redo", talk).out.strip() == "img2"
    other = sightloop("talks", "branch", talk, "--turn", 1).out.strip()
    assert list(Store(store_folder()).handles(other)) == ["img1"]
    assert '"same_size": true' in sightloop("talks", "compare", talk, "img1", "img2").out


def test_a_conversation_goes_to_a_file_and_back(
    talk: str, sightloop: Callable[..., Ended], tmp_path: Path
) -> None:
    assert sightloop("talks", "export", talk, tmp_path / "talk.zip").code == 0
    came = sightloop("talks", "import", tmp_path / "talk.zip").out.strip()
    store = Store(store_folder())
    assert store.named(came) == store.named(talk)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("undo", "nothing"), "no conversation begins with"),
        (("import", "missing.zip"), "no exported conversation"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    talk: str, sightloop: Callable[..., Ended], arguments: tuple[str, ...], says: str
) -> None:
    ended = sightloop("talks", *arguments)
    assert ended.code == 2
    assert says in ended.err
