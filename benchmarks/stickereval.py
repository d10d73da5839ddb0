"""StickerEval: single shot, best of N and the loop at equal seconds, marked by the judge.

    python -m benchmarks.stickereval                       (all in one process)
    python -m benchmarks.stickereval --shard 1/2 &         (one half in each of two processes)
    python -m benchmarks.stickereval --shard 2/2; wait; python -m benchmarks.stickereval --report

For each prompt best of N is timed first; the loop then gets just those seconds. All three start
from the same seed, so a prompt that the single shot has right and the loop has wrong is a
regression. Results are kept line by line: a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent.planner import Planner
from agent.store import Store
from benchmarks import arms, report
from benchmarks.bench import Bench
from benchmarks.expectation import KINDS
from benchmarks.judge import Judge
from benchmarks.stickereval_prompts import Prompt, load
from tools.toolbox import Toolbox
from tools.values import Image

RUNS = Path(__file__).resolve().parents[1] / "runs" / "stickereval"
ARMS = ("single", "best", "loop")
BENCH = Bench(
    full="--limit 60 --n 8 --fresh",
    quick="--limit 6 --n 2 --fresh",
    seeds="fixed prompts, each with its own drawing seeds",
    higher=("right.single", "right.best", "right.loop", "right_of_claimed_passed"),
    over={"right.*": "prompts", "right_of_claimed_passed": "passed"},
)
Line = dict[str, Any]


async def one(
    prompt: Prompt,
    number: int,
    *,
    toolbox: Toolbox,
    store: Store,
    judge: Judge,
    planner: Planner,
    keep: Path | None = None,
) -> Line:
    """All three arms on one prompt, judged."""
    best, first = await arms.best_of(prompt, number, toolbox)
    loop = await arms.looped(prompt, best.seconds, toolbox, store, planner)
    images: dict[str, Image] = {"single": first, "best": best.image, "loop": loop.shot.image}
    sights = judge.look([image.pixels for image in images.values()])
    wrong = {
        arm: sight.shortfalls(prompt.expectation) for arm, sight in zip(ARMS, sights, strict=True)
    }
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        for arm, image in images.items():
            (keep / f"{prompt.id}-{arm}.png").write_bytes(image.png())
    return {
        "id": prompt.id,
        "kind": prompt.kind,
        "text": prompt.text,
        "held_out": prompt.held_out,
        "right": {arm: not missing for arm, missing in wrong.items()},
        "missing": wrong,
        "seconds": {"best": best.seconds, "loop": loop.shot.seconds},
        "pictures": {"best": best.pictures, "loop": loop.shot.pictures},
        "stopped": loop.stopped,
        "repairs": loop.repairs,
        "verdicts": loop.verdicts,
        "overhead": loop.overhead,
    }


def figures(lines: Sequence[Line]) -> dict[str, Any]:
    """Shares 0..1 by arm: overall, by kind, with and without held-out pair; and what it took."""
    passed = [line for line in lines if line["stopped"] == "passed"]
    rest = [line for line in lines if line["stopped"] != "passed"]
    return {
        "prompts": len(lines),
        "right": _right(lines),
        "by_kind": {
            kind: _right(chosen)
            for kind in KINDS
            if (chosen := [line for line in lines if line["kind"] == kind])
        },
        "by_pair": {
            "seen": _right([line for line in lines if not line["held_out"]]),
            "held out": _right([line for line in lines if line["held_out"]]),
        },
        "regressions": {
            arm: sum(line["right"]["single"] and not line["right"][arm] for line in lines)
            for arm in ("best", "loop")
        },
        "gains": {
            arm: sum(line["right"][arm] and not line["right"]["single"] for line in lines)
            for arm in ("best", "loop")
        },
        "seconds": {arm: _mean([line["seconds"][arm] for line in lines]) for arm in ARMS[1:]},
        "pictures": {arm: _mean([line["pictures"][arm] for line in lines]) for arm in ARMS[1:]},
        "stopped": dict(Counter(line["stopped"] for line in lines)),
        "passed": len(passed),
        "claimed_passed": len(passed) / len(lines),
        "right_of_claimed_passed": report.share([line["right"]["loop"] for line in passed]),
        "right_of_not_claimed": report.share([line["right"]["loop"] for line in rest]),
        "overhead_mean": _mean([line["overhead"] for line in lines]),
    }


def _right(lines: Sequence[Line]) -> dict[str, Any]:
    shares = {arm: report.share([line["right"][arm] for line in lines]) for arm in ARMS}
    return {"prompts": len(lines), **shares}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def body(found: dict[str, Any]) -> str:
    """The figures as markdown."""
    groups = {**found["by_kind"], "all": found["right"]}
    groups |= {f"{pair} pairs": right for pair, right in found["by_pair"].items()}
    rows = [
        (name, right["prompts"], *(report.percent(right[arm]) for arm in ARMS))
        for name, right in groups.items()
    ]
    seconds, pictures = found["seconds"], found["pictures"]
    margin = 196 * (0.25 / found["prompts"]) ** 0.5
    return "\n".join(
        (
            report.table(("kind", "prompts", "single shot", "best of N", "loop"), rows),
            "",
            f"Over all prompts a share is known to at most ±{margin:.1f} points (95%).",
            "",
            f"Best of N: {pictures['best']:.1f} pictures in {seconds['best']:.2f} s; "
            f"loop: {pictures['loop']:.1f} pictures in {seconds['loop']:.2f} s, on average.",
            f"Right at first and wrong in the end: best of N {found['regressions']['best']}, "
            f"loop {found['regressions']['loop']}; the other way round: "
            f"{found['gains']['best']} and {found['gains']['loop']}.",
            f"The loop says that all is met for {report.percent(found['claimed_passed'])}; of "
            f"these the judge agrees with {report.percent(found['right_of_claimed_passed'])}, "
            f"of the others it finds {report.percent(found['right_of_not_claimed'])} right.",
            "The loop stopped because of: "
            + ", ".join(f"{why} ({n})" for why, n in sorted(found["stopped"].items()))
            + ".",
        )
    )


def read(folder: Path) -> list[Line]:
    """All lines of all shards, one for each prompt, in the order of the prompts."""
    lines: dict[str, Line] = {}
    for path in sorted(folder.glob("*.jsonl")):
        for text in path.read_text(encoding="utf-8").splitlines():
            line = json.loads(text)
            lines[line["id"]] = line
    return [lines[prompt.id] for prompt in load() if prompt.id in lines]


def chosen(prompts: Sequence[Prompt], limit: int | None, shard: str) -> list[Prompt]:
    """Every so many of the prompts, the kinds in turn, so that a part of them is a fair part.

    Args:
        prompts: all of them.
        limit: how many; None is all.
        shard: such as "1/2", from 1.
    """
    number = len(prompts) if limit is None else min(limit, len(prompts))
    spread = [prompts[i * len(prompts) // number] for i in range(number)]
    index, count = (int(part) for part in shard.split("/"))
    if not 1 <= index <= count:
        raise ValueError(f"shard {shard!r} must be i/n with i from 1 to n")
    place: Counter[str] = Counter()
    turns: list[tuple[int, Prompt]] = []
    for prompt in spread:
        turns.append((place[prompt.kind], prompt))
        place[prompt.kind] += 1
    turns.sort(key=lambda turn: turn[0])  # stable: within a turn the kinds keep their order
    return [prompt for _, prompt in turns][index - 1 :: count]


async def measure(
    prompts: Sequence[Prompt],
    seconds: float,
    number: int | None,
    *,
    toolbox: Toolbox,
    planner: Planner,
    results: Path,
    keep: Path | None,
) -> None:
    """Run what is not in `results` yet and append it there.

    Args:
        prompts: what to draw.
        seconds: of wall time for each prompt and arm; N follows from it unless given.
        number: N, or None.
        toolbox: real tools, without a cache: each arm pays for all it does.
        planner: for the loop.
        results: the file of lines.
        keep: folder for the pictures, or None.
    """
    results.parent.mkdir(parents=True, exist_ok=True)
    known = {line["id"] for line in read(results.parent)}
    waiting = [prompt for prompt in prompts if prompt.id not in known]
    judge = Judge()
    with tempfile.TemporaryDirectory() as folder, results.open("a", encoding="utf-8") as file:
        store = Store(Path(folder))
        if waiting:  # loads every network, untimed
            await arms.looped(waiting[0], 2 * seconds, toolbox, store, planner)
        if waiting and number is None:
            shot, _ = await arms.best_of(waiting[0], 1, toolbox)
            number = max(2, min(16, round(seconds / shot.seconds)))
        for done, prompt in enumerate(waiting):
            assert number is not None
            line = await one(
                prompt,
                number,
                toolbox=toolbox,
                store=store,
                judge=judge,
                planner=planner,
                keep=keep,
            )
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            file.flush()
            right = " ".join(f"{arm} {'+' if line['right'][arm] else '-'}" for arm in ARMS)
            print(f"{done + 1}/{len(waiting)} {right} {prompt.text}", flush=True)


def main() -> None:
    """Command line."""
    from agent.language import planner
    from tools.profile import load_profile
    from tools.toolbox import LocalToolbox

    parser = argparse.ArgumentParser(description="How much the loop helps, by an outside judge.")
    parser.add_argument("--profile", default="miniature")
    parser.add_argument("--llm", help="plan with this; without it each prompt is drawn verbatim")
    parser.add_argument("--seconds", type=float, default=2.5, help="for each prompt and arm")
    parser.add_argument("--n", type=int, help="N of best of N; without it, what fits in SECONDS")
    parser.add_argument("--limit", type=int, help="only so many prompts, spread over all kinds")
    parser.add_argument("--shard", default="1/1", help="i/n: the i-th of n parts")
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of results")
    parser.add_argument("--keep", action="store_true", help="keep the pictures beside the results")
    parser.add_argument("--fresh", action="store_true", help="forget the results of earlier runs")
    parser.add_argument("--report", action="store_true", help="only write it, even of a part")
    arguments = parser.parse_args()
    if arguments.fresh:
        for old in arguments.runs.glob("*.jsonl"):
            old.unlink()
    if not arguments.report:
        asyncio.run(
            measure(
                chosen(load(), arguments.limit, arguments.shard),
                arguments.seconds,
                arguments.n,
                toolbox=LocalToolbox(load_profile(arguments.profile)),
                planner=planner(arguments.llm) if arguments.llm else arms.Verbatim(),
                results=arguments.runs / f"{arguments.shard.replace('/', '-of-')}.jsonl",
                keep=arguments.runs / "pictures" if arguments.keep else None,
            )
        )
    lines = read(arguments.runs)
    found = figures(lines)
    print(body(found))
    if arguments.report or len(lines) == len(chosen(load(), arguments.limit, "1/1")):
        given = {"--limit": arguments.limit, "--n": arguments.n, "--llm": arguments.llm}
        words = [f" {name} {value}" for name, value in given.items() if value is not None]
        command = f"python -m benchmarks.stickereval{''.join(words)} --fresh"
        report.write(
            *("stickereval", "StickerEval", command, found, body(found)), profile=arguments.profile
        )


if __name__ == "__main__":
    main()
