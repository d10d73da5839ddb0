"""Spans: what a collector is told of a request and of a run, and what it is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.testclient import TestClient

from serving import tracing
from serving.app import build
from serving.config import Limits
from serving.front import Front
from tests.agent_drawn import Classify, Generate, Ground, HereToolbox, Scripted, Vqa

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("sightloop"))
    yield kept
    provider.shutdown()


def test_a_run_is_a_span_with_its_calls_in_it_and_holds_no_words(
    spans: InMemorySpanExporter, tmp_path: Path
) -> None:
    toolbox = HereToolbox(Generate, Ground, Vqa, Classify)
    front = Front(tmp_path, toolbox, Scripted(), Limits.model_validate({}))
    with TestClient(build(front), base_url="http://127.0.0.1:8000") as client:
        drawn = {"request": "a red box", "draw": {"prompt": "a red box"}}
        begun = client.post("/v1/runs", json=drawn, headers={"traceparent": PARENT}).json()
        client.get(begun["events"])
    found: dict[str, Any] = {span.name: span for span in spans.get_finished_spans()}
    asked, run, tool = (found[name] for name in ("POST /v1/runs", "run", "tool generate"))
    assert trace.format_span_id(asked.parent.span_id) == PARENT.split("-")[2], "the caller's"
    assert run.parent.span_id == asked.context.span_id
    assert tool.parent.span_id == run.context.span_id
    assert tool.end_time > tool.start_time
    assert found["GET /v1/runs/{identity}/events"].attributes["http.response.status_code"] == 200
    told = " ".join(span.to_json() for span in found.values())
    assert "red box" not in told
    assert begun["id"] not in told


def test_nothing_is_sent_where_no_collector_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(tracing.COLLECTOR, raising=False)
    before = trace.get_tracer_provider()
    tracing.begin()
    assert trace.get_tracer_provider() is before
