"""Tracing: spans of requests, runs and tool calls (OpenTelemetry).

Spans cost nothing until a provider of them is set, by `begin` or by whoever embeds this. They hold
names, times and numbers: no words, no pictures, no keys.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.propagate import extract
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from agent.events import Done, Event, Failed, ToolFinished
from tools.errors import Unavailable

COLLECTOR = "OTEL_EXPORTER_OTLP_ENDPOINT"  # the standard's own variable, as those it goes with
_tracer = trace.get_tracer("sightloop")


def begin() -> None:
    """Send the spans of this process to a collector, where the environment names one.

    Raises:
        Unavailable: it does, and the exporter is not installed.
    """
    if not os.environ.get(COLLECTOR):
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError as error:
        raise Unavailable(
            f"{COLLECTOR} is set and there is nothing to send spans with; "
            "pip install 'sightloop[tracing]'"
        ) from error
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": "sightloop"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


@contextmanager
def request(method: str, headers: Mapping[str, str]) -> Iterator[Span]:
    """A span of one HTTP request, under the caller's if it sent one (W3C trace context)."""
    with _tracer.start_as_current_span(
        method, extract(headers), SpanKind.SERVER, {"http.request.method": method}
    ) as span:
        yield span


def answered(span: Span, method: str, route: str | None, code: int) -> None:
    """Name a request's span by its route, not by its path: paths hold ids."""
    if route:
        span.update_name(f"{method} {route}")
        span.set_attribute("http.route", route)
    span.set_attribute("http.response.status_code", code)
    if code >= 500:
        span.set_status(Status(StatusCode.ERROR))


@contextmanager
def call(tool: str) -> Iterator[None]:
    """A span of one call of a tool."""
    with _tracer.start_as_current_span(f"tool {tool}", record_exception=False):
        yield


async def run(events: AsyncIterator[Event]) -> AsyncGenerator[Event, None]:
    """The events of a run as they are, in a span with one for each call of its plan."""
    span = _tracer.start_span("run")
    inside = trace.set_span_in_context(span)
    try:
        async for event in events:
            if isinstance(event, ToolFinished):
                now = time.time_ns()
                began = now - int(event.record.seconds * 1e9)
                one = _tracer.start_span(f"tool {event.record.tool}", inside, start_time=began)
                if event.status != "done":
                    one.set_status(Status(StatusCode.ERROR, event.status))
                one.end(now)
            elif isinstance(event, Done):
                span.set_attribute("sightloop.stopped", event.result.stopped)
            elif isinstance(event, Failed):
                span.set_status(Status(StatusCode.ERROR, event.kind))
            yield event
    finally:
        if isinstance(events, AsyncGenerator):
            await events.aclose()  # a run that nobody watches is cancelled, not left to chance
        span.end()
