"""Keeping: the pictures of one run on their way into the store, beside the work, not in it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence

from pydantic import JsonValue

from agent.comparing import last_change
from agent.drawing import Try
from agent.state import CallRecord, ImageRecord
from agent.store import Origin, Store, libraries
from tools.base import Record
from tools.generate import GenerateOptions
from tools.toolbox import Toolbox
from tools.values import Image

PICTURE_ID = re.compile(r"[0-9a-f]{64}")


class Album(Mapping[str, Image]):
    """Handle to picture; a picture is read from the store when somebody first looks at it."""

    def __init__(self, store: Store, handles: Mapping[str, str], known: dict[str, Image]) -> None:
        self._store = store
        self._handles = handles
        self._known = known

    def __getitem__(self, handle: str) -> Image:
        identity = self._handles[handle]
        if identity not in self._known:
            self._known[identity] = self._store.get(identity)
        return self._known[identity]

    def __iter__(self) -> Iterator[str]:
        return iter(self._handles)

    def __len__(self) -> int:
        return len(self._handles)


def pictures_of(output: Record) -> tuple[Image, ...]:
    """The pictures in what a tool gave, in its order."""
    images = getattr(output, "images", None)
    if isinstance(images, tuple):
        return images
    image = getattr(output, "image", None)
    return (image,) if isinstance(image, Image) else ()


def _each(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else [value]


class Keeper:
    """Keeps what is drawn, in the background, and names what is handed over.

    Attributes:
        pixels: pictures of this run by id, those it was given as soon as they are looked at.
    """

    def __init__(self, store: Store, conversation: str, toolbox: Toolbox, turn: int = 0) -> None:
        self.pixels: dict[str, Image] = {}
        self._store = store
        self._conversation = conversation
        self._toolbox = toolbox
        self._turn = turn
        self._saving: asyncio.Task[None] | None = None
        self._writing: list[asyncio.Task[list[str]]] = []
        self._parents: dict[str, tuple[str, ...]] = {}
        self._names: dict[str, str] = {}

    def take_in(self, images: Sequence[Image]) -> Mapping[str, Image]:
        """Keep pictures that a person brought, and name them.

        Returns:
            Handle to picture, of the whole conversation.
        """
        origins = [(image, Origin(tool="upload", libraries=libraries())) for image in images]
        if origins:
            self._store.put_many(origins)
        for image in images:
            self._store.name(self._conversation, image.id)
            self.pixels[image.id] = image
        handles = self._store.handles(self._conversation)
        self._names = {identity: handle for handle, identity in handles.items()}
        return Album(self._store, handles, self.pixels)

    def keep(self, record: CallRecord, output: Record) -> None:
        """Start to write the pictures that a call gave."""
        images = pictures_of(output)
        seeds = getattr(output, "seeds", (None,) * len(images))
        if not images:
            return
        parents = self.remember(record, output)
        writing = asyncio.to_thread(self._write, record, tuple(images), tuple(seeds), parents)
        self._writing.append(asyncio.create_task(writing))

    def remember(self, record: CallRecord, output: Record) -> tuple[str, ...]:
        """Hold the pictures of a call and what they were made from; returns the ids of those."""
        given = [v for value in record.input.values() for v in _each(value)]
        parents = tuple(
            value for value in given if isinstance(value, str) and PICTURE_ID.fullmatch(value)
        )
        for image in pictures_of(output):
            self.pixels[image.id] = image
            self._parents[image.id] = parents
        return parents

    def save(self, state: str) -> None:
        """Write down where the run stands, once all pictures so far are on disk."""
        before = self._saving
        waits = tuple(self._writing)

        async def write() -> None:
            if before is not None:
                await before
            await asyncio.gather(*waits)
            await asyncio.to_thread(
                self._store.save_checkpoint, self._conversation, self._turn, state
            )

        self._saving = asyncio.create_task(write())

    def undo(self) -> tuple[str, ...]:
        """Hide what the last turn gave; returns the handles."""
        return self._store.undo(self._conversation)

    def redo(self) -> tuple[str, ...]:
        """Show again what was hidden last; returns the handles."""
        return self._store.redo(self._conversation)

    def last_change(self) -> str:
        """In words, how the latest picture that is shown came about."""
        return last_change(self._store, self._conversation)

    def picture(self, identity: str) -> Image:
        """A picture by its id, from this run or from the store."""
        if identity not in self.pixels:
            self.pixels[identity] = self._store.get(identity)
        return self.pixels[identity]

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Handle to width and height in px; under "" those of a picture yet to be drawn."""
        if "generate" not in self._toolbox.names():
            return self._store.sizes(self._conversation)
        weights = self._toolbox.checkpoint_digest("generate")
        found = self._store.sizes(self._conversation, weights)
        options = self._toolbox.tool("generate").options
        if isinstance(options, GenerateOptions) and options.size is not None:
            found.setdefault("", options.size)
        return found

    def shown(self) -> tuple[str, ...]:
        """Handles that are not undone, oldest first."""
        return tuple(self._store.handles(self._conversation, hidden=False))

    def count_repair(self, tried: Try, tool: str) -> None:
        """Remember what a repair mended and cost with these weights."""
        self._store.count_repair(tried, self._toolbox.checkpoint_digest(tool))

    def forget(self, identities: set[str]) -> None:
        """Let go of pixels that nobody will ask for again; the store has them."""
        for identity in identities:
            self.pixels.pop(identity, None)

    async def written(self) -> None:
        """Wait until all is on disk.

        Raises:
            StoreFull: something did not fit.
        """
        waits = [*self._writing, *([self._saving] if self._saving else [])]
        ended = await asyncio.gather(*waits, return_exceptions=True)
        for one in ended:
            if isinstance(one, BaseException):
                raise one

    async def hand_over(self, identity: str, tool: str) -> ImageRecord:
        """Give a picture its handle in the conversation."""
        await self.written()
        handle = self._store.name(self._conversation, identity, self._turn)
        self._names[identity] = handle
        return ImageRecord(
            handle=handle,
            path=str(self._store.path(identity)),
            id=identity,
            tool=tool,
            parents=self._parents.get(identity, ()),
        )

    def names(self) -> dict[str, str]:
        """Picture id to handle, of the pictures that have one."""
        return dict(self._names)

    def _write(
        self,
        record: CallRecord,
        images: Sequence[Image],
        seeds: Sequence[int | None],
        parents: tuple[str, ...],
    ) -> list[str]:
        version = self._toolbox.tool(record.tool).version
        checkpoint = self._toolbox.checkpoint_digest(record.tool)
        return self._store.put_many(
            [
                (
                    image,
                    Origin(
                        tool=record.tool,
                        version=version,
                        input=record.input,
                        index=index,
                        seed=seed,
                        checkpoint=checkpoint,
                        libraries=libraries(),
                        parents=parents,
                    ),
                )
                for index, (image, seed) in enumerate(zip(images, seeds, strict=True))
            ]
        )
