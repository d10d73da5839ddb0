"""Tools in real Ray Serve replicas: one small cluster on loopback for all of these tests.

Ray must be up within 15 seconds that no setting of it changes, so a machine with nothing left to
give leaves these out: `pytest -m "not serve"`.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
import pytest_asyncio

from models import weights
from serving.pixels import Pixels as Passage
from serving.replica import Order
from serving.toolbox import ServeToolbox
from tools.edges import EdgesInput
from tools.errors import InvalidInput, ToolError, Unavailable
from tools.generate import GenerateInput
from tools.index.catalogue import Vectors, create
from tools.index.fill import fill
from tools.profile import Profile, load_profile
from tools.retrieve import RetrieveInput, RetrieveOutput
from tools.toolbox import LocalToolbox
from tools.values import Image, Pixels

pytestmark = [pytest.mark.serve, pytest.mark.asyncio(loop_scope="module")]

DIMENSIONS = 256  # of the miniature CLIP
PROFILE = """
tools:
  generate:
    checkpoint: miniature/weights/stable-diffusion
    options: {steps: 12, guidance: 1.5, size: [128, 128]}
  retrieve: {checkpoint: miniature/weights/clip}
  caption: {checkpoint: miniature/weights/clip}  # no BLIP: it cannot be loaded
  edges: {checkpoint: package:opencv-python-headless}
serving:
  groups:
    hands: {timeout_s: 600}
    eyes: {tools: [edges], timeout_s: 600}
"""


class Cluster:
    """The application as it runs, and the processes of its replicas."""

    def __init__(self, profile: Profile, home: Path, address: str) -> None:
        self.profile = profile
        self.home = home
        self.address = address

    def handles(self) -> dict[str, Any]:
        """Of each group."""
        from ray import serve

        return {name: serve.get_deployment_handle(name, "sightloop") for name in ("hands", "eyes")}

    async def toolbox(self) -> ServeToolbox:
        """A toolbox of this process, as the one in the front."""
        return await ServeToolbox.connect(
            self.profile, self.handles(), Passage.of_node(node(), self.home)
        )

    def replicas(self, group: str) -> list[int]:
        """Process ids of a group's replicas."""
        return [
            process.pid
            for process in psutil.Process().children(recursive=True)
            if process.cmdline()[:1] == [f"ray::ServeReplica:sightloop:{group}"]
        ]


def node() -> str:
    """The Ray node that these tests run on."""
    import ray

    found: str = ray.get_runtime_context().get_node_id()
    return found


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    from serving.cluster import local
    from serving.deployed import deploy

    folder = tmp_path_factory.mktemp("serve")
    path = folder / "small.yaml"
    path.write_text(PROFILE)
    profile, port = load_profile(path), free_port()
    with local(cores=2, port=port):
        deploy(profile, folder)
        yield Cluster(profile, folder, f"http://127.0.0.1:{port}")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def toolbox(cluster: Cluster) -> ServeToolbox:
    return await cluster.toolbox()


def picture(value: int, side: int = 64) -> Image:
    pixels = np.full((side, side, 3), value, np.uint8)
    pixels[8:24, 8:40] = 255 - value
    return Image.from_pixels(pixels)


async def test_a_group_is_ready_when_its_tools_are_loaded_and_says_which_cannot_be(
    toolbox: ServeToolbox,
) -> None:
    assert toolbox.names() == ["edges", "generate", "retrieve"]
    assert "caption" in toolbox.absent()
    with pytest.raises(Unavailable):
        toolbox.tool("caption")
    with pytest.raises(InvalidInput, match="no tool 'os'"):
        toolbox.tool("os")


async def test_replicas_answer_as_the_tools_of_this_process_do(
    toolbox: ServeToolbox, miniature: LocalToolbox
) -> None:
    outlined = EdgesInput(image=picture(30))
    assert await toolbox.call("edges", outlined) == await miniature.call("edges", outlined)
    for name in toolbox.names():
        assert toolbox.checkpoint_digest(name) == miniature.checkpoint_digest(name)
        assert toolbox.tool(name).options == miniature.tool(name).options


async def test_progress_comes_while_it_draws(toolbox: ServeToolbox) -> None:
    steps: list[tuple[int, int]] = []
    await toolbox.call(
        "generate",
        GenerateInput(prompt="a dog", seed=1, steps=6),
        lambda step, total, preview: steps.append((step, total)),
    )
    assert steps == [(step, 6) for step in range(1, 7)]


async def test_a_bad_request_does_not_spoil_its_neighbours(toolbox: ServeToolbox) -> None:
    good = [EdgesInput(image=picture(value)) for value in (1, 2)]
    bad = EdgesInput(image=picture(3), low=300, high=200)
    first, refused, last = await toolbox.call_many("edges", [good[0], bad, good[1]])
    assert not isinstance(first, ToolError)
    assert not isinstance(last, ToolError)
    assert isinstance(refused, InvalidInput)
    assert "low must be below high" in str(refused)


async def test_callers_at_once_are_answered_each_his_own(toolbox: ServeToolbox) -> None:
    asked = [EdgesInput(image=picture(value)) for value in range(24)]
    together = await asyncio.gather(*(toolbox.call("edges", one) for one in asked))
    alone = await toolbox.call_many("edges", asked)
    assert together == alone


async def test_pictures_travel_as_ids(cluster: Cluster) -> None:
    image = picture(77, side=1024)
    Passage.of_node(node(), cluster.home).put(image)
    order = Order("edges", (EdgesInput(image=image).model_dump_json(),), node(), {})
    reply = await cluster.handles()["eyes"].run.remote(order)
    assert len(pickle.dumps(order)) < 1024
    assert len(pickle.dumps(reply)) < 1024


async def test_a_picture_that_is_not_on_the_node_is_sent_along(
    cluster: Cluster, toolbox: ServeToolbox, tmp_path: Path
) -> None:
    """As on another machine: the replica does not find it, and gives its own along."""
    handles = cluster.handles()
    other = ServeToolbox(
        cluster.profile,
        handles,
        pixels=Passage(tmp_path / "elsewhere"),
        node="another",
        alive={"eyes": await handles["eyes"].alive.remote()},
    )
    asked = EdgesInput(image=picture(55))
    assert await other.call("edges", asked) == await toolbox.call("edges", asked)


async def test_what_is_not_to_be_cached_is_asked_anew(
    cluster: Cluster, toolbox: ServeToolbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGHTLOOP_HOME", str(cluster.home))
    checkpoint, folder = "miniature/weights/clip", cluster.home / "mine"
    folder.mkdir()
    asked = RetrieveInput(image=picture(200), k=5)
    found = []
    with create(
        "default", checkpoint, weights.digest(checkpoint), dimensions=DIMENSIONS, speaks=True
    ) as catalogue:
        for value in (10, 200):
            (folder / f"{value}.png").write_bytes(picture(value).png())
            fill(catalogue, [folder], by_brightness)
            answer = await toolbox.call("retrieve", asked)
            assert isinstance(answer, RetrieveOutput)
            found.append(len(answer.matches))
    assert found == [1, 2]


def by_brightness(pictures: Sequence[Pixels]) -> Vectors:
    turned = np.array([[np.pi * one.mean() / 512] for one in pictures])
    first_two = np.hstack([np.cos(turned), np.sin(turned)])
    return np.pad(first_two, ((0, 0), (0, DIMENSIONS - 2))).astype(np.float32)


async def test_cancelling_reaches_the_replica(toolbox: ServeToolbox) -> None:
    """The replica draws one thing at a time: what follows would have to wait for all of it."""
    steps: list[int] = []
    begun = asyncio.Event()

    def count(step: int, total: int, preview: Image | None) -> None:
        steps.append(step)
        begun.set()

    started = time.monotonic()
    asked = GenerateInput(prompt="a cat", n=16, steps=150)
    call = asyncio.create_task(toolbox.call("generate", asked, count))
    await begun.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    drawn = time.monotonic() - started
    await toolbox.call("generate", GenerateInput(prompt="a cat", seed=9, steps=1))
    followed = time.monotonic() - started - drawn
    assert followed < 100 * drawn / len(steps)  # of 2400 steps


async def test_a_call_whose_replica_is_killed_is_answered_by_the_next(
    cluster: Cluster, toolbox: ServeToolbox, miniature: LocalToolbox
) -> None:
    (killed,) = cluster.replicas("hands")
    asked = GenerateInput(prompt="a bird", seed=5)
    steps: list[int] = []

    def kill_at_the_second(step: int, total: int, preview: Image | None) -> None:
        steps.append(step)
        if len(steps) == 2:
            os.kill(killed, signal.SIGKILL)

    drawn = await toolbox.call("generate", asked, kill_at_the_second)
    assert cluster.replicas("hands") != [killed]
    assert steps[-12:] == list(range(1, 13))
    assert drawn == await miniature.call("generate", asked)


async def test_the_doors_open_over_serve(cluster: Cluster) -> None:
    async with httpx.AsyncClient(base_url=cluster.address, timeout=300) as client:
        assert (await client.get("/readyz")).json() == {"status": "ready"}
        listed = (await client.get("/v1/tools")).json()
        assert [card["name"] for card in listed["tools"]] == ["edges", "generate", "retrieve"]
        assert list(listed["absent"]) == ["caption"]
        sent = await client.post("/v1/pictures", content=picture(5).png())
        drawn = await client.post("/v1/tools/edges", json={"image": sent.json()["id"]})
        assert (await client.get(f"/v1/pictures/{drawn.json()['image']}")).content[1:4] == b"PNG"
        draw = {"prompt": "a red apple", "steps": 3}
        body = {"request": "a red apple", "draw": draw, "loop": False}
        run = (await client.post("/v1/runs", json=body)).json()
        events = (await client.get(run["events"])).text
        kinds = [line[7:] for line in events.splitlines() if line.startswith("event: ")]
        assert kinds[0] == "plan"
        assert kinds.count("progress") == 3
        assert kinds[-1] == "done"
