"""Formats: readers for public tool-calling test files, and how well a planner does on them.

    python -m benchmarks.formats --format taskbench data.jsonl tools.json --llm openai:gpt-5

TaskBench (Shen et al. 2023, arXiv:2311.18760), BFCL (Patil et al. 2025) and NESTFUL (Basu et al.
2024, arXiv:2409.03797) as JSON lines; none of their data comes with this program. Their tools are
not ours: they are stood in for by records made from their schemas, and nothing is run. Reported
are F1 of nodes (tools called), edges (which call's output goes into which), arguments (name and
value), and how often no call is made where none is right.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import create_model

from agent.plan import Call
from agent.planner import Planner, PlanRequest
from benchmarks import report
from benchmarks.bench import Bench
from tools.base import NoOptions, Progress, Record, Tool
from tools.errors import InvalidInput, ToolError, Unavailable

BENCH = Bench(
    seeds="the cases of the file in order; greedy decoding where the model has it",
    higher=("node_f1", "edge_f1", "argument_f1", "abstention"),
    needs="--format F --llm M DATA.jsonl [TOOLS.json]",
)
TYPES: Mapping[str, Any] = {
    "string": str,
    "integer": int,
    "number": float,
    "float": float,
    "boolean": bool,
    "array": list[Any],
    "list": list[Any],
    "object": dict[str, Any],
    "dict": dict[str, Any],
}


@dataclass(frozen=True)
class Node:
    """One call that a right plan makes; a value "@N" stands for what call N gives."""

    tool: str
    arguments: dict[str, Any] = field(default_factory=dict)
    """Argument name to its value, or to a list of values that are all right."""


@dataclass(frozen=True)
class Case:
    """One request with the tools that may be used and the calls that are right."""

    id: str
    request: str
    nodes: tuple[Node, ...]
    edges: frozenset[tuple[str, str]]
    functions: tuple[dict[str, Any], ...]


def taskbench(lines: Sequence[dict[str, Any]], functions: Sequence[dict[str, Any]]) -> list[Case]:
    """TaskBench: `user_request`, `task_nodes`, `task_links`; tools from its graph description."""
    cases = []
    for line in lines:
        nodes = _held(line.get("task_nodes") or line.get("sampled_nodes") or [])
        links = _held(line.get("task_links") or line.get("sampled_links") or [])
        made = []
        for node in nodes:
            given = node.get("arguments") or []
            arguments = {
                str(one["name"]): one["value"]
                for one in given
                if isinstance(one, dict) and "name" in one and "value" in one
            }
            made.append(Node(str(node["task"]), arguments))
        edges = frozenset((str(link["source"]), str(link["target"])) for link in links)
        request = str(line.get("user_request") or line.get("instruction"))
        cases.append(Case(str(line.get("id")), request, tuple(made), edges, tuple(functions)))
    return cases


def bfcl(lines: Sequence[dict[str, Any]], answers: Sequence[dict[str, Any]]) -> list[Case]:
    """BFCL: `question` turns, `function` schemas; `ground_truth` in lines of a second file.

    A case of the irrelevance categories has no answer: no call is right.
    """
    truth = {str(one["id"]): one["ground_truth"] for one in answers}
    cases = []
    for line in lines:
        turns = line["question"]
        last = turns[0] if turns and isinstance(turns[0], list) else turns
        request = " ".join(str(one["content"]) for one in last if one["role"] == "user")
        nodes = tuple(
            Node(name, dict(arguments))
            for call in truth.get(str(line["id"]), [])
            for name, arguments in call.items()
        )
        functions = tuple(_held(line["function"]))
        cases.append(Case(str(line["id"]), request, nodes, frozenset(), functions))
    return cases


def nestful(lines: Sequence[dict[str, Any]], _: Sequence[dict[str, Any]]) -> list[Case]:
    """NESTFUL: `input`, `output` calls whose arguments name `$label.field$`, `tools`."""
    cases: list[Case] = []
    for line in lines:
        calls = _held(line["output"])
        labels = {str(call.get("label", "")).strip("$"): str(call["name"]) for call in calls}
        nodes, edges = [], set()
        for call in calls:
            arguments = dict(call.get("arguments") or {})
            for name, value in arguments.items():
                if found := re.fullmatch(r"\$(\w+?)(?:\.[^$]*)?\$", str(value)):
                    arguments[name] = "@"
                    edges.add((labels.get(found[1], found[1]), str(call["name"])))
            nodes.append(Node(str(call["name"]), arguments))
        functions = tuple(_held(line["tools"]))
        identity = str(line.get("sample_id", len(cases)))
        cases.append(Case(identity, str(line["input"]), tuple(nodes), frozenset(edges), functions))
    return cases


READERS: dict[str, Callable[..., list[Case]]] = {
    "taskbench": taskbench,
    "bfcl": bfcl,
    "nestful": nestful,
}


def _held(value: Any) -> Any:
    """A value that some files hold as JSON text."""
    return json.loads(value) if isinstance(value, str) else value


# stand-ins for tools that are not ours


class Stranger(Tool[Any, Any]):
    """A tool that is only described."""

    options_type = NoOptions

    def __init__(self, function: Mapping[str, Any]) -> None:
        super().__init__()
        self.about = str(function.get("description") or function.get("desc") or "")
        self.input = _record(function)
        self.output = _Anything

    @property
    def description(self) -> str:
        return self.about

    def load(self, checkpoint: str, device: str, dtype: str) -> None:
        raise Unavailable("this tool is only described")

    def answer(self, requests: Sequence[Any], progress: Progress | None) -> list[Any]:
        raise Unavailable("this tool is only described")


class _Anything(Record):
    output: Any = None
    result: Any = None
    text: str = ""
    images: tuple[str, ...] = ()


def _record(function: Mapping[str, Any]) -> type[Record]:
    given = function.get("parameters") or function.get("input-type") or {}
    properties = given.get("properties", given) if isinstance(given, dict) else {}
    if isinstance(given, list):  # TaskBench: a list of types, or of named parameters
        properties = {
            (one["name"] if isinstance(one, dict) else f"input{number}"): one
            for number, one in enumerate(given)
        }
    required = given.get("required", ()) if isinstance(given, dict) else ()
    fields: dict[str, Any] = {}
    for name, schema in properties.items():
        kind = TYPES.get(str(schema.get("type")) if isinstance(schema, dict) else "string", Any)
        fields[str(name)] = (kind, ...) if name in required else (kind | None, None)
    made: type[Record] = create_model(str(_name(function)), __base__=Record, **fields)
    return made


def _name(function: Mapping[str, Any]) -> str:
    return str(function.get("name") or function.get("id"))


class Strangers:
    """A toolbox of tools that are only described."""

    def __init__(self, functions: Sequence[Mapping[str, Any]]) -> None:
        self._tools: dict[str, Stranger] = {}
        for function in functions:
            name = _name(function)
            kind = type(name, (Stranger,), {"name": name})
            self._tools[name] = kind(function)

    def names(self) -> list[str]:
        return sorted(self._tools)

    def tool(self, name: str) -> Tool[Any, Any]:
        if name not in self._tools:
            raise InvalidInput(f"no tool {name!r}; there are: {', '.join(self.names())}")
        return self._tools[name]

    def checkpoint_digest(self, name: str) -> str:
        return ""

    async def call(self, name: str, input: Record, progress: Progress | None = None) -> Record:  # noqa: A002
        raise Unavailable("these tools are only described")

    async def call_many(
        self, name: str, inputs: Sequence[Record], progress: Progress | None = None
    ) -> list[Record | ToolError]:
        return [Unavailable("these tools are only described") for _ in inputs]


# scores


def counts(case: Case, calls: Sequence[Call]) -> dict[str, tuple[int, int, int]]:
    """Right, made and wanted nodes, edges and arguments of one case."""
    names = {call.id: call.tool for call in calls}
    made_edges = {(names.get(need, need), call.tool) for call in calls for need in call.needs()}
    nodes = Counter(call.tool for call in calls), Counter(node.tool for node in case.nodes)
    right, made, wanted = 0, 0, 0
    waiting = list(calls)
    for node in case.nodes:
        wanted += len(node.arguments)
        call = next((one for one in waiting if one.tool == node.tool), None)
        if call is not None:
            waiting.remove(call)
            right += sum(
                name in call.input and _fits(call.input[name], value)
                for name, value in node.arguments.items()
            )
    made = sum(len(call.input) for call in calls)
    return {
        "node": ((nodes[0] & nodes[1]).total(), nodes[0].total(), nodes[1].total()),
        "edge": (len(made_edges & case.edges), len(made_edges), len(case.edges)),
        "argument": (right, made, wanted),
    }


def _fits(given: Any, wanted: Any) -> bool:
    """Whether a value is the wanted one, or one of several that are."""
    if isinstance(given, str) and given.startswith("@"):
        return isinstance(wanted, str) and (wanted.startswith("@") or "<node" in wanted)
    options = wanted if isinstance(wanted, list) else [wanted]
    return given == wanted or any(_plain(given) == _plain(option) for option in options)


def _plain(value: Any) -> str:
    return str(value).strip().lower()


def figures(scored: Sequence[tuple[Case, Sequence[Call]]]) -> dict[str, Any]:
    """F1 of nodes, edges and arguments over all cases, and abstention, 0..1."""
    sums: dict[str, list[int]] = {}
    for case, calls in scored:
        for kind, numbers in counts(case, calls).items():
            sums[kind] = [a + b for a, b in zip(sums.get(kind, [0, 0, 0]), numbers, strict=True)]
    f1 = {
        f"{kind}_f1": 2 * right / (made + wanted) if made + wanted else None
        for kind, (right, made, wanted) in sums.items()
    }
    silent = [not calls for case, calls in scored if not case.nodes]
    return {"cases": len(scored), **f1, "abstention": report.share(silent)}


async def measure(cases: Sequence[Case], planner: Planner) -> list[tuple[Case, Sequence[Call]]]:
    """Plan all cases, one after the other; a plan that cannot be read has no calls."""
    scored: list[tuple[Case, Sequence[Call]]] = []
    for case in cases:
        calls: Sequence[Call] = ()
        try:
            plan = await planner.plan(PlanRequest(case.request, Strangers(case.functions)))
            calls = plan.calls
        except InvalidInput:
            pass
        scored.append((case, calls))
    return scored


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The records of a JSON or JSON-lines file."""
    text = path.read_text(encoding="utf-8")
    if text.lstrip().startswith("["):
        held: list[dict[str, Any]] = json.loads(text)
        return held
    found = [json.loads(line) for line in text.splitlines() if line.strip()]
    if len(found) == 1 and "nodes" in found[0]:  # TaskBench keeps its tools as one graph
        nodes: list[dict[str, Any]] = found[0]["nodes"]
        return nodes
    return found


def body(found: dict[str, Any]) -> str:
    """The figures as markdown."""
    rows = [(kind, report.percent(found[f"{kind}_f1"])) for kind in ("node", "edge", "argument")]
    return "\n\n".join(
        (
            f"{found['cases']} cases of {found['format']}, planned by `{found['llm']}`.",
            report.table(("of a plan", "F1"), rows),
            f"No call where none is right: {report.percent(found['abstention'])}.",
        )
    )


def main() -> None:
    """Command line."""
    from agent.language import planner

    parser = argparse.ArgumentParser(description="A planner on public tool-calling files.")
    parser.add_argument("data", type=Path, help="JSON lines")
    parser.add_argument("more", type=Path, nargs="?", help="TaskBench: tools; BFCL: answers")
    parser.add_argument("--format", choices=sorted(READERS), required=True)
    parser.add_argument("--llm", required=True, help="as in `sightloop run --llm`")
    arguments = parser.parse_args()
    more = lines_of(arguments.more) if arguments.more else []
    cases = READERS[arguments.format](lines_of(arguments.data), more)
    found = figures(asyncio.run(measure(cases, planner(arguments.llm))))
    found = {"llm": arguments.llm, "format": arguments.format, **found}
    print(body(found))
    files = " ".join(path.name for path in (arguments.data, arguments.more) if path)
    command = (
        f"python -m benchmarks.formats --format {arguments.format} --llm {arguments.llm} {files}"
    )
    report.write("formats", "Public tool-calling cases", command, found, body(found))


if __name__ == "__main__":
    main()
