"""Edits: three changes in a row, each looked at and mended, against the same three done blindly.

    python -m benchmarks.edits --limit 12

A picture of StickerWorld, drawn exactly, is changed by three requests of one conversation: a thing
is taken out, another is exchanged, a third is put in. *Single pass* carries each out once. The
*loop* looks at what came of it, mends it, and goes on from the best. Both start from the same seed;
the judge marks the last picture.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agent import loop
from agent.arranging import free_box
from agent.events import Done
from agent.plan import Call, Plan
from agent.planner import PlanRequest
from agent.store import Store
from benchmarks import report
from benchmarks.bench import Bench
from benchmarks.expectation import Expectation, Wanted
from benchmarks.judge import Judge
from benchmarks.stickereval_figures import interval
from miniature.world.language import article
from miniature.world.scene import Scene, sample
from miniature.world.scene import draw as drawn
from miniature.world.splits import FIRST_SEED
from miniature.world.vocabulary import OBJECTS
from tools.errors import Unavailable
from tools.toolbox import Toolbox
from tools.values import Image

ARMS = ("single pass", "loop")
BENCH = Bench(
    full="--limit 12",
    quick="--limit 2 --seconds 5",
    seeds="scenes of the test split in order; drawing seeds 0, 1, …",
    higher=("right.single pass", "right.loop"),
    over={"right.*": "scenes"},
)


@dataclass(frozen=True)
class Edit:
    """One change: what a person says, and the call that does it; the picture is put in later."""

    text: str
    tool: str
    given: dict[str, Any]


@dataclass(frozen=True)
class Task:
    """A picture, three changes, and what must be there after them."""

    picture: Image
    edits: tuple[Edit, ...]
    expectation: Expectation


class Next:
    """Plans one change of the latest picture."""

    def __init__(self, edit: Edit) -> None:
        self.edit = edit

    async def plan(self, request: PlanRequest) -> Plan:
        """The call that the change asks for."""
        given = {"image": request.handles[-1], **self.edit.given}
        return Plan(calls=(Call(id="c1", tool=self.edit.tool, input=given),))


def tasks(number: int) -> list[Task]:
    """The first scenes of the test split with two things that can be told apart by name."""
    made: list[Task] = []
    seed = FIRST_SEED["test"]
    while len(made) < number:
        scene = sample(seed)
        if len(scene.things) == 2 and len({thing.name for thing in scene.things}) == 2:
            made.append(_task(scene, np.random.default_rng(seed)))
        seed += 1
    return made


def _task(scene: Scene, rng: np.random.Generator) -> Task:
    out, old = scene.things
    others = [name for name in OBJECTS if name not in (out.name, old.name)]
    new, more = (str(name) for name in rng.choice(others, 2, replace=False))
    picture = Image.from_pixels(drawn(scene))
    stays = (float(old.x), float(old.y), float(old.x + old.side), float(old.y + old.side))
    room = free_box([stays], picture.size_wh)
    assert room is not None
    edits = (
        Edit(f"remove the {out.name}", "remove", {"phrase": out.name}),
        Edit(
            f"replace the {old.name} with {article(new)}",
            "replace",
            {"phrase": old.name, "prompt": article(new)},
        ),
        Edit(f"add {article(more)}", "inpaint", {"prompt": article(more), "boxes": [list(room)]}),
    )
    wanted = (
        Wanted(out.name, count=0),
        Wanted(old.name, count=0),
        Wanted(new, exactly=True),
        Wanted(more, exactly=True),
    )
    return Task(picture, edits, Expectation(wanted))


async def carried_out(
    task: Task, seed: int, seconds: float, toolbox: Toolbox, store: Store, *, mends: bool
) -> tuple[Image, float]:
    """The picture after all three changes, and the seconds of wall time they took.

    Args:
        seconds: that each change may take.
        mends: whether what is not met is mended.

    Raises:
        Unavailable: a change gave no picture.
    """
    talk, picture = store.conversation(), task.picture
    given: tuple[Image, ...] = (picture,)
    started = time.perf_counter()
    for edit in task.edits:
        stream = loop.run(
            edit.text,
            given,
            toolbox=toolbox,
            planner=Next(edit),
            store=store,
            seed=seed,
            budget_s=seconds,
            loop=mends,
            conversation=talk,
        )
        last = [event async for event in stream][-1]
        if not isinstance(last, Done):
            raise Unavailable(f"{edit.text!r} failed: {last}")
        if last.result.images:  # else, such as where nothing was found, it stays as it was
            picture = store.get(last.result.images[0].id)
        given = ()
    return picture, time.perf_counter() - started


async def measure(
    made: Sequence[Task], seconds: float, toolbox: Toolbox, keep: Path | None = None
) -> list[dict[str, Any]]:
    """Both ways on every task."""
    judge, lines = Judge(), []
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        await carried_out(made[0], 0, seconds, toolbox, store, mends=False)  # loads, untimed
        for seed, task in enumerate(made):
            line: dict[str, Any] = {"texts": [edit.text for edit in task.edits]}
            for arm in ARMS:
                picture, took = await carried_out(
                    task, seed, seconds, toolbox, store, mends=arm == "loop"
                )
                (sight,) = judge.look([picture.pixels])
                missing = sight.shortfalls(task.expectation)
                line[arm] = {"right": not missing, "missing": missing, "seconds": took}
                if keep is not None:
                    keep.mkdir(parents=True, exist_ok=True)
                    (keep / f"{seed}-{arm.replace(' ', '-')}.png").write_bytes(picture.png())
            lines.append(line)
            right = " ".join(f"{arm} {'+' if line[arm]['right'] else '-'}" for arm in ARMS)
            print(f"{seed + 1}/{len(made)} {right} {'; '.join(line['texts'])}", flush=True)
        store.close()
    return lines


def figures(lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Shares 0..1 of right pictures, and seconds, by arm."""
    return {
        "scenes": len(lines),
        "right": {arm: report.share([line[arm]["right"] for line in lines]) for arm in ARMS},
        "interval": {
            "loop - single pass": interval(
                [{"id": str(number), **line} for number, line in enumerate(lines)],
                lambda line: float(line["loop"]["right"]) - float(line["single pass"]["right"]),
            )
        },
        "seconds": {arm: sum(line[arm]["seconds"] for line in lines) / len(lines) for arm in ARMS},
        "lines": list(lines),
    }


def body(found: dict[str, Any]) -> str:
    """The figures as markdown."""
    rows = [
        (arm, report.percent(found["right"][arm]), f"{found['seconds'][arm]:.1f}") for arm in ARMS
    ]
    low, high = (100 * bound for bound in found["interval"]["loop - single pass"])
    ahead = 100 * (found["right"]["loop"] - found["right"]["single pass"])
    return (
        f"{found['scenes']} pictures, three changes each: a thing taken out, one exchanged, one "
        "put in.\n\n"
        + report.table(("three changes in a row", "right", "seconds for all three"), rows)
        + f"\n\nThe loop is {ahead:+.1f} points ahead (95% interval {low:.1f} … {high:.1f})."
    )


def main() -> None:
    """Command line."""
    from tools.profile import load_profile
    from tools.toolbox import LocalToolbox

    parser = argparse.ArgumentParser(description="How much looking helps a row of changes.")
    parser.add_argument("--profile", default="miniature")
    parser.add_argument("--limit", type=int, default=12, help="how many pictures")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each change")
    parser.add_argument("--keep", type=Path, help="folder for the last pictures")
    given = parser.parse_args()
    toolbox = LocalToolbox(load_profile(given.profile))
    made = tasks(given.limit)
    found = figures(asyncio.run(measure(made, given.seconds, toolbox, given.keep)))
    toolbox.close()
    print(body(found))
    command = f"python -m benchmarks.edits --limit {given.limit}"
    if given.seconds != parser.get_default("seconds"):
        command += f" --seconds {given.seconds:g}"
    report.write("edits", "Changes in a row", command, found, body(found), profile=given.profile)


if __name__ == "__main__":
    main()
