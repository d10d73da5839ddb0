"""App: the HTTP doors, an ASGI application over a `Front`; it does not know Ray."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from fastapi import FastAPI, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from pydantic import Field, JsonValue
from starlette.exceptions import HTTPException

from serving import openai
from serving.doors import Refused, TooMuch
from serving.front import Front, RunRequest
from serving.jobs import Job
from serving.owner import Owner
from serving.pictures import TooLarge, from_bytes
from serving.toolbox import Busy
from tools.base import Record
from tools.errors import InvalidInput, ToolError, Unavailable
from tools.values import Image

log = logging.getLogger(__name__)

JSON_BYTES = 2**20
Next = Callable[[Request], Awaitable[Response]]
Format = Literal["png", "jpeg", "webp"]


class Uploaded(Record):
    """A picture that was taken in."""

    id: str
    width: int
    height: int


class Accepted(Record):
    """A run that was taken on."""

    id: str
    conversation: str
    events: str = Field(description="where its events are streamed")


class ToolCard(Record):
    """What a tool takes and gives."""

    name: str
    description: str
    input: dict[str, JsonValue]
    output: dict[str, JsonValue]


class ToolList(Record):
    """The tools that are alive, and the others with the reason."""

    tools: tuple[ToolCard, ...]
    absent: dict[str, str]


class Said(Record):
    """One turn of a conversation."""

    role: str
    text: str


class ConversationCard(Record):
    """A conversation: what was said, and its pictures by handle."""

    id: str
    messages: tuple[Said, ...]
    pictures: dict[str, str]


class Problem(Record):
    """What went wrong; the shape that OpenAI's clients read."""

    code: str
    message: str
    type: str
    param: str | None = None
    request_id: str


class Error(Record):
    """The body of every answer that is an error."""

    error: Problem


def build(front: Front) -> FastAPI:
    """The application."""
    errors: dict[int | str, dict[str, Any]] = {
        code: {"model": Error} for code in (400, 401, 403, 404, 413, 415, 422, 429, 503)
    }
    app = FastAPI(title="Sightloop", docs_url=None, redoc_url=None, responses=errors)
    registry = CollectorRegistry()
    _guard(app, front, registry)
    _answer_errors(app)
    _health(app, front, registry)
    _pictures(app, front)
    _tools(app, front)
    _runs(app, front)
    openai.add(app, front)
    return app


def _guard(app: FastAPI, front: Front, registry: CollectorRegistry) -> None:
    """Keys, quotas, sizes and foreign web pages, before anything is read."""
    count = Counter("sightloop_requests", "Requests.", ["method", "code"], registry=registry)
    seconds = Histogram("sightloop_request_seconds", "Time to answer.", registry=registry)
    open_paths = ("/healthz", "/readyz")

    @app.middleware("http")
    async def guard(request: Request, follow: Next) -> Response:
        request.state.id = uuid.uuid4().hex
        started = time.perf_counter()
        try:
            _refuse_foreign_pages(request, keyless=not front.keys.all())
            if request.url.path not in open_paths:
                request.state.owner = front.keys.owner(request.headers.get("authorization"))
                front.quotas.request(request.state.owner)
            await _bounded(request, front)
            response = await follow(request)
        except ToolError as error:
            response = problem(request, error)
        response.headers["x-request-id"] = request.state.id
        response.headers["x-content-type-options"] = "nosniff"
        count.labels(request.method, response.status_code).inc()
        seconds.observe(time.perf_counter() - started)
        return response


def _refuse_foreign_pages(request: Request, *, keyless: bool) -> None:
    """A web page in the browser of this machine must not reach doors that ask for no key.

    Raises:
        Refused: the host's name is not this machine (DNS rebinding), or another origin asks.
    """
    if not keyless:
        return
    name = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    if not _is_loopback(name):
        raise Foreign("without keys only this machine is served, as localhost or 127.0.0.1")
    origin = request.headers.get("origin")
    if origin is not None and not _is_loopback(urlsplit(origin).hostname or ""):
        raise Foreign("pages of other origins may not ask")


def _is_loopback(name: str) -> bool:
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


class Foreign(ToolError):  # noqa: N818 - it says who asked
    """A request that came by way of somebody else's web page."""


async def _bounded(request: Request, front: Front) -> None:
    """Refuse what is too long, by its header before it is read, by counting while it is.

    Raises:
        TooLarge: it is.
    """
    kind = request.headers.get("content-type", "")
    json_body = kind.startswith("application/json") and "/v1/chat" not in request.url.path
    most = JSON_BYTES if json_body else int(front.limits.upload_mib * 2**20 * 1.5)
    if request.headers.get("content-encoding", "identity") != "identity":
        raise TooLarge("compressed bodies are not read")
    said = request.headers.get("content-length", "0")
    if not said.isdigit() or int(said) > most:
        raise TooLarge(f"at most {most} bytes are read")
    if request.method in ("POST", "PUT", "PATCH") and "content-length" not in request.headers:
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > most:
                raise TooLarge(f"at most {most} bytes are read")
        request._body = bytes(body)  # where Starlette keeps a body that was read


def problem(request: Request, error: ToolError) -> JSONResponse:
    """An error of ours as an answer."""
    code, name = 422, "invalid_input"
    headers = {}
    if isinstance(error, Refused):
        code, name, headers = 401, "no_key", {"www-authenticate": "Bearer"}
    elif isinstance(error, Foreign):
        code, name = 403, "foreign_page"
    elif isinstance(error, TooLarge):
        code, name = 413, "too_large"
    elif isinstance(error, TooMuch):
        code, name = 429, "too_much"
        headers = {"retry-after": str(max(1, round(error.retry_s)))}
    elif isinstance(error, Busy):
        code, name, headers = 503, "busy", {"retry-after": "1"}
    elif isinstance(error, Unavailable):
        code, name = 503, "unavailable"
    elif isinstance(error, NotFound):
        code, name = 404, "not_found"
    return _body(request, code, name, str(error), headers)


class NotFound(InvalidInput):
    """Nothing of this name belongs to whoever asks."""


def _body(
    request: Request, code: int, name: str, message: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    kind = "server_error" if code >= 500 else "invalid_request_error"
    body = Error(
        error=Problem(
            code=name, message=message, type=kind, request_id=getattr(request.state, "id", "")
        )
    )
    return JSONResponse(body.model_dump(), code, headers)


def _answer_errors(app: FastAPI) -> None:
    @app.exception_handler(ToolError)
    async def of_a_tool(request: Request, error: ToolError) -> JSONResponse:
        return problem(request, error)

    @app.exception_handler(RequestValidationError)
    async def of_the_arguments(request: Request, error: RequestValidationError) -> JSONResponse:
        lines = [
            f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}"
            for each in error.errors()[:10]
        ]
        return _body(request, 422, "invalid_input", "; ".join(lines)[:1000])

    @app.exception_handler(HTTPException)
    async def of_the_way(request: Request, error: HTTPException) -> JSONResponse:
        headers = dict(error.headers or {})
        return _body(request, error.status_code, "http", str(error.detail), headers)

    @app.exception_handler(Exception)
    async def of_ours(request: Request, error: Exception) -> JSONResponse:
        log.error("request %s failed", request.state.id, exc_info=error)
        return _body(request, 500, "fault", "a fault of the server; it is in the log")


def _health(app: FastAPI, front: Front, registry: CollectorRegistry) -> None:
    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Whether the process answers."""
        return {"status": "ok"}

    @app.get("/readyz")
    async def readyz() -> dict[str, str]:
        """Whether there is a tool to work with."""
        if not front.toolbox.names():
            raise Unavailable("no tool is alive")
        return {"status": "ready"}

    @app.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """Counts and times for Prometheus."""
        return Response(generate_latest(registry), media_type="text/plain; version=0.0.4")


def _pictures(app: FastAPI, front: Front) -> None:
    body = {"content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}}

    @app.post("/v1/pictures", status_code=201, openapi_extra={"requestBody": body})
    async def upload(request: Request, owner: Owner) -> Uploaded:
        """Take a picture in: the bytes of a PNG, JPEG, WEBP, GIF, BMP or TIFF file."""
        image = await asyncio.to_thread(from_bytes, await request.body(), front.limits)
        identity = await asyncio.to_thread(front.upload, owner, image)
        return Uploaded(id=identity, width=image.width, height=image.height)

    @app.get("/v1/pictures/{identity}", response_class=Response)
    async def picture(
        owner: Owner,
        identity: str,
        format: Format = "png",  # noqa: A002 - its name in the address
        side: Annotated[int | None, Query(ge=8, le=4096)] = None,
    ) -> Response:
        """A picture; with `side`, scaled down so that neither side is longer."""
        image = await asyncio.to_thread(_own, front, owner, identity)
        data = await asyncio.to_thread(encoded, image, format, side)
        kept = {"cache-control": "private, max-age=31536000, immutable"}
        return Response(data, media_type=f"image/{format}", headers=kept)


def _own(front: Front, owner: str, identity: str) -> Image:
    try:
        return front.picture(owner, identity)
    except InvalidInput as error:
        raise NotFound(str(error)) from error


def encoded(image: Image, format: Format, side: int | None) -> bytes:  # noqa: A002
    """A picture as a file, scaled down where `side` is shorter than it is."""
    import io

    if format == "png" and side is None:
        return image.png()
    picture = image.to_pil()
    if side is not None:
        picture.thumbnail((side, side))
    buffer = io.BytesIO()
    picture.save(buffer, format=format.upper())
    return buffer.getvalue()


def _tools(app: FastAPI, front: Front) -> None:
    @app.get("/v1/tools")
    async def tools(owner: Owner) -> ToolList:
        """What each tool takes and gives; pictures are ids."""
        cards = tuple(_card(front, name) for name in front.toolbox.names())
        return ToolList(tools=cards, absent=getattr(front.toolbox, "absent", dict)())

    @app.post("/v1/tools/{name}")
    async def call(
        owner: Owner, name: str, arguments: dict[str, JsonValue]
    ) -> dict[str, JsonValue]:
        """Run one tool by itself."""
        if name not in front.toolbox.names():
            front.toolbox.tool(name)  # says why
        front.quotas.enter(owner)
        started = time.monotonic()
        try:
            output = await front.call(owner, name, arguments)
        finally:
            front.quotas.leave(owner, time.monotonic() - started)
        result: dict[str, JsonValue] = output.model_dump(mode="json")
        return result


def _card(front: Front, name: str) -> ToolCard:
    tool = front.toolbox.tool(name)
    return ToolCard(
        name=name,
        description=tool.description,
        input=tool.input.model_json_schema(),
        output=tool.output.model_json_schema(),
    )


def _runs(app: FastAPI, front: Front) -> None:
    @app.post("/v1/runs", status_code=202)
    async def begin(owner: Owner, wanted: RunRequest) -> Accepted:
        """Take a run on; it goes on whether or not somebody watches."""
        request = await asyncio.to_thread(front.admit, owner, wanted)
        job = front.jobs.begin(owner, request.model_dump_json())
        assert request.conversation is not None
        where = f"/v1/runs/{job.id}/events"
        return Accepted(id=job.id, conversation=request.conversation, events=where)

    @app.get("/v1/runs/{identity}")
    async def state(owner: Owner, identity: str) -> Job:
        """How far a run is."""
        return _job(front, owner, identity)

    @app.post("/v1/runs/{identity}/cancel")
    async def cancel(owner: Owner, identity: str) -> Job:
        """Stop a run; what was drawn by then is kept."""
        return front.jobs.cancel(owner, _job(front, owner, identity).id)

    @app.get("/v1/runs/{identity}/events", response_class=StreamingResponse)
    async def events(
        owner: Owner,
        identity: str,
        last_event_id: Annotated[str, Header(pattern=r"^\d{1,9}$")] = "0",
    ) -> StreamingResponse:
        """Server-sent events, from the one after `Last-Event-ID` to the end of the run."""
        job = _job(front, owner, identity)
        stream = _lines(front, owner, job.id, int(last_event_id))
        return StreamingResponse(stream, media_type="text/event-stream")

    @app.post("/v1/conversations", status_code=201)
    async def converse(owner: Owner) -> ConversationCard:
        """Begin a conversation."""
        return _conversation(front, owner, front.store(owner).conversation())

    @app.get("/v1/conversations/{identity}")
    async def conversation(owner: Owner, identity: str) -> ConversationCard:
        """What was said in a conversation, and its pictures."""
        try:
            return _conversation(front, owner, identity)
        except InvalidInput as error:
            raise NotFound(str(error)) from error


def _job(front: Front, owner: str, identity: str) -> Job:
    try:
        return front.jobs.get(owner, identity)
    except InvalidInput as error:
        raise NotFound(str(error)) from error


async def _lines(front: Front, owner: str, identity: str, after: int) -> AsyncIterator[str]:
    async for number, event in front.jobs.events(owner, identity, after):
        yield f"id: {number}\nevent: {json.loads(event)['type']}\ndata: {event}\n\n"


def _conversation(front: Front, owner: str, identity: str) -> ConversationCard:
    store = front.store(owner)
    handles = store.handles(identity)
    said = tuple(Said(role=each.role, text=each.text) for each in store.history(identity))
    return ConversationCard(id=identity, messages=said, pictures=handles)
