"""Faults: each kind of process of `sightloop serve` killed while runs are under way.

    python -m benchmarks.faults --kills 2 --runs 3

Two Ray nodes on this machine, the real server over them, its doors on 127.0.0.1. Runs are asked
for over HTTP and followed as a client would who comes back where a stream breaks. When the first
of them is at work, the process is killed; then each run must end with the picture and the verdicts
that the same request has in one process without Ray, or with an error in words.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from agent.events import Done
from benchmarks import report
from benchmarks.bench import Bench
from serving import cluster
from serving.config import Limits
from serving.doors import LOCAL
from serving.front import Front, Given, RunRequest
from tools.profile import load_profile
from tools.toolbox import LocalToolbox

BENCH = Bench(
    full="--kills 2 --runs 3",
    quick="--kills 1 --runs 2",
    seeds="the number of a run is its seed",
    lower=("wrong", "lost"),
)
PROFILE = """
tools:
  generate:
    checkpoint: miniature/weights/stable-diffusion
    options: {steps: 6, guidance: 1.5, size: [128, 128]}
  ground: {checkpoint: miniature/weights/owl, options: {threshold: 0.5, overlap: 0.2}}
  vqa: {checkpoint: miniature/weights/blip}
  classify: {checkpoint: miniature/weights/clip, options: {template: "{label}", outside: plain}}
serving:
  groups:
    draw: {tools: [generate]}
    look: {}
"""
KINDS = {  # how Ray titles each kind of process, and the event of a run at which it is killed
    "draw": ("ray::ServeReplica:sightloop:draw", "progress"),
    "look": ("ray::ServeReplica:sightloop:look", "tool_finished"),
    "front": ("ray::ServeReplica:sightloop:front", "progress"),
    "proxy": ("ray::ProxyActor", "progress"),
    "controller": ("ray::ServeController", "progress"),
}
NODE = "node"
WORDS = ("a red apple", "a blue car", "a yellow star", "a green dog")
CPUS = (4, 2)  # of the two nodes; all that is served fits on the first
NO_MORE = {"include_dashboard": False, "include_log_monitor": False, "no_monitor": True}
START_S, END_S = 900, 600  # s for the server to be up, for every run to end after a kill
ENDS = ("done", "error")
Outcome = tuple[tuple[str, ...], tuple[tuple[str, str], ...]]
"""Ids of the pictures; text and verdict of each claim."""


@dataclass(frozen=True)
class Stack:
    """The server as it runs.

    Attributes:
        address: of its doors.
        raylet: process id of the second node's.
    """

    address: str
    raylet: int

    def processes(self, kind: str) -> list[psutil.Process]:
        """What a kind is at this moment; of the node, all that runs on it."""
        if kind == NODE:
            node = psutil.Process(self.raylet)
            return [node, *node.children(recursive=True)]
        return [one for one in _below() if _title(one).startswith(KINDS[kind][0])]


def _below() -> list[psutil.Process]:
    found: list[psutil.Process] = psutil.Process().children(recursive=True)
    return found


def _title(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline()).strip()  # Ray pads what it renames
    return ""


@contextlib.contextmanager
def stack(folder: Path) -> Iterator[Stack]:
    """Two nodes, and `sightloop serve` over them; its log is `serve.log` in the folder."""
    cluster.prepare()
    from ray.cluster_utils import Cluster

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{one.getsockname()[1]}"
    profile = folder / "faults.yaml"
    profile.write_text(PROFILE)
    nodes = Cluster()
    try:
        for cpus in CPUS:
            node = nodes.add_node(
                num_cpus=cpus, node_ip_address="127.0.0.1",
                object_store_memory=cluster.OBJECTS, **NO_MORE,
            )  # fmt: skip
        served = subprocess.Popen(
            [sys.executable, "-c", "from ui.cli import main; main()", "serve",
             "--profile", str(profile), "--address", where],
            env={**os.environ, "RAY_ADDRESS": nodes.address, "SIGHTLOOP_HOME": str(folder)},
            stdout=(folder / "serve.log").open("w"), stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            yield Stack(f"http://{where}", node.all_processes["raylet"][0].process.pid)
        finally:
            served.terminate()
            served.wait()
    finally:
        nodes.shutdown()  # type: ignore[no-untyped-call]


async def until(what: str, found: Callable[[], Any], seconds: float) -> None:
    """Wait until something is so.

    Raises:
        TimeoutError: it is not by then.
    """
    ends = time.monotonic() + seconds
    while not await asyncio.to_thread(found):
        if time.monotonic() > ends:
            raise TimeoutError(f"{what}: not after {seconds} s")
        await asyncio.sleep(0.2)


def asked(number: int) -> RunRequest:
    """One drawing and its checks, of its own for each number."""
    words = WORDS[number % len(WORDS)]
    return RunRequest(
        request=words, seed=number, budget_s=300, loop=False,
        pictures=(), conversation=None, draw={"prompt": words, "seed": number},
    )  # fmt: skip


async def accepted(client: httpx.AsyncClient, number: int) -> str:
    """Id of a run, asked for until it is promised."""
    body = asked(number).model_dump(mode="json", exclude_none=True)
    while True:
        with contextlib.suppress(httpx.TransportError):
            answer = await client.post("/v1/runs", json=body)
            if answer.status_code == 202:
                return str(answer.json()["id"])
        await asyncio.sleep(0.5)


async def followed(client: httpx.AsyncClient, run: str, hear: Callable[[str], None]) -> Any:
    """The event that ends a run; where the stream breaks it is read on from there."""
    after, last = "0", dict[str, Any]()
    while last.get("type") not in ENDS:
        await asyncio.sleep(0.2)
        with contextlib.suppress(httpx.TransportError):
            events = f"/v1/runs/{run}/events"
            async with client.stream("GET", events, headers={"last-event-id": after}) as answer:
                async for line in answer.aiter_lines():
                    field, _, value = line.partition(": ")
                    if field == "id":
                        after = value
                    elif field == "data" and answer.status_code == 200:
                        last = json.loads(value)
                        hear(last["type"])
    return last


async def killed(stack: Stack, kind: str, numbers: Sequence[int]) -> dict[str, Any]:
    """Some runs, over which all processes of a kind are killed."""
    moment = "progress" if kind == NODE else KINDS[kind][1]
    begun = asyncio.Event()

    def hear(event: str) -> None:
        if event == moment:
            begun.set()

    async with httpx.AsyncClient(base_url=stack.address, timeout=60) as client:
        runs = [await accepted(client, number) for number in numbers]
        ends = [asyncio.create_task(followed(client, run, hear)) for run in runs]
        await asyncio.wait_for(begun.wait(), END_S)
        victims = stack.processes(kind)
        titles = [_title(each) for each in victims]
        for victim in victims:
            victim.kill()
        started = time.monotonic()
        done, hung = await asyncio.wait(ends, timeout=END_S)
        seconds = time.monotonic() - started
        for each in hung:
            each.cancel()
    if kind != NODE:
        await until(f"another {kind}", lambda: set(stack.processes(kind)) - set(victims), END_S)
    return {
        "killed": [title for title in titles if title.startswith("ray::Serve")] or [kind],
        "seconds": round(seconds, 1),
        "ends": {str(n): each.result() for n, each in zip(numbers, ends, strict=True)
                 if each in done},
    }  # fmt: skip


async def expected(folder: Path, numbers: Sequence[int]) -> dict[str, Outcome]:
    """What each run comes to in one process."""
    profile = load_profile(folder / "faults.yaml")
    toolbox = LocalToolbox(profile)
    front = Front(folder / "alone", toolbox, Given("generate", {}), Limits.model_validate({}))
    found = {}
    for number in numbers:
        async for event in front.events(LOCAL, front.admit(LOCAL, asked(number))):
            if isinstance(event, Done):
                found[str(number)] = outcome(event.model_dump(mode="json"))
    toolbox.close()
    return found


def outcome(done: dict[str, Any]) -> Outcome:
    """What must be the same however a run came about."""
    result = done["result"]
    verdicts = tuple((each["claim"]["text"], each["verdict"]) for each in result["checks"])
    return tuple(each["id"] for each in result["images"]), verdicts


def judged(end: dict[str, Any] | None, right: Outcome) -> str:
    """How a run ended: right, wrong, hung, or with which words."""
    if end is None:
        return "hung"
    if end["type"] == "error":
        return f"error: {end['message']}"
    failed = [call["error"] for call in end["result"]["calls"] if call["error"]]
    if failed:
        return f"error: {failed[0]}"
    return "right" if outcome(end) == right else "wrong"


async def measure(kills: int, runs: int, folder: Path) -> dict[str, Any]:
    """Kill each kind so many times, each time over so many runs; the node once, at the end."""
    kinds = [kind for kind in KINDS for _ in range(kills)] + [NODE]
    found: dict[str, list[dict[str, Any]]] = {}
    with stack(folder) as running:
        ready = f"{running.address}/readyz"
        await until("the server", lambda: _answers(ready), START_S)
        for place, kind in enumerate(kinds):
            numbers = range(place * runs, (place + 1) * runs)
            one = await killed(running, kind, numbers)
            print(f"{kind}: {len(one['ends'])} of {runs} ended in {one['seconds']} s", flush=True)
            found.setdefault(kind, []).append({"numbers": list(numbers), **one})
    rights = await expected(folder, range(len(kinds) * runs))
    return summed(found, rights)


def _answers(address: str) -> bool:
    try:
        return httpx.get(address, timeout=10).status_code == 200
    except httpx.HTTPError:
        return False


def summed(found: dict[str, list[dict[str, Any]]], rights: dict[str, Outcome]) -> dict[str, Any]:
    """The figures."""
    kinds = {}
    for kind, tries in found.items():
        ways = Counter(
            judged(each["ends"].get(str(n)), rights[str(n)]) for each in tries
            for n in each["numbers"]
        )  # fmt: skip
        kinds[kind] = {
            "kills": len(tries),
            "killed": sorted({title for each in tries for title in each["killed"]}),
            "runs": ways.total(),
            "right": ways["right"],
            "errors": {way: n for way, n in ways.items() if way.startswith("error: ")},
            "wrong": ways["wrong"],
            "lost": ways["hung"],
            "worst_s": max(each["seconds"] for each in tries),
        }
    return {
        **{key: sum(each[key] for each in kinds.values())
           for key in ("kills", "runs", "right", "wrong", "lost")},
        "errors": sum(sum(each["errors"].values()) for each in kinds.values()),
        "kinds": kinds,
        "load_average": [round(each, 1) for each in os.getloadavg()],
    }  # fmt: skip


def body(found: dict[str, Any]) -> str:
    """The figures as markdown."""
    head = ("killed", "times", "runs", "right", "clear errors", "wrong", "lost or hung", "worst s")
    rows = [
        (kind, one["kills"], one["runs"], one["right"], sum(one["errors"].values()),
         one["wrong"], one["lost"], one["worst_s"])
        for kind, one in found["kinds"].items()
    ]  # fmt: skip
    errors = sorted({way for one in found["kinds"].values() for way in one["errors"]})
    said = "".join(f"\n- {way}" for way in errors) or " none."
    on_node = ", ".join(title.rsplit(":", 1)[-1] for title in found["kinds"][NODE]["killed"])
    return (
        f"Killed {found['kills']}, lost {found['lost']}: of {found['runs']} accepted runs "
        f"{found['right']} ended as in one process without Ray, {found['errors']} with an error, "
        f"{found['wrong']} with another result.\n\n{report.table(head, rows)}\n\n"
        "Each time all processes of the kind are killed (SIGKILL) while the first run draws, "
        "`look` while it looks; the node, one of two on this machine, with all that ran on it: "
        f"{on_node}. *Worst s* is from the kill to the end of the last run, its queue "
        f"included; other work ran on the machine (load {found['load_average'][0]}). "
        f"Errors:{said}"
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="What kills in `sightloop serve` leave of runs.")
    parser.add_argument("--kills", type=int, default=2, help="of each kind of process")
    parser.add_argument("--runs", type=int, default=3, help="under way at each")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(given.kills, given.runs, Path(folder)))
    print(body(found))
    command = f"python -m benchmarks.faults --kills {given.kills} --runs {given.runs}"
    report.write("faults", "Faults", command, found, body(found))


if __name__ == "__main__":
    main()
