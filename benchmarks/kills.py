"""Kills benchmark: runs ended by SIGKILL at a random moment, and what is left of them.

    python -m benchmarks.kills --count 1000

A process carries out a request with small tools that need no weights; it is killed after a random
time. Then the store is opened: the database must be sound, each picture must hold the
pixels that its id names, the request must be there, and the run must go on to its end.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import random
import signal
import sqlite3
import tempfile
import time
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from agent import loop
from agent.events import Done
from agent.plan import Call, Plan
from agent.planner import PlanRequest
from agent.store import Store
from benchmarks import report
from benchmarks.bench import Bench
from tests.agent_drawn import Classify, Generate, Ground, HereToolbox, Vqa
from tests.agent_hands import Edit, Layout
from tools.errors import ToolError

REQUEST = "draw a red box to the left of a blue bar"
SERVER = multiprocessing.get_context("forkserver")  # its children need not import anything anew
LATEST = 0.9  # s after the child has begun to work
BENCH = Bench(
    full="--count 1000",
    quick="--count 20",
    seeds="moments of the kills from seed 0",
    clone=True,
)


class Wrong(Generate):
    """Paint slowly, always wrong."""

    seconds = 0.02

    def right(self, seed: int) -> bool:
        return False


class Drawing:
    """Plans one drawing."""

    async def plan(self, request: PlanRequest) -> Plan:
        """The request, drawn as it is."""
        given = {"prompt": request.text.removeprefix("draw ")}
        return Plan(calls=(Call.model_validate({"id": "c1", "tool": "generate", "input": given}),))


def child(root: Path, conversation: str, begun: Event) -> None:
    """What a process does until it is killed."""
    asyncio.run(work(root, conversation, begun))


async def work(root: Path, conversation: str, begun: Event) -> None:
    """Draw, and never get it right."""
    store = Store(root)
    tools = HereToolbox(Wrong, Ground, Vqa, Classify)
    begun.set()
    stream = loop.run(
        REQUEST, toolbox=tools, planner=Drawing(), store=store, conversation=conversation
    )
    async for _ in stream:
        pass


def killed(root: Path, conversation: str, after: float) -> bool:
    """Run a child and kill it; whether it was still at work."""
    begun = SERVER.Event()
    process = SERVER.Process(target=child, args=(root, conversation, begun))
    process.start()
    begun.wait()
    time.sleep(after)
    process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL


async def examined(root: Path, conversation: str) -> list[str]:
    """What is wrong with a store after a kill, and with the run when it goes on."""
    wrong = []
    store = Store(root)
    database = sqlite3.connect(root / "store.sqlite")
    if database.execute("PRAGMA integrity_check").fetchone() != ("ok",):
        wrong.append("the database is damaged")
    for (identity,) in database.execute("SELECT id FROM pictures").fetchall():
        try:
            store.get(identity)
        except ToolError as error:
            wrong.append(str(error))
    database.close()
    turns = store.turns(conversation)
    if [turn.request for turn in turns] not in ([], [REQUEST]):
        wrong.append(f"turns: {turns}")
    if turns and turns[0].state == "open":
        tools = HereToolbox(Generate, Ground, Vqa, Classify, Layout, Edit)
        stream = loop.resume(conversation, toolbox=tools, planner=Drawing(), store=store)
        events = [event async for event in stream]
        if not isinstance(events[-1], Done) or not events[-1].result.images:
            wrong.append(f"it did not go on: {events[-1]}")
    store.close()
    return wrong


def measure(count: int, seed: int) -> dict[str, Any]:
    """Kill `count` children, each in a conversation of its own of one store."""
    rng = random.Random(seed)
    wrong: list[str] = []
    at_work = 0
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for number in range(count):
            store = Store(root)
            conversation = store.conversation()
            store.close()
            at_work += killed(root, conversation, rng.uniform(0, LATEST))
            wrong += asyncio.run(examined(root, conversation))
            if (number + 1) % 50 == 0:
                print(f"{number + 1}/{count}, wrong so far: {len(wrong)}", flush=True)
    return {"kills": count, "still_at_work": at_work, "wrong": wrong}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="What a kill -9 in the middle leaves.")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    SERVER.set_forkserver_preload(["benchmarks.kills", "langgraph.graph"])
    found = measure(arguments.count, arguments.seed)
    body = (
        f"{found['kills']} kills at random moments, {found['still_at_work']} of them while the "
        f"run was at work. Lost, damaged or unable to go on: {len(found['wrong'])}."
    )
    print(body)
    command = f"python -m benchmarks.kills --count {arguments.count}"
    report.write("kills", "Kill -9", command, found, body)


if __name__ == "__main__":
    main()
