"""App: the HTTP doors, an ASGI application over a `Front`; it does not know Ray."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Response
from prometheus_client import CollectorRegistry, generate_latest

from serving import answers, guard, openai, picture_routes, run_routes, tool_routes
from serving.front import Front
from tools.errors import Unavailable


def build(front: Front) -> FastAPI:
    """The application."""
    errors: dict[int | str, dict[str, Any]] = {
        code: {"model": answers.Error} for code in (400, 401, 403, 404, 413, 415, 422, 429, 503)
    }
    app = FastAPI(title="Sightloop", docs_url=None, redoc_url=None, responses=errors)
    registry = CollectorRegistry()
    guard.add(app, front, registry)
    answers.add(app)
    _health(app, front, registry)
    for routes in (picture_routes, tool_routes, run_routes, openai):
        routes.add(app, front)
    return app


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
