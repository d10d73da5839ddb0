"""Prompted: prompts of a public benchmark through the model alone and the loop.

What is common to `benchmarks.geneval`, `dsg` and `t2i_compbench`: none of their files comes with
this program, they are read by path. The arms are told in benchmarks/arms.py. Marks are given by
tools of the same profile, which the loop uses too; the pictures are therefore also laid out as the
benchmark's own evaluator wants them, and only its figures may be set beside published ones.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.store import Store
from benchmarks import arms, report
from benchmarks.arms import ARMS, NAMES
from tools.base import Record
from tools.errors import ToolError
from tools.toolbox import Toolbox
from tools.values import Image

OUT = Path("sightloop-out") / "pictures"
Mark = Callable[[Image, Toolbox], Awaitable[float | None]]


@dataclass(frozen=True)
class Item:
    """One prompt.

    Attributes:
        kind: the part of the benchmark it belongs to.
        mark: how much of it a picture shows, 0..1; None where only the official evaluator can say.
        place: where the official evaluator looks for its picture.
        beside: text of files that the evaluator wants near the picture, by path.
    """

    id: str
    kind: str
    text: str
    seed: int
    mark: Mark
    place: str
    beside: tuple[tuple[str, str], ...] = ()


Line = dict[str, Any]


async def ask(toolbox: Toolbox, name: str, request: Record) -> Any:
    """The answer of one tool, typed by the caller."""
    return await toolbox.call(name, request)


async def one(item: Item, number: int, toolbox: Toolbox, store: Store, out: Path) -> Line:
    """All arms on one prompt, kept and marked."""
    compared = await arms.compare(item, number, toolbox, store, arms.Verbatim())
    images = compared.images
    for arm, image in images.items():
        for path, text in ((item.place, ""), *item.beside):
            file = out / arm / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text.encode() or image.png())
    return {
        "id": item.id,
        "kind": item.kind,
        "marks": {arm: await item.mark(image, toolbox) for arm, image in images.items()},
        "seconds": compared.seconds,
        "pictures": compared.pictures,
    }


async def measure(
    items: Sequence[Item], number: int, toolbox: Toolbox, out: Path
) -> tuple[Line, ...]:
    """Run what has no line in `out`/results.jsonl yet and append it there."""
    results = out / "results.jsonl"
    out.mkdir(parents=True, exist_ok=True)
    known = _read(results)
    with tempfile.TemporaryDirectory() as folder, results.open("a", encoding="utf-8") as file:
        store = Store(Path(folder))
        for place, item in enumerate(items, 1):
            if item.id not in known:
                known[item.id] = await one(item, number, toolbox, store, out)
                file.write(json.dumps(known[item.id], ensure_ascii=False) + "\n")
                file.flush()
                print(f"{place}/{len(items)} {known[item.id]['marks']} {item.text}", flush=True)
        store.close()
    return tuple(known[item.id] for item in items)


def _read(results: Path) -> dict[str, Line]:
    if not results.is_file():
        return {}
    lines = [json.loads(text) for text in results.read_text(encoding="utf-8").splitlines()]
    return {line["id"]: line for line in lines}


def figures(lines: Sequence[Line]) -> dict[str, Any]:
    """Mean marks 0..1 by arm, over all and by kind; pictures and seconds a prompt."""
    kinds = sorted({line["kind"] for line in lines})
    return {
        "mark": _marks(lines),
        "by_kind": {kind: _marks([one for one in lines if one["kind"] == kind]) for kind in kinds},
        **{
            what: {arm: _mean([line[what][arm] for line in lines]) for arm in ARMS}
            for what in ("seconds", "pictures")
        },
    }


def _marks(lines: Sequence[Line]) -> dict[str, Any]:
    marked = [line["marks"] for line in lines if line["marks"]["single"] is not None]
    means = {arm: _mean([marks[arm] for marks in marked]) for arm in ARMS}
    return {"prompts": len(lines), "marked": len(marked), **means}


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def body(found: dict[str, Any], out: Path) -> str:
    """The figures as markdown."""
    rows = [
        (kind, marks["prompts"], *(report.percent(marks[arm]) for arm in ARMS))
        for kind, marks in [*found["by_kind"].items(), ("all", found["mark"])]
    ]
    seconds, pictures = found["seconds"], found["pictures"]
    return "\n\n".join(
        (
            report.table(("kind", "prompts", *NAMES.values()), rows),
            f"Best of N: {pictures['best']:.1f} pictures in {seconds['best']:.2f} s; "
            f"loop: {pictures['loop']:.1f} pictures in {seconds['loop']:.2f} s, on average.",
            "Marked by tools of the profile, which the loop uses too: these figures must not be "
            f"set beside published ones. The pictures lie in `{out.as_posix()}`, one folder an "
            "arm, as the benchmark's own evaluator reads them.",
        )
    )


def main(name: str, title: str, read: Callable[[Path], list[Item]]) -> None:
    """Command line of one such benchmark."""
    from tools.profile import load_profile
    from tools.toolbox import LocalToolbox

    parser = argparse.ArgumentParser(prog=f"sightloop bench {name}", description=title)
    parser.add_argument("--file", type=Path, required=True, help="the benchmark's prompts")
    parser.add_argument("--profile", default="sd15", help="as in `sightloop run --profile`")
    parser.add_argument("--n", type=int, default=4, help="N of best of N")
    parser.add_argument("--limit", type=int, help="only so many prompts, spread over the file")
    parser.add_argument("--out", type=Path, help="folder of pictures and results")
    arguments = parser.parse_args()
    out = arguments.out or OUT / f"{name}-{arguments.profile}-n{arguments.n}"
    try:
        items = read(arguments.file)
        if arguments.limit is not None:
            items = items[:: max(1, len(items) // arguments.limit)][: arguments.limit]
        toolbox = LocalToolbox(load_profile(arguments.profile))
        lines = asyncio.run(measure(items, arguments.n, toolbox, out))
    except (ToolError, OSError) as error:
        parser.error(str(error))
    toolbox.close()
    found = {"profile": arguments.profile, "n": arguments.n, **figures(lines)}
    print(body(found, out))
    command = (
        f"python -m benchmarks.{name} --profile {arguments.profile} --n {arguments.n} "
        f"--file {arguments.file.name}"
    )
    if arguments.limit is not None:
        command += f" --limit {arguments.limit}"
    report.write(name, title, command, found, body(found, out), profile=arguments.profile)
