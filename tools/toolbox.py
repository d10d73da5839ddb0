"""Toolbox: the one door to tools; who calls never learns where a tool runs."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from models import weights
from tools.base import Progress, Record, Tool
from tools.cache import ResultCache, result_key
from tools.errors import InvalidInput, ToolError, Unavailable
from tools.profile import Profile, ToolProfile
from tools.registry import discover
from tools.values import Image


class Toolbox(Protocol):
    """Tools that are alive, wherever they run."""

    def names(self) -> list[str]:
        """The tools that can be called now, sorted."""
        ...

    def tool(self, name: str) -> Tool[Any, Any]:
        """The tool, for its schema and description.

        Raises:
            InvalidInput: no such tool; lists those there are.
            Unavailable: it is in the profile but cannot work here; says why.
        """
        ...

    def checkpoint_digest(self, name: str) -> str:
        """What tells these weights from all others."""
        ...

    async def call(self, name: str, input: Record, progress: Progress | None = None) -> Record:  # noqa: A002
        """Run a tool on one request.

        Raises:
            ToolError: it gave no answer.
        """
        (result,) = await self.call_many(name, [input], progress)
        if isinstance(result, ToolError):
            raise result
        return result

    async def call_many(
        self, name: str, inputs: Sequence[Record], progress: Progress | None = None
    ) -> list[Record | ToolError]:
        """Run a tool on a batch; the i-th result is for the i-th input, a record or its error."""
        ...


def tools_of(profile: Profile) -> dict[str, Tool[Any, Any]]:
    """The tools of a profile by name, sorted, with their options and parts; nothing is loaded.

    Raises:
        InvalidInput: there is no such tool, or it has no such option or part.
    """
    classes = discover()
    for name in profile.tools:
        if name not in classes:
            raise InvalidInput(
                f"profile {profile.name!r} names tool {name!r}; there are: {', '.join(classes)}"
            )
    return {
        name: classes[name](settings.options, settings.parts)
        for name, settings in sorted(profile.tools.items())
    }


class _Stopped(Exception):  # noqa: N818 - it ends work that nobody waits for; nothing failed
    """Raised inside a worker when its caller was cancelled."""


class LocalToolbox(Toolbox):
    """A toolbox in this process.

    Tools load at their first call. Each device has one worker thread: on a CPU every network
    already takes all cores, and two at once would only slow each other down. A call that is
    cancelled while it waits never starts; one that runs stops at its next progress report.
    """

    def __init__(self, profile: Profile, cache: ResultCache | None = None) -> None:
        self.profile = profile
        self._cache = cache
        self._tools = tools_of(profile)
        self._loaded: list[str] = []  # the least recently used first
        self._begun: dict[str, float] = {}
        self._loading_s = 0.0
        self._workers: dict[str, ThreadPoolExecutor] = {}

    def names(self) -> list[str]:
        absent = self.absent()
        return [name for name in self._tools if name not in absent]

    def absent(self) -> dict[str, str]:
        """The tools of the profile that cannot work here, each with the reason and the remedy."""
        reasons = {}
        for name in self._tools:
            try:
                for checkpoint in _checkpoints(self.profile.tools[name]):
                    weights.locate(checkpoint)
            except Unavailable as error:
                reasons[name] = str(error)
        return reasons

    def tool(self, name: str) -> Tool[Any, Any]:
        for checkpoint in _checkpoints(self._settings(name)):
            weights.locate(checkpoint)
        return self._tools[name]

    def checkpoint_digest(self, name: str) -> str:
        return weights.digest(self._settings(name).checkpoint)

    async def call_many(
        self, name: str, inputs: Sequence[Record], progress: Progress | None = None
    ) -> list[Record | ToolError]:
        settings = self._settings(name)
        loop = asyncio.get_running_loop()
        stop = threading.Event()

        def report(step: int, total: int, preview: Image | None) -> None:
            if stop.is_set():
                raise _Stopped
            if progress is not None:  # hand over in the caller's thread, in order
                loop.call_soon_threadsafe(progress, step, total, preview)

        def work() -> list[Record | ToolError]:
            return self._run(name, settings, inputs, report if progress is not None else None)

        worker = self._worker(settings.device)
        try:
            return await loop.run_in_executor(worker, work)
        except asyncio.CancelledError:
            stop.set()
            raise
        except ToolError as error:  # the weights are missing or damaged: no input helps
            return [error for _ in inputs]

    def warm(self, names: Sequence[str]) -> None:
        """Begin to load tools, while somebody else still thinks; returns at once."""
        for name in names:
            settings = self._settings(name)
            self._worker(settings.device).submit(self._load, name, settings)

    def load(self, name: str) -> None:
        """Load a tool and wait until it is.

        Raises:
            Unavailable: its weights are missing, damaged, or of a class that does not fit.
        """
        settings = self._settings(name)
        self._worker(settings.device).submit(self._load, name, settings).result()

    def loading_s(self) -> float:
        """Seconds that loading weights has taken so far, one that goes on included."""
        now = time.perf_counter()
        return self._loading_s + sum(now - begun for begun in self._begun.values())

    def close(self) -> None:
        """End the worker threads once what they do is done."""
        for worker in self._workers.values():
            worker.shutdown(wait=True, cancel_futures=True)
        self._workers.clear()

    def _settings(self, name: str) -> ToolProfile:
        if name not in self._tools:
            raise InvalidInput(f"no tool {name!r}; there are: {', '.join(self.names()) or 'none'}")
        return self.profile.tools[name]

    def _worker(self, device: str) -> ThreadPoolExecutor:
        if device not in self._workers:
            self._workers[device] = ThreadPoolExecutor(1, thread_name_prefix=f"tools-{device}")
        return self._workers[device]

    def _load(self, name: str, settings: ToolProfile) -> None:
        if name in self._loaded:
            self._loaded.remove(name)
            self._loaded.append(name)
            return
        self._begun[name] = time.perf_counter()
        try:
            self._make_room(name)
            self._tools[name].load(settings.checkpoint, settings.device, settings.dtype)
            self._loaded.append(name)
        finally:
            self._loading_s += time.perf_counter() - self._begun.pop(name)

    def _make_room(self, name: str) -> None:
        """Unload what was not used for longest, until a tool fits into the memory given."""
        if self.profile.memory_gib is None:
            return
        from models import shelf

        device = self.profile.tools[name].device
        while True:
            there = [one for one in self._loaded if self.profile.tools[one].device == device]
            needed = self._networks([name])
            taken = {**self._networks(there), **needed}
            idle = [one for one in there if self._networks([one]).keys() - needed.keys()]
            if sum(taken.values()) <= self.profile.memory_gib * 2**30 or not idle:
                return
            self._tools[idle[0]].unload()
            self._loaded.remove(idle[0])
            for checkpoint in self._networks(idle[:1]).keys() - self._networks(self._loaded).keys():
                shelf.drop(checkpoint)

    def _networks(self, names: Sequence[str]) -> dict[str, int]:
        """The checkpoints of some tools, each with the bytes that it takes in memory."""
        from models.device import place

        found = {}
        for name in names:
            settings = self.profile.tools[name]
            _, dtype = place(settings.device, settings.dtype)
            for checkpoint in _checkpoints(settings):
                found[checkpoint] = weights.parameters(checkpoint) * dtype.itemsize
        return found

    def _run(
        self,
        name: str,
        settings: ToolProfile,
        inputs: Sequence[Record],
        progress: Progress | None,
    ) -> list[Record | ToolError]:
        """Look up, then run what is missing; in a worker thread."""
        tool = self._tools[name]
        checkpoint = weights.verify(settings.checkpoint, settings.sha256)
        facts = {"options": tool.options.model_dump(mode="json"), "dtype": settings.dtype}
        if settings.parts:
            facts["parts"] = {part: weights.verify(of) for part, of in settings.parts.items()}
        results: dict[int, Record | ToolError] = {}
        keys = [
            result_key(name, tool.version, checkpoint, {**facts, **tool.facts(one)}, one)
            for one in inputs
        ]
        cache = self._cache if tool.cached else None
        if cache is not None:
            for index, key in enumerate(keys):
                if (hit := cache.get(key, tool.output)) is not None:
                    results[index] = hit
        missing = [index for index in range(len(inputs)) if index not in results]
        if not missing:
            return [results[index] for index in range(len(inputs))]
        self._load(name, settings)
        for index, result in zip(
            missing, tool.run([inputs[i] for i in missing], progress), strict=True
        ):
            results[index] = result
            if cache is not None and not isinstance(result, ToolError):
                cache.put(keys[index], result)
        return [results[index] for index in range(len(inputs))]


def _checkpoints(settings: ToolProfile) -> tuple[str, ...]:
    """All that a tool loads: its own checkpoint, then those of its parts."""
    return settings.checkpoint, *settings.parts.values()
