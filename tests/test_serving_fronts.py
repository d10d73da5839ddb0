"""Several fronts on one database: any tells how far a run is, each run is carried out by one."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from agent.database import Sqlite
from agent.events import Event, PlanMade
from agent.storage import open_database
from serving import fronts, jobs
from serving.app import build
from serving.config import Limits
from serving.doors import Quotas
from serving.front import Front
from serving.jobs import Jobs
from tests.agent_drawn import HereToolbox, Scripted, Vqa, painted
from tests.storage_servers import S3, Postgres
from tools.values import load_image

ROOT = Path(__file__).resolve().parent.parent
STEPS = 40
CHILD = """
import asyncio, sys
from pathlib import Path
from serving import fronts, jobs
from serving.app import build
fronts.BEAT_S = jobs.BEAT_S = 0.1
from tests.test_serving_fronts import front, slowly

async def main():
    begun = await front(Path(sys.argv[1])).begin("ann", "forever")
    await asyncio.sleep(0.5)
    print(begun.id, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def slowly(owner: str, request: str) -> AsyncGenerator[Event, None]:
    """A run of many steps; `forever` is one that does not end by itself."""
    for number in range(10**6 if request == "forever" else STEPS):
        yield PlanMade(calls=(), reply=f"{number}")
        await asyncio.sleep(0.02)


async def shortly(owner: str, request: str) -> AsyncGenerator[Event, None]:
    """A run that has ended as soon as it begins."""
    yield PlanMade(calls=(), reply="again")


def front(path: Path, work: jobs.Work = slowly) -> Jobs:
    """The jobs of one more front."""
    limits = Limits.model_validate({})
    return Jobs(open_database(path / "jobs.sqlite", "jobs"), work, Quotas(limits), limits.running)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fronts that look after each other more often than they need to."""
    monkeypatch.setattr(jobs, "BEAT_S", 0.1)
    monkeypatch.setattr(jobs, "POLL_S", 0.05)
    monkeypatch.setattr(fronts, "SILENT_S", 2.0)


async def read(door: Jobs, job: jobs.Job) -> list[int]:
    return [number async for number, _ in door.events("ann", job.id)]


@pytest.mark.usefixtures("postgres", "quick")
async def test_any_front_tells_the_events_of_a_run_while_they_come(tmp_path: Path) -> None:
    one, other = front(tmp_path), front(tmp_path)
    await other.recover()
    job = await one.begin("ann", "draw")
    numbers = [await read(other, job), await read(one, job)]
    assert numbers == [list(range(1, STEPS + 1))] * 2
    assert job.id not in other._tasks
    await one.close()
    await other.close()


@pytest.mark.usefixtures("postgres", "quick")
async def test_any_front_can_cancel_a_run(tmp_path: Path) -> None:
    one, other = front(tmp_path), front(tmp_path)
    job, *busy, waits = [await one.begin("ann", "forever") for _ in range(5)]
    await asyncio.sleep(0.2)
    reader = asyncio.create_task(read(one, waits))
    await asyncio.sleep(0.1)
    for each in (waits, job):
        await other.cancel("ann", each.id)
    assert (await other.get("ann", waits.id)).state == "cancelled"
    assert await reader == [1]  # woken, although its own front had nothing to say
    numbers = await read(one, job)
    assert (await one.get("ann", job.id)).state == "cancelled"
    await asyncio.sleep(0.5)
    assert one._tasks.keys() == {each.id for each in busy}  # it found out, and wrote no more
    assert (await one.get("ann", waits.id)).state == "cancelled"
    assert await read(other, job) == numbers
    await one.close()
    await other.close()


@pytest.mark.usefixtures("postgres", "quick")
async def test_a_run_whose_front_was_killed_is_begun_again_by_another(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    identity = (await asyncio.to_thread(child.stdout.readline)).strip()
    other = front(tmp_path, shortly)
    await other.recover()
    await asyncio.sleep(2.5)
    assert (await other.get("ann", identity)).state == "running"  # its front is alive
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    for _ in range(200):
        await asyncio.sleep(0.1)
        if (await other.get("ann", identity)).state in jobs.ENDED:
            break
    read_before = 3  # a reader that comes back has numbers of the first try
    told = [number async for number, _ in other.events("ann", identity, read_before)]
    assert told == [jobs.SECOND + 1]
    await other.close()


@pytest.mark.usefixtures("quick")
async def test_a_run_outlives_a_restart_of_the_database(postgres: Postgres, tmp_path: Path) -> None:
    one = front(tmp_path, slowly)
    job = await one.begin("ann", "draw")
    await asyncio.sleep(0.2)
    postgres.stop()
    await asyncio.sleep(0.3)
    postgres.start()
    for _ in range(200):
        await asyncio.sleep(0.1)
        if (await one.get("ann", job.id)).state in jobs.ENDED:
            break
    assert (await read(one, job))[-1] % jobs.SECOND == STEPS  # begun again if it was noticed
    await one.close()


def test_a_picture_given_to_one_door_is_handed_out_at_another(
    postgres: Postgres, s3: S3, tmp_path: Path
) -> None:
    one, other = (
        TestClient(
            build(Front(tmp_path / name, HereToolbox(Vqa), Scripted(), Limits.model_validate({}))),
            base_url="http://127.0.0.1:8000",
        )
        for name in ("one", "other")
    )
    answer = one.post("/v1/pictures", content=painted(("red", "box")).png())
    picture = f"/v1/pictures/{answer.json()['id']}"
    assert load_image(other.get(picture).content).image == painted(("red", "box"))
    postgres.stop()
    try:
        refused = other.get(picture)
    finally:
        postgres.start()
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "5"
    assert "127.0.0.1" not in refused.text
    assert other.get(picture).status_code == 200


@pytest.mark.usefixtures("quick")
async def test_a_run_that_the_database_failed_is_begun_again(tmp_path: Path) -> None:
    one = front(tmp_path)
    job = await one.begin("ann", "draw")
    assert (await anext(one.events("ann", job.id)))[0] == 1
    other = sqlite3.connect(tmp_path / "jobs.sqlite", isolation_level=None)
    other.execute("ALTER TABLE jobs RENAME TO away")
    while job.id in one._tasks:
        await asyncio.sleep(0.01)
    other.execute("ALTER TABLE away RENAME TO jobs")
    assert (await read(one, job))[-1] == jobs.SECOND + STEPS
    await one.close()
    other.close()


@pytest.mark.usefixtures("quick")
async def test_all_runs_of_a_front_that_died_go_on_even_where_there_are_fewer_places_now(
    tmp_path: Path,
) -> None:
    limits = Limits.model_validate({})
    many = limits.running + limits.waiting + 1
    one = front(tmp_path, shortly)
    row = "INSERT INTO jobs VALUES (?, 'ann', 'draw', 'waiting', 1.0, 0, 'dead')"
    for number in range(many):
        Sqlite(tmp_path / "jobs.sqlite").rows(row, f"{number}")
    await one.recover()
    for number in range(many):
        assert await read(one, await one.get("ann", f"{number}")) == [1]
    await one.close()


async def test_doors_answer_while_the_database_of_the_jobs_hangs(tmp_path: Path) -> None:
    doors = build(Front(tmp_path, HereToolbox(Vqa), Scripted(), Limits.model_validate({})))
    hangs = sqlite3.connect(tmp_path / "jobs.sqlite", isolation_level=None)
    transport = httpx.ASGITransport(doors)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        hangs.execute("BEGIN IMMEDIATE")
        run = asyncio.create_task(client.post("/v1/runs", json={"request": "a red box"}))
        for _ in range(100):
            assert (await client.get("/healthz")).status_code == 200
        assert not run.done()
        hangs.execute("COMMIT")
        assert (await run).status_code == 202
    hangs.close()


async def test_jobs_of_an_earlier_version_go_on_at_once(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "jobs.sqlite")
    database.executescript(
        "CREATE TABLE jobs (id TEXT PRIMARY KEY, owner TEXT NOT NULL, request TEXT NOT NULL,"
        " state TEXT NOT NULL, made REAL NOT NULL, starts INTEGER NOT NULL);"
        "INSERT INTO jobs VALUES ('once', 'ann', 'draw', 'running', 1.0, 1),"
        " ('twice', 'ann', 'draw', 'running', 1.0, 2);"
    )
    database.commit()
    database.close()
    door = front(tmp_path, shortly)
    await door.recover()
    assert await read(door, (await door.get("ann", "once"))) == [jobs.SECOND + 1]
    assert (await door.get("ann", "twice")).state == "failed"
    again = Sqlite(tmp_path / "jobs.sqlite").rows("SELECT starts FROM jobs ORDER BY id")
    assert again == [(2,), (2,)]
