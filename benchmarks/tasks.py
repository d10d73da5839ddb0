"""Tasks benchmark: scripted agent tasks, planned by any planner and run with real tools.

    python -m benchmarks.tasks --llm embedded

A task is a file of `tests/tasks`: a request, pictures drawn from StickerWorld, the calls that
answer it, and what must hold of the result. With a language model the tools it calls are compared
with those written down; what the result must say is asked only where they are the same.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from agent import loop
from agent.events import Done, Failed
from agent.plan import Call, Plan
from agent.planner import Planner, PlanRequest
from agent.state import RunResult
from agent.store import Store
from benchmarks import report
from benchmarks.bench import Bench
from miniature.world.scene import Scene, Thing, draw
from miniature.world.vocabulary import COLOURS
from tools.toolbox import Toolbox
from tools.values import Image

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "tasks"
BENCH = Bench(
    full="--llm embedded",
    seeds="tasks as written; greedy decoding",
    higher=("right_tools", "right_result"),
    over={"right_tools": "tasks"},
    clone=True,
)


@dataclass(frozen=True)
class Task:
    """One request and what must come of it.

    Attributes:
        before: requests of earlier turns, each drawn verbatim.
        calls: of a right plan.
        expect: says (pieces of the reply), images (how many), stopped (one, or
            several joined by "or"), claims (of the checklist).
    """

    name: str
    request: str
    before: tuple[str, ...]
    pictures: tuple[Image, ...]
    calls: tuple[Call, ...]
    reply: str | None
    expect: dict[str, Any]
    needs: str | None = None
    """What must be there beside the tools, in words; tasks that need anything are left out."""

    @property
    def tools(self) -> tuple[str, ...]:
        """The tools of a right plan, in order."""
        return tuple(call.tool for call in self.calls)


class Written:
    """A planner that knows the plan of a task; earlier requests are drawn as they are."""

    def __init__(self, task: Task) -> None:
        self.task = task

    async def plan(self, request: PlanRequest) -> Plan:
        """The plan that is written in the task."""
        if request.text == self.task.request:
            return Plan(calls=self.task.calls, reply=self.task.reply)
        given = {"prompt": request.text.removeprefix("draw "), "steps": 2}
        return Plan(calls=(Call.model_validate({"id": "c1", "tool": "generate", "input": given}),))


def picture(scene: dict[str, Any]) -> Image:
    """A StickerWorld picture from words, such as "large red car at 32 32" on "white"."""
    things = []
    for words in scene["things"]:
        what, _, place = words.partition(" at ")
        size, *colour, name = what.split()
        x, y = (int(number) for number in place.split())
        worn = colour[0] if colour and colour[0] in COLOURS else None
        things.append(Thing(name, worn, size, x, y))
    return Image.from_pixels(draw(Scene(scene["background"], tuple(things))))


def load(folder: Path = FOLDER) -> list[Task]:
    """All tasks, by name."""
    return [_task(path) for path in sorted(folder.glob("*.yaml"))]


def _task(path: Path) -> Task:
    held = yaml.safe_load(path.read_text(encoding="utf-8"))
    calls = tuple(
        Call(id=f"c{number}", tool=tool, input=given)
        for number, entry in enumerate(held["calls"], 1)
        for tool, given in entry.items()
    )
    return Task(
        path.stem,
        held["request"],
        tuple(held.get("before", ())),
        tuple(picture(scene) for scene in held.get("pictures", ())),
        calls,
        held.get("reply"),
        held.get("expect", {}),
        held.get("needs"),
    )


async def carry_out(
    task: Task, toolbox: Toolbox, store: Store, planner: Planner | None = None
) -> RunResult | Failed:
    """Run all turns of a task once each, nothing repaired; what the last one gave."""
    talk = store.conversation()
    last: RunResult | Failed = Failed(kind="unavailable", message="not run")
    for request in (*task.before, task.request):
        stream = loop.run(
            request,
            task.pictures if request == task.request else (),
            toolbox=toolbox,
            planner=planner or Written(task),
            store=store,
            loop=False,
            budget_s=None,
            conversation=talk,
        )
        async for event in stream:
            if isinstance(event, Done):
                last = event.result
            elif isinstance(event, Failed):
                last = event
    return last


def problems(task: Task, result: RunResult | Failed) -> list[str]:
    """What of a result is not as the task says."""
    if isinstance(result, Failed):
        return [f"failed: {result.message}"]
    expect, found = task.expect, []
    failed = [f"{one.tool}: {one.error}" for one in result.calls if one.status != "done"]
    found += failed if task.calls and expect.get("stopped") != "reply" else []
    found += [
        f"reply lacks {piece!r}" for piece in expect.get("says", ()) if piece not in result.reply
    ]
    if "images" in expect and len(result.images) != expect["images"]:
        found.append(f"{len(result.images)} pictures, not {expect['images']}")
    if "stopped" in expect and result.stopped not in expect["stopped"].split(" or "):
        found.append(f"stopped: {result.stopped}, not {expect['stopped']}")
    claims = sorted(claim.text for claim in result.checklist)
    if "claims" in expect and claims != sorted(expect["claims"]):
        found.append(f"claims {claims}")
    return found


def figures(lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Shares 0..1 of tasks with the right tools, and of those, with the right result."""
    right = [line for line in lines if line["tools"]]
    return {
        "tasks": len(lines),
        "right_tools": report.share([line["tools"] for line in lines]),
        "right_result": report.share([not line["problems"] for line in right]),
        "wrong": [line["name"] for line in lines if not line["tools"] or line["problems"]],
    }


async def measure(
    tasks: Sequence[Task], toolbox: Toolbox, planner: Planner
) -> list[dict[str, Any]]:
    """Run all tasks, one after the other."""
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        for task in tasks:
            result = await carry_out(task, toolbox, store, planner)
            used = () if isinstance(result, Failed) else tuple(one.tool for one in result.calls)
            same = used == task.tools or (not task.calls and not used)
            wrong = problems(task, result) if same else []
            lines.append({"name": task.name, "tools": same, "problems": wrong, "used": used})
            print(f"{'+' if same and not wrong else '-'} {task.name} {used} {wrong}", flush=True)
        store.close()
    return lines


def main() -> None:
    """Command line."""
    from agent.language import planner
    from tools.profile import load_profile
    from tools.toolbox import LocalToolbox

    parser = argparse.ArgumentParser(description="Scripted agent tasks with a language model.")
    parser.add_argument("--llm", default="embedded", help="as in `sightloop run --llm`")
    parser.add_argument("--profile", default="miniature")
    arguments = parser.parse_args()
    toolbox = LocalToolbox(load_profile(arguments.profile))
    alive = set(toolbox.names())
    tasks = [task for task in load() if alive.issuperset(task.tools) and not task.needs]
    found = figures(asyncio.run(measure(tasks, toolbox, planner(arguments.llm))))
    toolbox.close()
    body = (
        f"{found['tasks']} tasks with the tools of `{arguments.profile}`. Right tools: "
        f"{report.percent(found['right_tools'])}; of these, right result: "
        f"{report.percent(found['right_result'])}."
    )
    print(body)
    command = f"python -m benchmarks.tasks --llm {arguments.llm}"
    report.write(
        *("tasks", "Agent tasks", command, {"llm": arguments.llm, **found}, body),
        profile=arguments.profile,
    )


if __name__ == "__main__":
    main()
