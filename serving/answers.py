"""Answers: how each error becomes an answer over HTTP, in the shape that OpenAI's clients read."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from agent.database import StoreAway
from serving.doors import Refused, TooMuch
from serving.pictures import TooLarge
from serving.toolbox import Busy
from tools.base import Record
from tools.errors import InvalidInput, ToolError, Unavailable

log = logging.getLogger(__name__)


class Foreign(ToolError):  # noqa: N818 - it says who asked
    """A request that came by way of somebody else's web page."""


class NotFound(InvalidInput):
    """Nothing of this name belongs to whoever asks."""


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
    elif isinstance(error, StoreAway):
        log.error("request %s failed: %s", getattr(request.state, "id", ""), error)
        text = "the store cannot be used at the moment; the log says why"
        return _body(request, 503, "unavailable", text, {"retry-after": "5"})
    elif isinstance(error, Unavailable):
        code, name = 503, "unavailable"
    elif isinstance(error, NotFound):
        code, name = 404, "not_found"
    return _body(request, code, name, str(error), headers)


def add(app: FastAPI) -> None:
    """Let an application answer every error so."""

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
