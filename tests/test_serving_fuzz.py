"""The OpenAPI document, fuzzed: whatever it allows or forbids, the doors answer as it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from agent.graph import compiled
from agent.plan import Plan
from agent.planner import PlanRequest
from serving.app import build
from serving.config import Limits
from serving.front import Front
from tests.agent_drawn import Classify, Generate, Ground, HereToolbox, Vqa
from tests.agent_hands import Edit

HOST = {"host": "127.0.0.1"}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


class Silent:
    """A planner that needs no tool."""

    async def plan(self, request: PlanRequest) -> Plan:
        """The plan."""
        return Plan(reply="hello")


@pytest.fixture
def doors(tmp_path: Path) -> Any:
    compiled()  # its imports are no request's time
    limits = {"requests_per_minute": 1e6, "running": 8, "waiting": 1000}
    toolbox = HereToolbox(Generate, Ground, Vqa, Classify, Edit)
    front = Front(tmp_path, toolbox, Silent(), Limits.model_validate(limits))
    return schemathesis.openapi.from_asgi("/openapi.json", build(front), headers=HOST)


@settings(
    max_examples=4,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def fuzz(operation: Any, data: st.DataObject) -> None:
    """Ask for an operation in ways that its description allows."""
    case = data.draw(operation.as_strategy())
    case.call_and_validate(headers=HOST, checks=CHECKS, timeout=300)


def test_the_doors_answer_as_their_description_says(doors: Any) -> None:
    operations = [found.ok() for found in doors.get_all_operations()]
    assert len(operations) >= 15
    for operation in operations:
        fuzz(operation)
