"""Formats: lines of the three public kinds are read, and plans for them scored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from agent.plan import Call, Plan
from benchmarks import formats
from tests.agent_drawn import Scripted

TASKBENCH: dict[str, Any] = {
    "id": "1",
    "user_request": "Find a photo of a cat and describe it.",
    "task_nodes": json.dumps(
        [
            {"task": "Image Search", "arguments": [{"name": "query", "value": "a cat"}]},
            {"task": "Image-to-Text", "arguments": [{"name": "image", "value": "<node-0>"}]},
        ]
    ),
    "task_links": json.dumps([{"source": "Image Search", "target": "Image-to-Text"}]),
}
TOOLS: list[dict[str, Any]] = [
    {"id": "Image Search", "desc": "finds", "parameters": [{"name": "query", "type": "string"}]},
    {"id": "Image-to-Text", "desc": "tells", "parameters": [{"name": "image", "type": "string"}]},
]
FUNCTION: dict[str, Any] = {
    "name": "area",
    "description": "of a triangle",
    "parameters": {
        "type": "dict",
        "properties": {"base": {"type": "integer"}},
        "required": ["base"],
    },
}
BFCL: list[dict[str, Any]] = [
    {"id": "a", "question": [[{"role": "user", "content": "Area?"}]], "function": [FUNCTION]},
    {"id": "b", "question": [[{"role": "user", "content": "Hello"}]], "function": [FUNCTION]},
]
ANSWERS: list[dict[str, Any]] = [{"id": "a", "ground_truth": [{"area": {"base": [10, 10.0]}}]}]
NESTFUL: dict[str, Any] = {
    "sample_id": "n",
    "input": "Add two and three, then double it.",
    "output": [
        {"name": "add", "label": "$var_1", "arguments": {"x": 2, "y": 3}},
        {"name": "double", "label": "$var_2", "arguments": {"x": "$var_1.result$"}},
    ],
    "tools": [{"name": "add", "parameters": {}}, {"name": "double", "parameters": {}}],
}


def call(identity: str, tool: str, **given: Any) -> Call:
    return Call(id=identity, tool=tool, input=given)


async def test_taskbench_counts_nodes_edges_and_arguments() -> None:
    cases = formats.taskbench([TASKBENCH], TOOLS)
    right = Plan(
        calls=(
            call("c1", "Image Search", query="A cat"),
            call("c2", "Image-to-Text", image="@c1.images[0]"),
        )
    )
    found = formats.figures(await formats.measure(cases, Scripted(right)))
    assert found == {
        "cases": 1,
        "node_f1": 1.0,
        "edge_f1": 1.0,
        "argument_f1": 1.0,
        "abstention": None,
    }
    half = Plan(calls=(call("c1", "Image Search", query="a dog"),))
    found = formats.figures(await formats.measure(cases, Scripted(half)))
    assert (found["node_f1"], found["edge_f1"], found["argument_f1"]) == (2 / 3, 0.0, 0.0)


async def test_bfcl_has_several_right_values_and_cases_without_a_call() -> None:
    cases = formats.bfcl(BFCL, ANSWERS)
    planner = Scripted(Plan(calls=(call("c1", "area", base=10),)), Plan(reply="Hello!"))
    found = formats.figures(await formats.measure(cases, planner))
    assert (found["node_f1"], found["argument_f1"], found["abstention"]) == (1.0, 1.0, 1.0)


async def test_nestful_names_outputs_by_label() -> None:
    cases = formats.nestful([NESTFUL], [])
    assert cases[0].edges == {("add", "double")}
    plan = Plan(calls=(call("c1", "add", x=2, y=3), call("c2", "double", x="@c1.result")))
    found = formats.figures(await formats.measure(cases, Scripted(plan)))
    assert (found["node_f1"], found["edge_f1"], found["argument_f1"]) == (1.0, 1.0, 1.0)


def test_files_are_read_as_lines_list_or_graph(tmp_path: Path) -> None:
    file = tmp_path / "data"
    for text in (
        json.dumps(TOOLS),
        "\n".join(map(json.dumps, TOOLS)),
        json.dumps({"nodes": TOOLS}),
    ):
        file.write_text(text)
        assert formats.lines_of(file) == TOOLS


def test_described_tools_can_be_shown_to_a_language_model() -> None:
    from agent.language import function

    toolbox = formats.Strangers([*TOOLS, FUNCTION])
    shown = function(toolbox.tool("area"))["function"]
    assert shown["description"] == "of a triangle"
    assert shown["parameters"]["required"] == ["base"]
