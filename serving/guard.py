"""Guard: keys, quotas, sizes and foreign web pages, before anything of a request is read."""

from __future__ import annotations

import ipaddress
import time
import uuid
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response
from prometheus_client import CollectorRegistry, Counter, Histogram

from serving import tracing
from serving.answers import Foreign, problem
from serving.front import Front
from serving.pictures import TooLarge
from tools.errors import ToolError

JSON_BYTES = 2**20
OPEN = ("/healthz", "/readyz")  # what a supervisor asks without a key
Next = Callable[[Request], Awaitable[Response]]


def add(app: FastAPI, front: Front, registry: CollectorRegistry) -> None:
    """Let everything pass the guard, and count it."""
    count = Counter("sightloop_requests", "Requests.", ["method", "code"], registry=registry)
    seconds = Histogram("sightloop_request_seconds", "Time to answer.", registry=registry)

    @app.middleware("http")
    async def guard(request: Request, follow: Next) -> Response:
        request.state.id = uuid.uuid4().hex
        started = time.perf_counter()
        with tracing.request(request.method, request.headers) as span:
            try:
                _refuse_foreign_pages(request, keyless=not front.keys.all())
                if request.url.path not in OPEN:
                    request.state.owner = front.keys.owner(request.headers.get("authorization"))
                    front.quotas.request(request.state.owner)
                await _bounded(request, front)
                response = await follow(request)
            except ToolError as error:
                response = problem(request, error)
            route = getattr(request.scope.get("route"), "path", None)
            tracing.answered(span, request.method, route, response.status_code)
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
