"""Front: what stands behind the doors: each owner's store, the runs, the tools.

It does not know HTTP, nor where tools run.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import Field, JsonValue, ValidationError

from agent import loop
from agent.events import Event
from agent.keeping import PICTURE_ID
from agent.plan import Call, Plan
from agent.planner import Planner, PlanRequest
from agent.storage import open_database, open_store
from agent.store import Origin, Store, libraries
from serving import tracing
from serving.config import Limits
from serving.doors import LOCAL, Keys, Quotas
from serving.jobs import Jobs
from tools.base import Progress, Record, explain
from tools.cache import pictures_in
from tools.drawing import LAST_SEED
from tools.errors import InvalidInput
from tools.toolbox import Toolbox
from tools.values import Image

LETTERS = 2000


class RunRequest(Record):
    """What to carry out."""

    request: str = Field(min_length=1, max_length=LETTERS, description="what you want, in words")
    pictures: tuple[str, ...] = Field(default=(), max_length=16, description="ids, uploaded before")
    conversation: str | None = Field(
        None, pattern=r"^[0-9a-f]{32}$", description="to go on with one"
    )
    seed: int = Field(0, ge=0, le=LAST_SEED - 16)
    budget_s: float = Field(60.0, ge=1, le=3600, allow_inf_nan=False)
    loop: bool = Field(True, description="false: draw and check once, repair nothing")
    draw: dict[str, JsonValue] | None = Field(
        None, description="arguments of generate, instead of a plan made from the words"
    )


class Given:
    """A planner that serves one plan, whatever is asked."""

    def __init__(self, tool: str, arguments: Mapping[str, JsonValue]) -> None:
        call = Call.model_validate({"id": "c1", "tool": tool, "input": dict(arguments)})
        self._plan = Plan(calls=(call,))

    async def plan(self, request: PlanRequest) -> Plan:
        """The plan."""
        return self._plan


class Front:
    """One process behind the doors.

    Attributes:
        toolbox: the tools, wherever they run.
        keys, quotas, limits, jobs: who may come, and how much each has under way.
    """

    def __init__(self, home: Path, toolbox: Toolbox, planner: Planner, limits: Limits) -> None:
        self.home = home
        self.toolbox = toolbox
        self.limits = limits
        self.keys = Keys(home)
        self.quotas = Quotas(limits)
        self._planner = planner
        database = open_database(home / "jobs.sqlite", "jobs")
        self.jobs = Jobs(database, self._work, self.quotas, limits.running)
        self.store = lru_cache(maxsize=256)(self._store)

    def _store(self, owner: str) -> Store:
        """The owner's own store: what belongs to others is not in it."""
        return open_store(self.home, "" if owner == LOCAL else owner)

    def picture(self, owner: str, identity: str) -> Image:
        """A picture of this owner.

        Raises:
            InvalidInput: it has none of this id.
        """
        if not PICTURE_ID.fullmatch(identity):
            raise InvalidInput(f"no picture {identity[:64]!r}")
        return self.store(owner).get(identity)

    def upload(self, owner: str, image: Image) -> str:
        """Keep a picture that came from outside; returns its id."""
        return self.store(owner).put(image, Origin(tool="upload", libraries=libraries()))

    async def call(
        self,
        owner: str,
        name: str,
        arguments: Mapping[str, Any],
        progress: Progress | None = None,
    ) -> Record:
        """Run one tool; pictures are ids of this owner's, and so are those it gives.

        Raises:
            InvalidInput: the arguments do not fit.
            Unavailable: the tool cannot answer.
        """
        tool = self.toolbox.tool(name)
        lookup = {"pictures": lambda identity: self.picture(owner, identity)}
        try:
            request = await asyncio.to_thread(
                tool.input.model_validate, dict(arguments), context=lookup
            )
        except ValidationError as error:
            raise InvalidInput(f"{name}: {explain(error)}") from error
        tool.check(request)
        with tracing.call(name):
            output = await self.toolbox.call(name, request, progress)
        made = list(pictures_in(output))
        if made:
            shown = request.model_dump(mode="json", exclude_none=True)
            origin = Origin(
                tool=name,
                version=tool.version,
                input=shown,
                checkpoint=self.toolbox.checkpoint_digest(name),
                libraries=libraries(),
                parents=tuple(picture.id for picture in pictures_in(request)),
            )
            origins = [(p, origin.model_copy(update={"index": i})) for i, p in enumerate(made)]
            await asyncio.to_thread(self.store(owner).put_many, origins)
        return output

    def admit(self, owner: str, request: RunRequest) -> RunRequest:
        """Check a run before it is accepted, and give it its conversation.

        Raises:
            InvalidInput: a picture or the conversation is not this owner's.
        """
        store = self.store(owner)
        for identity in request.pictures:
            self.picture(owner, identity)
        conversation = request.conversation
        if conversation is None:
            conversation = store.conversation()
        store.handles(conversation)
        seconds = min(request.budget_s, self.limits.run_seconds)
        return request.model_copy(update={"conversation": conversation, "budget_s": seconds})

    async def _work(self, owner: str, text: str) -> AsyncGenerator[Event, None]:
        """The events of a run; previews are left out, since nobody keeps them."""
        request = RunRequest.model_validate_json(text)
        async with contextlib.aclosing(self.events(owner, request)) as events:
            async for event in events:
                if event.type != "preview":
                    yield event

    async def events(self, owner: str, request: RunRequest) -> AsyncGenerator[Event, None]:
        """Carry out a run."""
        store = await asyncio.to_thread(self.store, owner)
        pictures = [await asyncio.to_thread(store.get, each) for each in request.pictures]
        planner = self._planner if request.draw is None else Given("generate", request.draw)
        run = loop.run(
            request.request,
            pictures,
            toolbox=self.toolbox,
            planner=planner,
            store=store,
            seed=request.seed,
            budget_s=request.budget_s,
            loop=request.loop,
            conversation=request.conversation,
        )
        async with contextlib.aclosing(tracing.run(run)) as events:
            async for event in events:
                yield event
