"""Serving: what the doors add to a call, what a batch gains, what an overload does.

    python -m benchmarks.serving
    python -m benchmarks.serving --minutes 30    # a longer soak

Client, doors and tools share one process, so that its processor seconds can be compared: on a
machine with other work they say more than the clock. Only `handle` starts Ray; there the seconds
of the replica are counted too. What is left when processes are killed: benchmarks/faults.py.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import uvicorn

from agent.plan import Plan
from agent.planner import PlanRequest
from benchmarks import report
from benchmarks.bench import Bench
from serving import cluster
from serving.app import build
from serving.batching import Batcher
from serving.config import Limits
from serving.doors import LOCAL
from serving.front import Front
from serving.pixels import Pixels
from serving.replica import deployments
from serving.toolbox import ServeToolbox
from tests.agent_drawn import Classify, Generate, Ground, HereToolbox, Vqa
from tools.base import Progress, Record
from tools.cache import ResultCache
from tools.caption import CaptionInput
from tools.errors import ToolError
from tools.profile import Profile, load_profile
from tools.toolbox import LocalToolbox, Toolbox
from tools.values import Image

BENCH = Bench(
    full="--rounds 9 --requests 200 --minutes 10",
    quick="--rounds 1 --requests 60 --minutes 0",
    seeds="pictures of noise from fixed seeds",
    higher=("batch.gain", "batch.alone", "cache.gain"),
    lower=("http.ratio", "handle.ratio", "load.lost"),
    clone=True,
)
SIDE = 1024  # px of the picture that is captioned
CLIENTS = 16
PLACES = 10  # runs that one key may have under way or waiting, under load
AT_ONCE = 4 * PLACES
OPEN = {"requests_per_minute": 1e6, "seconds_per_day": 1e6}


class Drawing:
    """A planner that draws a red box, whatever is asked."""

    async def plan(self, request: PlanRequest) -> Plan:
        """The plan."""
        call = {"id": "c1", "tool": "generate", "input": {"prompt": "a red box", "seed": 4}}
        return Plan.model_validate({"calls": [call]})


def noise(seed: int, side: int = SIDE) -> Image:
    """A picture of its own for each seed."""
    small = np.random.default_rng(seed).integers(0, 256, (side // 64, side // 64, 3), np.uint8)
    return Image.from_pixels(small.repeat(64, axis=0).repeat(64, axis=1))


@asynccontextmanager
async def doors(home: Path, toolbox: Toolbox, **limits: float) -> AsyncIterator[tuple[Front, Any]]:
    """A front, and a client of its doors over a socket."""
    front = Front(home, toolbox, Drawing(), Limits.model_validate({**OPEN, **limits}))
    config = uvicorn.Config(
        build(front), host="127.0.0.1", port=0, log_level="error", timeout_keep_alive=600
    )
    server, socket = uvicorn.Server(config), config.bind_socket()
    socket.listen()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
    thread.start()
    address = f"http://127.0.0.1:{socket.getsockname()[1]}"
    bounds = httpx.Limits(max_connections=AT_ONCE)
    try:
        async with httpx.AsyncClient(base_url=address, timeout=600, limits=bounds) as client:
            yield front, client
    finally:
        server.should_exit = True
        await asyncio.to_thread(thread.join)


async def spent(work: Callable[[], Awaitable[object]]) -> float:
    """Processor seconds of a piece of work, of all threads."""
    before = time.process_time()
    await work()
    return time.process_time() - before


async def http(profile: Profile, home: Path, rounds: int) -> dict[str, float]:
    """A caption through HTTP against the same call in the process, in turns."""
    toolbox = LocalToolbox(profile)
    request = CaptionInput(image=noise(0))
    async with doors(home, toolbox) as (_, client):
        sent = await client.post("/v1/pictures", content=request.image.png())
        body = {"image": sent.json()["id"]}
        direct, through = list[float](), list[float]()
        await toolbox.call("caption", request)
        for _ in range(rounds):
            direct.append(await spent(lambda: toolbox.call("caption", request)))
            through.append(await spent(lambda: client.post("/v1/tools/caption", json=body)))
    toolbox.close()
    one, other = statistics.median(direct), statistics.median(through)
    return {"direct_cpu_s": one, "http_cpu_s": other, "ratio": other / one}


async def handle(profile: Profile, home: Path, rounds: int) -> dict[str, float]:
    """A caption through a Ray Serve handle against the same call in this process, in turns.

    Each round has a picture of its own, since replicas keep results.
    """
    captions = profile.model_copy(update={"tools": {"caption": profile.tools["caption"]}})
    here = LocalToolbox(captions)
    requests = [CaptionInput(image=noise(200 + seed)) for seed in range(rounds + 1)]
    with cluster.processes(cores=1):
        import ray
        from ray import serve

        serve.run(deployments(captions, home)["tools"], name="captions", route_prefix=None)
        handles = {"tools": serve.get_deployment_handle("tools", "captions")}
        node = ray.get_runtime_context().get_node_id()
        there = await ServeToolbox.connect(captions, handles, Pixels.of_node(node, home))
        (replica,) = (
            process
            for process in psutil.Process().children(recursive=True)
            if process.cmdline()[:1] == ["ray::ServeReplica:captions:tools"]
        )
        seconds = {"direct": 0.0, "handle": 0.0}
        for number, request in enumerate(requests):
            direct = await spent(partial(here.call, "caption", request))
            before = _processor_s(replica)
            through = await spent(partial(there.call, "caption", request))
            if number:  # the first warms up
                seconds["direct"] += direct
                seconds["handle"] += through + _processor_s(replica) - before
        serve.shutdown()  # type: ignore[no-untyped-call]
    here.close()
    one, other = (seconds[name] / rounds for name in ("direct", "handle"))
    return {"direct_cpu_s": one, "handle_cpu_s": other, "ratio": other / one}


def _processor_s(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


async def batch(profile: Profile, rounds: int) -> dict[str, float]:
    """Captions of 16 clients in batches against one at a time, and of a client that is alone."""
    toolbox = LocalToolbox(profile)
    requests = [CaptionInput(image=noise(seed, 128)) for seed in range(CLIENTS)]

    async def run(batch: Sequence[Record], progress: Progress) -> list[Record | ToolError]:
        return await toolbox.call_many("caption", batch, progress)

    async def all_of(most: int) -> None:
        batcher = Batcher(run, most=most)
        await asyncio.gather(*(batcher.ask(request, None) for request in requests))

    async def one_by_one(most: int) -> None:
        batcher = Batcher(run, most=most)
        for request in requests[:4]:
            await batcher.ask(request, None)

    await all_of(1)
    found: dict[str, list[float]] = {name: [] for name in ("b16", "b1", "a16", "a1")}
    for _ in range(rounds):
        found["b1"].append(await spent(lambda: all_of(1)))
        found["b16"].append(await spent(lambda: all_of(CLIENTS)))
        found["a1"].append(await spent(lambda: one_by_one(1)))
        found["a16"].append(await spent(lambda: one_by_one(CLIENTS)))
    toolbox.close()
    median = {name: statistics.median(each) for name, each in found.items()}
    return {"gain": median["b1"] / median["b16"], "alone": median["a1"] / median["a16"]}


async def cache(profile: Profile, home: Path, rounds: int) -> dict[str, float]:
    """A call and its repetition."""
    kept = ResultCache(home / "cache")
    toolbox = LocalToolbox(profile, kept)
    requests = [CaptionInput(image=noise(100 + seed, 256)) for seed in range(rounds + 1)]
    await toolbox.call("caption", requests[0])
    calls = [partial(toolbox.call, "caption", request) for request in requests[1:]]
    first = [await spent(call) for call in calls]
    again = [await spent(call) for call in calls]
    toolbox.close()
    kept.close()
    one, other = statistics.median(first), statistics.median(again)
    return {"first_cpu_s": one, "again_cpu_s": other, "gain": one / other}


async def load(home: Path, requests: int) -> dict[str, Any]:
    """Runs asked for by four times as many clients as there are places."""
    toolbox = HereToolbox(Generate, Ground, Vqa, Classify)
    waiting = iter(range(requests))
    states: list[str] = []
    refused: list[bool] = []
    seconds: list[float] = []

    async def ask(client: Any) -> None:
        for number in waiting:
            started = time.perf_counter()
            body = {"request": f"a red box, number {number}"}
            answer = await client.post("/v1/runs", json=body)
            if answer.status_code == 202:
                events = (await client.get(answer.json()["events"])).text
                states.append("done" if "event: done" in events else "lost")
                seconds.append(time.perf_counter() - started)
            else:
                refused.append(answer.status_code in (429, 503) and "retry-after" in answer.headers)

    limits = {"running": 2, "waiting": PLACES - 2}
    async with doors(home, toolbox, **limits) as (front, client):
        before = memory_mib()
        await asyncio.gather(*(ask(client) for _ in range(AT_ONCE)))
        left = front.quotas.inside(LOCAL)
    return {
        "requests": requests,
        "done": states.count("done"),
        "refused": len(refused),
        "lost": requests - states.count("done") - sum(refused),
        "places_left_taken": left,
        "worst_s": max(seconds),
        "median_s": statistics.median(seconds),
        "memory_mib": [before, memory_mib()],
    }


async def soak(home: Path, minutes: float) -> dict[str, float]:
    """One run after the other; memory after the first tenth against memory at the end."""
    toolbox = HereToolbox(Generate, Ground, Vqa, Classify)
    runs, early = 0, 0.0
    async with doors(home, toolbox) as (_, client):
        started = time.monotonic()
        while (passed := time.monotonic() - started) < 60 * minutes:
            answer = await client.post("/v1/runs", json={"request": "a red box"})
            await client.get(answer.json()["events"])
            runs += 1
            if not early and passed > 6 * minutes:
                early = memory_mib()
    growth = memory_mib() / early - 1
    return {"minutes": minutes, "runs": runs, "memory_mib": memory_mib(), "growth": growth}


def memory_mib() -> float:
    """What this process holds in memory now, MiB; Linux only."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


async def measure(rounds: int, requests: int, minutes: float) -> dict[str, Any]:
    """All figures."""
    profile = load_profile("miniature")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        found: dict[str, Any] = {
            "load_average": [round(each, 1) for each in os.getloadavg()],
            "load": await load(home / "load", requests),
            "http": await http(profile, home / "http", rounds),
            "batch": await batch(profile, rounds),
            "cache": await cache(profile, home, rounds),
        }
        if minutes:
            found["soak"] = await soak(home / "soak", minutes)
        found["handle"] = await handle(profile, home / "handle", rounds)
    return found


def body(found: dict[str, Any]) -> str:
    """The figures as markdown."""
    under = found["load"]
    rows = [
        ("caption of 1024×1024 over HTTP / direct", f"{found['http']['ratio']:.2f}", "≤ 1.3"),
        ("through a Serve handle / direct", f"{found['handle']['ratio']:.2f}", "≤ 1.15"),
        ("16 clients in batches / one at a time", f"{found['batch']['gain']:.2f}×", "≥ 1.7×"),
        ("a client that is alone, likewise", f"{found['batch']['alone']:.2f}×", "≥ 0.95×"),
        ("a call / its repetition", f"{found['cache']['gain']:.0f}×", "≥ 20×"),
        (
            f"{under['requests']} runs by {AT_ONCE} clients for {PLACES} places",
            f"{under['done']} done, {under['refused']} refused with Retry-After, "
            f"{under['lost']} lost",
            "0 lost",
        ),
        (
            "seconds of an accepted run",
            f"median {under['median_s']:.1f}, worst {under['worst_s']:.1f}",
            "",
        ),
    ]
    if "soak" in found:
        long = found["soak"]
        said = f"{report.percent(long['growth'])} in {long['minutes']:g} min, {long['runs']} runs"
        rows.append(("growth of memory", said, "≤ 3%"))
    where = (
        "Ratios are of processor seconds of one process that holds client, doors and tools, for "
        "the handle those of its replica added; other work ran on the machine (load "
        f"{found['load_average'][0]}). Runs under load and the soak use tools without weights. "
        "Killed processes: [faults](faults.md)."
    )
    return f"{report.table(('figure', 'measured', 'goal'), rows)}\n\n{where}"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="What serving costs and bears.")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=10, help="of the soak; 0 leaves it out")
    given = parser.parse_args()
    found = asyncio.run(measure(given.rounds, given.requests, given.minutes))
    print(body(found))
    options = f"--rounds {given.rounds} --requests {given.requests} --minutes {given.minutes:g}"
    report.write(
        "serving", "Serving", f"python -m benchmarks.serving {options}", found, body(found)
    )


if __name__ == "__main__":
    main()
