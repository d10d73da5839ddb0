"""Planner benchmark: hand-written requests against the plans made of them; nothing is run.

    python -m benchmarks.planner --llm embedded

Every tool stands as alive, whatever weights are here: a planner is judged by its plans. A sequence
is right if it is one of those written beside the request; arguments are right if, in addition, the
key words and pictures are in them. Where no tool helps, right means no call.

The misses among the first requests were read while the planner was taught; the held-out ones were
written before its last two lessons; their misses were read after the first of these.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.messages import Message
from agent.plan import Call, Plan, validate
from agent.planner import Planner, PlanRequest
from benchmarks import report
from benchmarks.bench import Bench
from benchmarks.everything import SIDE, Everything
from tools.errors import ToolError
from tools.toolbox import Toolbox

FILE = Path(__file__).with_name("planner_requests.jsonl")
HELD_OUT = FILE.with_name("planner_held_out.jsonl")
FILLERS = ("please", "pls", "can you", "could you", "i want", "i need", "draw me", "thank")
BENCH = Bench(
    full="--llm embedded",
    quick="--llm embedded --limit 30",
    seeds="hand-written requests; greedy decoding",
    higher=(
        "valid", "sequence", "arguments",
        "held_out.valid", "held_out.sequence", "held_out.arguments",
    ),
    lower=("seconds_mean",),
    over={
        "valid": "requests", "sequence": "requests", "arguments": "requests",
        "held_out.valid": "requests", "held_out.sequence": "requests",
        "held_out.arguments": "requests",
    },
)  # fmt: skip


@dataclass(frozen=True)
class Argument:
    """What an argument of a tool must hold, if the plan calls that tool.

    Attributes:
        has: groups of words; of each group one must occur in it.
        equals: its value; "@" stands for any reference to an earlier call.
    """

    tool: str
    field: str
    has: tuple[tuple[str, ...], ...] = ()
    equals: str | int | None = None

    def met(self, calls: Sequence[Call]) -> bool:
        """Whether a call of the tool has it, or the tool is not called at all."""
        given = [call.input.get(self.field) for call in calls if call.tool == self.tool]
        return not given or any(self._fits(value) for value in given)

    def _fits(self, value: object) -> bool:
        if self.equals == "@":
            return isinstance(value, str) and value.startswith("@")
        if self.equals is not None:
            return value == self.equals
        text = json.dumps(value, ensure_ascii=False).lower()
        return all(any(word in text for word in group) for group in self.has)


@dataclass(frozen=True)
class Request:
    """One request as a person wrote it, and what a right plan looks like."""

    id: str
    kind: str
    text: str
    handles: tuple[str, ...]
    sequences: tuple[tuple[str, ...], ...]
    arguments: tuple[Argument, ...]
    before: tuple[str, ...] = ()  # what the person said in earlier turns, oldest first

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Request:
        """One line of the file."""
        arguments = tuple(
            Argument(
                one["tool"],
                one["field"],
                tuple(tuple(group) for group in one.get("has", ())),
                one.get("equals"),
            )
            for one in values["arguments"]
        )
        return cls(
            values["id"],
            values["kind"],
            values["text"],
            tuple(values["handles"]),
            tuple(tuple(sequence) for sequence in values["sequences"]),
            arguments,
            tuple(values.get("before", ())),
        )


@dataclass(frozen=True)
class Outcome:
    """What became of one request."""

    request: Request
    plan: Plan | None
    problem: str
    seconds: float

    @property
    def tools(self) -> tuple[str, ...]:
        """The tools of the plan, in its order."""
        return tuple(call.tool for call in self.plan.calls) if self.plan else ()

    @property
    def valid(self) -> bool:
        """Whether the plan could run as it stands."""
        return not self.problem

    @property
    def sequence(self) -> bool:
        """Whether the tools are right."""
        return self.valid and self.tools in self.request.sequences

    @property
    def arguments(self) -> bool:
        """Whether tools and arguments are right."""
        calls = self.plan.calls if self.plan else ()
        return self.sequence and all(argument.met(calls) for argument in self.request.arguments)

    @property
    def clean(self) -> bool:
        """Whether no word of courtesy or command went to the painter."""
        calls = self.plan.calls if self.plan else ()
        prompts = [str(call.input.get("prompt", "")) for call in calls if call.tool == "generate"]
        return not any(filler in prompt.lower() for prompt in prompts for filler in FILLERS)


def load(path: Path = FILE) -> list[Request]:
    """The requests of a file, in its order."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [Request.from_json(json.loads(line)) for line in lines]


async def ask(planner: Planner, request: Request, toolbox: Toolbox) -> Outcome:
    """Plan one request and see whether the plan could run."""
    started = time.perf_counter()
    plan, problem = None, ""
    try:
        history = tuple(Message(role="user", text=text) for text in request.before)
        sizes = dict.fromkeys((*request.handles, ""), (SIDE, SIDE))
        asked = PlanRequest(request.text, toolbox, history, request.handles, sizes)
        plan = await planner.plan(asked)
        seconds = time.perf_counter() - started
        validate(plan, toolbox, request.handles)
    except ToolError as error:
        seconds = time.perf_counter() - started
        problem = str(error)
    return Outcome(request, plan, problem, seconds)


def figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Shares 0..1 over all and by kind, and seconds a plan."""
    toolless = [o for o in outcomes if () in o.request.sequences]
    tooled = [o for o in outcomes if () not in o.request.sequences]
    seconds = sorted(o.seconds for o in outcomes)
    kinds = sorted({o.request.kind for o in outcomes})
    return {
        "requests": len(outcomes),
        "valid": report.share([o.valid for o in outcomes]),
        "sequence": report.share([o.sequence for o in outcomes]),
        "arguments": report.share([o.arguments for o in outcomes]),
        "abstains_when_it_should": report.share([not o.tools and o.valid for o in toolless]),
        "abstains_when_it_should_not": report.share([not o.tools for o in tooled]),
        "clean_prompts": report.share([o.clean for o in outcomes if "generate" in o.tools]),
        "seconds_mean": sum(seconds) / len(seconds),
        "seconds_95": seconds[int(0.95 * (len(seconds) - 1))],
        "by_kind": {
            kind: {
                "requests": sum(o.request.kind == kind for o in outcomes),
                "sequence": report.share([o.sequence for o in outcomes if o.request.kind == kind]),
                "arguments": report.share(
                    [o.arguments for o in outcomes if o.request.kind == kind]
                ),
            }
            for kind in kinds
        },
    }


def body(found: dict[str, Any]) -> str:
    """The figures of both parts as markdown."""
    said = (
        "Set apart: written before the last two lessons; their misses were read after the first "
        "of these."
    )
    return f"{part(found)}\n\n## Held out\n\n{said}\n\n{part(found['held_out'])}"


def part(found: dict[str, Any]) -> str:
    """The figures of one file of requests as markdown."""
    rows = [
        (kind, one["requests"], report.percent(one["sequence"]), report.percent(one["arguments"]))
        for kind, one in found["by_kind"].items()
    ]
    total = report.percent(found["sequence"]), report.percent(found["arguments"])
    rows.append(("all", found["requests"], *total))
    lines = [
        report.table(("requests", "number", "right tools", "right tools and arguments"), rows),
        "",
        f"Plans that could run as they stand: {report.percent(found['valid'])}. "
        f"No call where none helps: {report.percent(found['abstains_when_it_should'])}; "
        f"none where one would: {report.percent(found['abstains_when_it_should_not'])}. "
        f"Prompts without words of courtesy: {report.percent(found['clean_prompts'])}. "
        f"Seconds a plan: {found['seconds_mean']:.2f} on average, "
        f"95% within {found['seconds_95']:.2f}.",
    ]
    return "\n".join(lines)


async def measure(planner: Planner, requests: Sequence[Request], toolbox: Toolbox) -> list[Outcome]:
    """Plan all, one after the other."""
    await planner.plan(PlanRequest("a cat", toolbox))  # loads the language model, untimed
    return [await ask(planner, request, toolbox) for request in requests]


def spread(requests: Sequence[Request], limit: int | None) -> Sequence[Request]:
    """At most so many, so that all kinds are among them."""
    if limit is None:
        return requests
    return requests[:: max(1, len(requests) // limit)][:limit]


def main() -> None:
    """Command line."""
    from agent.language import planner

    parser = argparse.ArgumentParser(description="How often the planner is right.")
    parser.add_argument("--llm", default="embedded", help="as in `sightloop run --llm`")
    parser.add_argument("--limit", type=int, help="only so many of each part, of all kinds")
    parser.add_argument("--show", action="store_true", help="print each plan that is not right")
    arguments = parser.parse_args()
    toolbox, requests = Everything(), spread(load(), arguments.limit)
    asked = [*requests, *spread(load(HELD_OUT), arguments.limit)]
    outcomes = asyncio.run(measure(planner(arguments.llm), asked, toolbox))
    if arguments.show:
        for one in outcomes:
            if not one.arguments:
                calls = [(c.tool, c.input) for c in one.plan.calls] if one.plan else one.problem
                print(f"{one.request.id} {one.request.text!r} {calls} {one.problem}")
    seen, held_out = outcomes[: len(requests)], outcomes[len(requests) :]
    found = {
        "llm": arguments.llm,
        "tools": toolbox.names(),
        **figures(seen),
        "held_out": figures(held_out),
    }
    print(body(found))
    command = f"python -m benchmarks.planner --llm {arguments.llm}"
    if arguments.limit is not None:
        command += f" --limit {arguments.limit}"
    report.write("planner", "Planner: right tools", command, found, body(found))


if __name__ == "__main__":
    main()
