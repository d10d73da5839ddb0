"""Run routes: runs as jobs whose events can be read again, and the conversations they belong to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import FastAPI, Header
from fastapi.responses import StreamingResponse
from pydantic import Field

from serving.answers import NotFound
from serving.front import Front, RunRequest
from serving.jobs import Job
from serving.owner import Owner
from tools.base import Record
from tools.errors import InvalidInput

STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}
}


class Accepted(Record):
    """A run that was taken on."""

    id: str
    conversation: str
    events: str = Field(description="where its events are streamed")


class Said(Record):
    """One turn of a conversation."""

    role: str
    text: str


class ConversationCard(Record):
    """A conversation: what was said, and its pictures by handle."""

    id: str
    messages: tuple[Said, ...]
    pictures: dict[str, str]


def add(app: FastAPI, front: Front) -> None:
    """Add the routes to an application."""

    @app.post("/v1/runs", status_code=202)
    async def begin(owner: Owner, wanted: RunRequest) -> Accepted:
        """Take a run on; it goes on whether or not somebody watches."""
        request = await asyncio.to_thread(front.admit, owner, wanted)
        job = await front.jobs.begin(owner, request.model_dump_json())
        assert request.conversation is not None
        where = f"/v1/runs/{job.id}/events"
        return Accepted(id=job.id, conversation=request.conversation, events=where)

    @app.get("/v1/runs/{identity}")
    async def state(owner: Owner, identity: str) -> Job:
        """How far a run is."""
        return await _job(front, owner, identity)

    @app.post("/v1/runs/{identity}/cancel")
    async def cancel(owner: Owner, identity: str) -> Job:
        """Stop a run; what was drawn by then is kept."""
        job = await _job(front, owner, identity)
        return await front.jobs.cancel(owner, job.id)

    @app.get("/v1/runs/{identity}/events", response_class=StreamingResponse, responses=STREAM)
    async def events(
        owner: Owner,
        identity: str,
        last_event_id: Annotated[str, Header(pattern=r"^\d{1,9}$")] = "0",
    ) -> StreamingResponse:
        """Server-sent events, from the one after `Last-Event-ID` to the end of the run."""
        job = await _job(front, owner, identity)
        stream = _lines(front, owner, job.id, int(last_event_id))
        return StreamingResponse(stream, media_type="text/event-stream")

    @app.post("/v1/conversations", status_code=201)
    async def converse(owner: Owner) -> ConversationCard:
        """Begin a conversation."""
        return await asyncio.to_thread(_conversation, front, owner, None)

    @app.get("/v1/conversations/{identity}")
    async def conversation(owner: Owner, identity: str) -> ConversationCard:
        """What was said in a conversation, and its pictures."""
        try:
            return await asyncio.to_thread(_conversation, front, owner, identity)
        except InvalidInput as error:
            raise NotFound(f"no conversation {identity[:64]!r}") from error


async def _job(front: Front, owner: str, identity: str) -> Job:
    try:
        return await front.jobs.get(owner, identity)
    except InvalidInput as error:
        raise NotFound(str(error)) from error


async def _lines(front: Front, owner: str, identity: str, after: int) -> AsyncIterator[str]:
    async for number, event in front.jobs.events(owner, identity, after):
        yield f"id: {number}\nevent: {json.loads(event)['type']}\ndata: {event}\n\n"


def _conversation(front: Front, owner: str, known: str | None) -> ConversationCard:
    """A conversation's card; of a new one where none is known."""
    store = front.store(owner)
    identity = known or store.conversation()
    handles = store.handles(identity)
    said = tuple(Said(role=each.role, text=each.text) for each in store.history(identity))
    return ConversationCard(id=identity, messages=said, pictures=handles)
