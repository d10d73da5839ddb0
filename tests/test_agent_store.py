"""The store: pictures outlive crashes, know what made them, and have names in conversations."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from agent.database import StoreFull
from agent.events import ANY_EVENT, Checked, Done, PlanMade
from agent.loop import run
from agent.plan import Call, Plan
from agent.storage import open_store
from agent.store import Origin, Store
from agent.trace import Trace
from tests.agent_drawn import Classify, Generate, Ground, HereToolbox, Scripted, Vqa, painted
from tools.errors import InvalidInput, Unavailable
from tools.values import Image

ROOT = Path(__file__).resolve().parent.parent


def picture(shade: int) -> Image:
    return Image.from_pixels(np.full((4, 6, 3), shade, np.uint8))


def made(seed: int = 0, *parents: str) -> Origin:
    return Origin(
        tool="generate",
        version="2",
        input={"prompt": "a dog", "n": 1},
        seed=seed,
        checkpoint="abc",
        libraries={"torch": "2.9"},
        parents=parents,
    )


Opened = Callable[[str], Store]


@pytest.fixture
def store(opened: Opened) -> Store:
    return opened("one")


def test_a_picture_comes_back_pixel_for_pixel_after_reopening(opened: Opened) -> None:
    store = opened("one")
    identity = store.put(picture(7), made(3))
    store.close()
    again = opened("one")
    assert again.get(identity) == picture(7)
    (kept,) = again.lineage(identity)
    assert kept.origins == (made(3),)


def test_lineage_lists_ancestors_first_and_children_are_found(store: Store) -> None:
    first = store.put(picture(1), made(1))
    second = store.put(picture(2), made(2, first))
    third = store.put(picture(3), made(3, second, first))
    assert [kept.id for kept in store.lineage(third)] == [first, second, third]
    assert set(store.children(first)) == {second, third}


def test_the_same_pixels_made_twice_are_one_picture_with_two_origins(store: Store) -> None:
    identity = store.put(picture(1), made(1))
    assert store.put(picture(1), made(2)) == identity
    store.put(picture(1), made(2))
    assert [origin.seed for origin in store.lineage(identity)[0].origins] == [1, 2]
    assert len(list(store.root.glob("pictures*/*/*.png"))) == 1


def test_handles_count_up_in_each_conversation_alone(store: Store) -> None:
    one, two = store.put(picture(1), made()), store.put(picture(2), made())
    mine, yours = store.conversation(), store.conversation()
    assert [store.name(mine, one), store.name(mine, two), store.name(mine, one)] == [
        "img1",
        "img2",
        "img1",
    ]
    assert store.name(yours, two) == "img1"
    assert store.handles(mine) == {"img1": one, "img2": two}


@pytest.mark.parametrize("identity", ["0" * 64, "nonsense"])
def test_an_unknown_picture_or_conversation_is_refused(store: Store, identity: str) -> None:
    with pytest.raises(InvalidInput, match="no picture"):
        store.get(identity)
    with pytest.raises(InvalidInput, match="no conversation"):
        store.handles(identity)


def test_a_damaged_file_is_told_and_not_shown(store: Store) -> None:
    identity = store.put(picture(1), made())
    store.path(identity).write_bytes(picture(2).png())
    with pytest.raises(Unavailable, match="damaged"):
        store.get(identity)
    store.path(identity).write_bytes(b"")
    with pytest.raises(Unavailable, match="cannot be read"):
        store.get(identity)


def test_a_full_disk_loses_nothing_that_was_kept(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = store.put(picture(1), made())

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StoreFull, match="all that was kept before is intact"):
            store.put(picture(2), made())
    assert store.get(before) == picture(1)
    assert not list(store.root.glob("pictures*/*/.*"))
    with pytest.raises(InvalidInput):
        store.get(picture(2).id)
    store.put(picture(2), made())  # once there is room again


def test_a_full_database_is_told_the_same_way(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put(picture(1), made())
    store._database.rows("PRAGMA max_page_count = 1")
    many = [(picture(shade), made(shade)) for shade in range(2, 200)]
    with pytest.raises(StoreFull):
        store.put_many(many)
    assert store.get(picture(1).id) == picture(1)


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file, not a folder")
    with pytest.raises(Unavailable, match="cannot be used"):
        Store(tmp_path / "store")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "store.sqlite").write_bytes(b"no database" * 999)
    with pytest.raises(Unavailable, match="cannot be used"):
        Store(tmp_path / "other")


def test_a_killed_process_leaves_only_whole_pictures(opened: Opened, tmp_path: Path) -> None:
    program = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from agent.storage import open_store; from agent.store import Origin\n"
        "from tools.values import Image\n"
        "store = open_store(Path(sys.argv[1]), 'one')\n"
        "for shade in range(100000):\n"
        "    pixels = np.full((40, 40, 3), shade % 256, np.uint8); pixels[0, 0] = shade // 256\n"
        "    print(store.put(Image.from_pixels(pixels), Origin(tool='generate')), flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    told = [process.stdout.readline().strip() for _ in range(25)]
    process.kill()
    told += [line.strip() for line in process.stdout if len(line.strip()) == 64]
    process.wait()
    store = opened("one")
    rows = store._database.rows("SELECT id FROM pictures")
    if store._bucket:  # its copies are not what counts
        store = open_store(tmp_path / "elsewhere", "one")
    assert set(told) <= {row[0] for row in rows}  # what was promised is there
    for (identity,) in rows:
        assert store.get(identity).id == identity


def test_many_threads_and_two_stores_write_at_once(opened: Opened) -> None:
    store, other = opened("one"), opened("one")
    conversation = store.conversation()

    def work(shade: int) -> str:
        mine = store if shade % 2 else other
        return mine.name(conversation, mine.put(picture(shade), made(shade)))

    with ThreadPoolExecutor(6) as pool:
        handles = list(pool.map(work, range(24)))
    assert sorted(handles) == sorted(f"img{number}" for number in range(1, 25))


async def test_a_run_leaves_origins_history_result_and_trace(store: Store) -> None:
    tools = HereToolbox(Generate, Ground, Vqa, Classify)
    calls = (Call(id="c1", tool="generate", input={"prompt": "a red box"}),)
    planner = Scripted(Plan(calls=calls))
    events = [
        event
        async for event in run(
            "draw a red box", [painted()], toolbox=tools, planner=planner, store=store, seed=4
        )
    ]
    assert isinstance(events[-1], Done)
    result = events[-1].result
    (kept,) = store.lineage(result.images[0].id)
    origin = kept.origins[0]
    assert (origin.tool, origin.seed, origin.checkpoint) == ("generate", 4, "digest of generate")
    assert origin.input["prompt"] == "a red box"
    assert "numpy" in origin.libraries
    assert store.lineage(painted().id)[0].origins[0].tool == "upload"
    (conversation,) = store.conversations()
    assert store.handles(conversation) == {"img1": painted().id, "img2": result.images[0].id}
    assert [message.text for message in store.history(conversation)] == [
        "draw a red box",
        result.reply,
    ]
    assert store.result(conversation, 1) == result.model_dump(mode="json")
    lines = (store.root / "traces" / f"{conversation}-1.jsonl").read_text().splitlines()
    trace = [ANY_EVENT.validate_json(line) for line in lines]
    assert isinstance(trace[0], PlanMade)
    assert any(isinstance(event, Checked) for event in trace)


def test_a_trace_is_added_to(tmp_path: Path) -> None:
    trace = Trace(tmp_path / "one.jsonl")
    plan = PlanMade(calls=(), reply="hello")
    for _ in range(2):
        trace.add(plan)
        trace.save()
    lines = trace.path.read_text().splitlines()
    assert [ANY_EVENT.validate_json(line) for line in lines] == [plan, plan]
