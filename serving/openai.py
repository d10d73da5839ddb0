"""OpenAI: the addresses that OpenAI's clients know, answered by the agent or by one tool."""

from __future__ import annotations

import asyncio
import base64
import json
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any, Literal

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from agent.state import RunResult
from serving.front import LETTERS, Front, RunRequest
from serving.owner import Owner
from serving.pictures import from_bytes, from_url
from tools.drawing import LAST_SEED
from tools.errors import InvalidInput, Unavailable

AGENT = "sightloop"
EDIT = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["image", "prompt"],
                "properties": {
                    "image": {"type": "string", "format": "binary"},
                    "prompt": {"type": "string", "minLength": 1, "maxLength": 1000},
                },
            }
        }
    },
}  # the form is read by hand, so that it is bounded; this is how it is described


class Loose(BaseModel):
    """Clients send more than is used here."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class PictureUrl(Loose):
    """Where a picture is."""

    url: str = Field(max_length=100_000_000)


class Part(Loose):
    """A part of a message."""

    type: Literal["text", "image_url"]
    text: str = Field("", max_length=2000)
    image_url: PictureUrl | None = None


class ChatMessage(Loose):
    """A turn."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | tuple[Part, ...]


class ChatRequest(Loose):
    """What is asked of /v1/chat/completions."""

    model: str = AGENT
    messages: tuple[ChatMessage, ...] = Field(min_length=1, max_length=200)
    stream: bool = False
    seed: int = Field(0, ge=0, le=LAST_SEED - 16)


class DrawRequest(Loose):
    """What is asked of /v1/images/generations."""

    model: str = AGENT
    prompt: str = Field(min_length=1, max_length=1000)
    n: int = Field(1, ge=1, le=8)
    size: str | None = Field(None, pattern=r"^(auto|\d{2,4}x\d{2,4})$")
    response_format: Literal["b64_json"] = "b64_json"
    seed: int = Field(0, ge=0, le=LAST_SEED - 16)


def add(app: FastAPI, front: Front) -> None:
    """Add the addresses to an application."""

    @app.get("/v1/models")
    async def models(owner: Owner) -> dict[str, Any]:
        """The agent, and each tool that is alive."""
        names = (AGENT, *front.toolbox.names())
        card = {"object": "model", "created": 0, "owned_by": "sightloop"}
        return {"object": "list", "data": [{"id": name, **card} for name in names]}

    @app.post("/v1/chat/completions", response_model=None)
    async def chat(owner: Owner, asked: ChatRequest) -> Response:
        """The agent's reply to the last message, its pictures as links."""
        _known(front, asked.model)
        request = await _request(front, owner, asked)
        if asked.stream:
            return StreamingResponse(
                _chunks(front, owner, request, asked.model), media_type="text/event-stream"
            )
        result = await _result(front, owner, request)
        text = _text(result)
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return JSONResponse(_head(asked.model, "chat.completion") | {"choices": [choice]})

    @app.post("/v1/images/generations", response_model=None)
    async def generations(owner: Owner, asked: DrawRequest) -> dict[str, Any]:
        """Pictures drawn from words; by the agent, they are checked and repaired."""
        _known(front, asked.model)
        draw: dict[str, Any] = {"prompt": asked.prompt, "n": asked.n, "seed": asked.seed}
        if asked.size and asked.size != "auto":
            width, height = asked.size.split("x")
            draw |= {"width": int(width), "height": int(height)}
        if asked.model == AGENT:
            request = RunRequest(request=asked.prompt, draw=draw, seed=asked.seed)
            result = await _result(front, owner, front.admit(owner, request))
            ids = [each.id for each in result.images]
        else:
            output = await front.call(owner, asked.model, draw)
            ids = output.model_dump(mode="json").get("images", [])
        return {"created": int(time.time()), "data": [_picture(front, owner, i) for i in ids]}

    @app.post("/v1/images/edits", response_model=None, openapi_extra={"requestBody": EDIT})
    async def edits(owner: Owner, request: Request) -> dict[str, Any]:
        """A picture changed as the words say."""
        tool = front.toolbox.tool("edit")
        form = await request.form(max_files=2, max_fields=20)
        file, prompt = form.get("image"), form.get("prompt")
        if file is None or isinstance(file, str) or not isinstance(prompt, str):
            raise InvalidInput("an edit needs the file `image` and the text `prompt`")
        identity = front.upload(owner, from_bytes(await file.read(), front.limits))
        output = await front.call(owner, tool.name, {"image": identity, "instruction": prompt})
        made = output.model_dump(mode="json")["image"]
        return {"created": int(time.time()), "data": [_picture(front, owner, made)]}


def _known(front: Front, model: str) -> None:
    if model != AGENT:
        front.toolbox.tool(model)


async def _request(front: Front, owner: str, asked: ChatRequest) -> RunRequest:
    """The last message as a run; what was said before is not ours to trust, so it is left out.

    Raises:
        InvalidInput: it has no words, or comes from somebody else than the user.
    """
    last = asked.messages[-1]
    if last.role != "user":
        raise InvalidInput("the last message must be the user's")
    said = last.content
    parts = () if isinstance(said, str) else said
    texts = [said] if isinstance(said, str) else [each.text for each in said]
    words = " ".join(texts).strip()
    if not 0 < len(words) <= LETTERS:
        raise InvalidInput(f"the last message has {len(words)} letters; 1 to {LETTERS} are read")
    ids = []
    for part in parts:
        if part.type == "image_url":
            if part.image_url is None:
                raise InvalidInput("an image_url part needs image_url.url")
            image = await from_url(part.image_url.url, front.limits)
            ids.append(await asyncio.to_thread(front.upload, owner, image))
    request = RunRequest(request=words, pictures=tuple(ids), seed=asked.seed)
    if asked.model != AGENT:
        raise InvalidInput(f"chat is answered by model {AGENT!r}; tools are at /v1/tools")
    return await asyncio.to_thread(front.admit, owner, request)


async def _result(front: Front, owner: str, request: RunRequest) -> RunResult:
    """Carry out a run, as a job like any other.

    Raises:
        InvalidInput, Unavailable: it failed.
    """
    job = await front.jobs.begin(owner, request.model_dump_json())
    last: dict[str, Any] = {}
    try:
        async for _, event in front.jobs.events(owner, job.id):
            last = json.loads(event)
    finally:
        await front.jobs.cancel(owner, job.id)  # a client that hung up wants nothing any more
    return _ended(last)


def _ended(last: dict[str, Any]) -> RunResult:
    if last.get("type") == "done":
        return RunResult.model_validate(last["result"])
    if last.get("kind") == "invalid_input":
        raise InvalidInput(last["message"])
    raise Unavailable(last.get("message", "the run ended without a result"))


def _text(result: RunResult) -> str:
    """The reply as Markdown; what it quotes off a picture becomes no link of ours."""
    reply = result.reply.replace("[", r"\[")
    links = [f"![{each.handle}](/v1/pictures/{each.id})" for each in result.images]
    return "\n\n".join([reply, *links])


def _head(model: str, kind: str) -> dict[str, Any]:
    made = int(time.time())
    return {"id": f"chatcmpl-{uuid.uuid4().hex}", "object": kind, "created": made, "model": model}


async def _chunks(front: Front, owner: str, request: RunRequest, model: str) -> AsyncIterator[str]:
    """The reply as chunks; before it, what happens goes along as `sightloop` beside them."""
    head = _head(model, "chat.completion.chunk")
    job = await front.jobs.begin(owner, request.model_dump_json())

    def chunk(delta: dict[str, Any], end: str | None = None, **more: Any) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": end}
        return f"data: {json.dumps({**head, 'choices': [choice], **more})}\n\n"

    yield chunk({"role": "assistant", "content": ""})
    last: dict[str, Any] = {}
    try:
        async for _, event in front.jobs.events(owner, job.id):
            last = json.loads(event)
            if last["type"] not in ("done", "error"):
                yield chunk({}, sightloop={"type": last["type"]})
    finally:
        await front.jobs.cancel(owner, job.id)
    try:
        yield chunk({"content": _text(_ended(last))})
        yield chunk({}, "stop")
    except (InvalidInput, Unavailable) as error:
        yield chunk({"content": str(error)}, "stop")
    yield "data: [DONE]\n\n"


def _picture(front: Front, owner: str, identity: str) -> dict[str, str]:
    data = base64.b64encode(front.picture(owner, identity).png()).decode()
    return {"b64_json": data, "id": identity}
