"""Replica: any group of tools as one Ray Serve deployment.

What goes in and out is small: JSON with pictures as ids. Errors of tools cross as values, so
that no traceback leaves the process; all else is our fault and goes up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from serving.batching import Batcher
from serving.config import Group, ServingConfig
from serving.pixels import Missing, Pixels
from tools.base import Progress, Record, explain
from tools.cache import ResultCache, pictures_in
from tools.errors import InvalidInput, ToolError, Unavailable
from tools.profile import Profile
from tools.toolbox import LocalToolbox
from tools.values import Image
from tools.values import Pixels as Array

if TYPE_CHECKING:
    from ray.serve import Application


class Order(NamedTuple):
    """A batch of requests for one tool.

    Attributes:
        inputs: each request as JSON, pictures as ids.
        node: Ray node of the caller; a replica elsewhere sends pixels along.
        pixels: pictures that the replica said it misses, uint8, (H, W, 3).
    """

    tool: str
    inputs: tuple[str, ...]
    node: str
    pixels: dict[str, Array]


class Reply(NamedTuple):
    """What became of an order.

    Attributes:
        results: for each request its output as JSON, or the kind and text of its error.
        missing: ids of pictures to send along; then nothing was run.
        pixels: pictures of the outputs, if the caller is on another node.
    """

    results: tuple[str | tuple[str, str], ...] = ()
    missing: tuple[str, ...] = ()
    pixels: dict[str, Array] = {}  # noqa: RUF012 - nobody writes to it


class Step(NamedTuple):
    """Progress of an order; the preview is in the node's folder."""

    step: int
    total: int
    preview: str | None


class Alive(NamedTuple):
    """What a replica can do: tool to digest of its weights, and the absent with the reason."""

    digests: dict[str, str]
    absent: dict[str, str]


class Replica:
    """One process with some tools loaded."""

    def __init__(self, profile: Profile, group: Group, home: str) -> None:
        """Load the tools; those that cannot be are absent, with the reason."""
        import ray

        self._node = ray.get_runtime_context().get_node_id()
        self._pixels = Pixels.of_node(self._node, Path(home))
        self._group = group
        mine = profile.model_copy(update={"tools": {n: profile.tools[n] for n in group.tools}})
        self._toolbox = LocalToolbox(mine, ResultCache(Path(home) / "cache"))
        self._absent = self._load()
        self._batchers = {name: self._batcher(name) for name in group.tools}

    def _load(self) -> dict[str, str]:
        """Load what is here; Serve sends requests only after that.

        Returns:
            The tools that could not be loaded, each with the reason.
        """
        absent = self._toolbox.absent()
        for name in self._group.tools:
            if name not in absent:
                try:
                    self._toolbox.load(name)
                except ToolError as error:
                    absent[name] = str(error)
        return absent

    def _batcher(self, name: str) -> Batcher:
        async def run(requests: Sequence[Record], progress: Progress) -> list[Record | ToolError]:
            return await self._toolbox.call_many(name, requests, progress)

        return Batcher(run, most=self._group.batch)

    def alive(self) -> Alive:
        """What this replica can do."""
        names = [name for name in self._group.tools if name not in self._absent]
        return Alive(
            {name: self._toolbox.checkpoint_digest(name) for name in names}, dict(self._absent)
        )

    def check_health(self) -> None:
        """Called by Serve; a replica that raises is replaced.

        Raises:
            RuntimeError: a batch has run for longer than anybody waits.
        """
        for name, batcher in self._batchers.items():
            if batcher.since and time.monotonic() - batcher.since > 2 * self._group.timeout_s:
                raise RuntimeError(f"{name} hangs")

    async def run(self, order: Order) -> Reply:
        """Answer an order."""
        return await self._answer(order, None)

    async def follow(self, order: Order) -> AsyncIterator[Step | Reply]:
        """Answer an order, its progress first."""
        steps: asyncio.Queue[Step | None] = asyncio.Queue()

        def report(step: int, total: int, preview: Image | None) -> None:
            shown = None if preview is None else self._pixels.put(preview)
            steps.put_nowait(Step(step, total, shown))

        task = asyncio.create_task(self._answer(order, report))
        task.add_done_callback(lambda _: steps.put_nowait(None))
        try:
            while (step := await steps.get()) is not None:
                yield step
            yield task.result()
        finally:
            task.cancel()

    async def _answer(self, order: Order, progress: Progress | None) -> Reply:
        for array in order.pixels.values():
            self._pixels.put(Image.from_pixels(array))
        try:
            requests = [self._parse(order.tool, text) for text in order.inputs]
        except Missing as missing:
            return Reply(missing=(str(missing),))
        results = await asyncio.gather(
            *(self._one(order.tool, request, progress) for request in requests)
        )
        elsewhere = order.node != self._node
        pixels = {
            picture.id: picture.pixels
            for result in results
            for picture in pictures_in(result)
            if elsewhere or not self._pixels.put(picture)
        }
        return Reply(results=tuple(_packed(each) for each in results), pixels=pixels)

    def _parse(self, name: str, text: str) -> Record | ToolError:
        """The request, checked alone, before it meets others."""
        try:
            tool = self._toolbox.tool(name)
            request: Record = tool.input.model_validate_json(
                text, context={"pictures": self._pixels.get}
            )
            tool.check(request)
        except ToolError as error:
            return error
        except ValidationError as error:
            return InvalidInput(f"{name}: {explain(error)}")
        return request

    async def _one(
        self, name: str, request: Record | ToolError, progress: Progress | None
    ) -> Record | ToolError:
        if isinstance(request, ToolError):
            return request
        return await self._batchers[name].ask(request, progress)


def _packed(result: Record | ToolError) -> str | tuple[str, str]:
    if isinstance(result, Record):
        return result.model_dump_json()
    kind = "invalid_input" if isinstance(result, InvalidInput) else "unavailable"
    return kind, str(result)


def unpacked(result: str | tuple[str, str], output: type[Record], pixels: Pixels) -> Any:
    """The record or the error that a replica packed."""
    if isinstance(result, str):
        return output.model_validate_json(result, context={"pictures": pixels.get})
    kind, text = result
    return InvalidInput(text) if kind == "invalid_input" else Unavailable(text)


def deployments(profile: Profile, home: Path) -> dict[str, Application]:
    """One deployment for each group of a profile, by the group's name.

    Raises:
        InvalidInput: the profile's `serving` is wrong.
    """
    groups = ServingConfig.of(profile).groups
    return {name: _deployment(name, profile, group, home) for name, group in groups.items()}


def _deployment(name: str, profile: Profile, group: Group, home: Path) -> Application:
    from ray import serve

    threads = str(max(1, int(group.cpus)))
    several = group.most_replicas is not None and group.most_replicas > group.replicas
    scale: dict[str, Any] = {"num_replicas": group.replicas}
    if several:
        bounds = {"min_replicas": group.replicas, "max_replicas": group.most_replicas}
        scale = {"autoscaling_config": {**bounds, "target_ongoing_requests": group.batch}}
    return serve.deployment(
        name=name,
        max_ongoing_requests=max(group.running, 2 * group.batch),
        max_queued_requests=group.waiting,
        health_check_period_s=5,
        health_check_timeout_s=30,
        graceful_shutdown_timeout_s=group.drain_s,
        ray_actor_options={
            "num_cpus": group.cpus,
            "num_gpus": group.gpus,
            "runtime_env": {
                "env_vars": {
                    # Ray would set as many threads as cores are left, and threads that spin
                    "OMP_NUM_THREADS": threads,
                    "OMP_WAIT_POLICY": "PASSIVE",
                    "SIGHTLOOP_HOME": str(home),  # where `retrieve` looks for indexes
                }
            },
        },
        **scale,
    )(Replica).bind(profile, group, str(home))
