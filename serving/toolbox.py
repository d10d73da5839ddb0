"""Serve toolbox: tools in replicas, with the interface of those in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from serving.config import Group, ServingConfig
from serving.pixels import Missing, Pixels
from serving.replica import Alive, Order, Reply, Step, unpacked
from tools.base import Progress, Record, Tool
from tools.cache import pictures_in
from tools.errors import InvalidInput, ToolError, Unavailable
from tools.profile import Profile
from tools.toolbox import Toolbox, tools_of
from tools.values import Image

if TYPE_CHECKING:
    from ray.serve.handle import DeploymentHandle

TRIES = 3  # calls are safe to repeat: what a tool draws is decided by its seed
STARTING_S = 120  # that a replica in place of one that died may take to load its networks


class Busy(Unavailable):
    """All replicas have as much to do as they may; later it may work."""


class ServeToolbox(Toolbox):
    """A toolbox whose tools run in Ray Serve replicas.

    Pictures go as ids. A call whose replica died is made again; one that is cancelled here is
    cancelled there.
    """

    def __init__(
        self,
        profile: Profile,
        handles: Mapping[str, DeploymentHandle[Any]],
        *,
        pixels: Pixels,
        node: str,
        alive: Mapping[str, Alive],
    ) -> None:
        """See `connect`."""
        groups = ServingConfig.of(profile).groups
        self.profile = profile
        self._handles = handles
        self._pixels = pixels
        self._node = node
        self._group: dict[str, str] = {t: name for name, g in groups.items() for t in g.tools}
        self._groups: dict[str, Group] = groups
        self._digests = {t: d for each in alive.values() for t, d in each.digests.items()}
        self._absent = {t: why for each in alive.values() for t, why in each.absent.items()}
        self._tools = tools_of(profile)

    @classmethod
    async def connect(
        cls, profile: Profile, handles: Mapping[str, DeploymentHandle[Any]], pixels: Pixels
    ) -> ServeToolbox:
        """Ask each group what it can do.

        Args:
            handles: one for each group of the profile.
            pixels: the folder of this node.
        """
        import ray

        found: dict[str, Alive] = {name: await h.alive.remote() for name, h in handles.items()}
        node = ray.get_runtime_context().get_node_id()
        return cls(profile, handles, pixels=pixels, node=node, alive=found)

    def names(self) -> list[str]:
        return sorted(self._digests)

    def absent(self) -> dict[str, str]:
        """The tools of the profile that no replica can run, each with the reason."""
        return dict(self._absent)

    def tool(self, name: str) -> Tool[Any, Any]:
        if name in self._absent:
            raise Unavailable(self._absent[name])
        if name not in self._digests:
            raise InvalidInput(f"no tool {name!r}; there are: {', '.join(self.names()) or 'none'}")
        return self._tools[name]

    def checkpoint_digest(self, name: str) -> str:
        self.tool(name)
        return self._digests[name]

    async def call_many(
        self, name: str, inputs: Sequence[Record], progress: Progress | None = None
    ) -> list[Record | ToolError]:
        tool = self.tool(name)
        pictures = {picture.id: picture for each in inputs for picture in pictures_in(each)}
        for picture in pictures.values():
            self._pixels.put(picture)
        texts = tuple(each.model_dump_json() for each in inputs)
        order = Order(name, texts, self._node, {})
        reply = await self._reply(order, progress)
        if reply.missing:  # another node, or they lay there for too long
            sent = {identity: picture.pixels for identity, picture in pictures.items()}
            reply = await self._reply(order._replace(pixels=sent), progress)

        for array in reply.pixels.values():
            self._pixels.put(Image.from_pixels(array))
        try:
            return [unpacked(each, tool.output, self._pixels) for each in reply.results]
        except Missing as missing:
            raise Unavailable(f"picture {str(missing)[:12]} got lost on its way") from missing

    async def _reply(self, order: Order, progress: Progress | None) -> Reply:
        """Send an order, again where a replica died over it.

        Raises:
            Busy: the line is full.
            Unavailable: it takes too long, or every try died.
        """
        from ray.exceptions import RayActorError
        from ray.serve.exceptions import BackPressureError, RayServeException

        seconds = self._groups[self._group[order.tool]].timeout_s
        died: Exception | None = None
        for attempt in range(TRIES):
            try:
                async with asyncio.timeout(seconds + (STARTING_S if attempt else 0)):
                    return await self._send(order, progress)
            except TimeoutError as error:
                raise Unavailable(
                    f"{order.tool} gave no answer in {seconds:g} s; ask for less"
                ) from error
            except BackPressureError as error:
                raise Busy(f"{order.tool} has a full line; ask again in a moment") from error
            except (RayActorError, RayServeException) as error:
                died = error
                await asyncio.sleep(0.2 * attempt)
        raise Unavailable(f"{order.tool} died {TRIES} times over this request") from died

    async def _send(self, order: Order, progress: Progress | None) -> Reply:
        handle = self._handles[self._group[order.tool]]
        if progress is None:
            response = handle.run.remote(order)
            try:
                reply: Reply = await response
            except asyncio.CancelledError:
                response.cancel()  # type: ignore[no-untyped-call]
                raise
            return reply
        streaming: Any = handle.options(stream=True)
        stream = streaming.follow.remote(order)
        try:
            async for said in stream:
                if isinstance(said, Reply):
                    return said
                self._report(said, progress)
        except asyncio.CancelledError:
            stream.cancel()
            raise
        raise Unavailable(f"{order.tool} ended without an answer")

    def _report(self, said: Step, progress: Progress) -> None:
        preview = None
        if said.preview is not None:
            try:
                preview = self._pixels.get(said.preview)
            except Missing:  # another node: previews are worth no detour
                preview = None
        progress(said.step, said.total, preview)
