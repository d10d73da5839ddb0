"""StickerEval: the model alone, single shot, best of N and the loop at equal seconds, judged.

    python -m benchmarks.stickereval                       (all in one process)
    python -m benchmarks.stickereval --shard 1/2 &         (one half in each of two processes)
    python -m benchmarks.stickereval --shard 2/2; wait; python -m benchmarks.stickereval --report

What the arms are is told in benchmarks/arms.py. For each prompt and seed best of N is timed first;
the model alone and the loop then get just those seconds. All start from the same seed, so a prompt
that the single shot has right and the loop has wrong is a regression. Results are kept line by
line: a run that was stopped, or whose minutes were over, goes on where it was.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from agent.planner import Planner
from agent.store import Store
from benchmarks import arms, report
from benchmarks.arms import ARMS
from benchmarks.bench import Bench
from benchmarks.judge import Judge
from benchmarks.stickereval_figures import Line, body, figures, plot
from benchmarks.stickereval_prompts import FILE, Prompt, load
from tools.toolbox import Toolbox

RUNS = Path(__file__).resolve().parents[1] / "runs"
N = 8
SEEDS = 3
APART = 1_000_003  # between the seeds of one prompt
BENCH = Bench(
    full="--limit 24 --fresh",
    quick="--limit 6 --n 2 --seeds 1 --fresh",
    seeds="fixed prompts, each with its own drawing seeds, three of them",
    higher=(
        "right.model",
        "right.model_best",
        "right.single",
        "right.best",
        "right.loop",
        "right_of_claimed_passed",
    ),
    over={"right.*": "cases", "right_of_claimed_passed": "passed"},
)


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
    """All arms on one prompt, judged."""
    compared = await arms.compare(prompt, number, toolbox, store, planner)
    courses, images = compared.courses, compared.images
    marked = {one.id: one for one in images.values()}
    marked |= {one.image.id: one.image for course in courses.values() for one in course}
    sights = judge.look([image.pixels for image in marked.values()])
    wrong = {
        identity: sight.shortfalls(prompt.expectation)
        for identity, sight in zip(marked, sights, strict=True)
    }
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        for arm, image in images.items():
            (keep / f"{prompt.id}-{prompt.seed}-{arm}.png").write_bytes(image.png())
    result = compared.loop.result
    return {
        "id": prompt.id,
        "kind": prompt.kind,
        "text": prompt.text,
        "held_out": prompt.held_out,
        "begun": compared.planned.tool,
        "right": {arm: not wrong[image.id] for arm, image in images.items()},
        "missing": {arm: wrong[image.id] for arm, image in images.items()},
        "course": {
            arm: [(round(one.seconds, 3), not wrong[one.image.id]) for one in course]
            for arm, course in courses.items()
        },
        "seconds": compared.seconds,
        "pictures": compared.pictures,
        "stopped": result.stopped,
        "repairs": result.budget.repairs,
        "verdicts": {check.claim.text: check.verdict for check in result.checks},
        "overhead": result.budget.overhead,
    }


def read(folder: Path) -> list[Line]:
    """All lines of all shards, one for each prompt and seed, by seed and prompt."""
    lines: dict[tuple[int, str], Line] = {}
    for path in sorted(folder.glob("*.jsonl")):
        for text in path.read_text(encoding="utf-8").splitlines():
            line = json.loads(text)
            lines[line["round"], line["id"]] = line
    return [lines[key] for key in sorted(lines)]


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


def cases(prompts: Sequence[Prompt], seeds: int) -> Iterator[tuple[int, Prompt]]:
    """Every prompt with its first seed, then every one with its second, and so on."""
    for number in range(seeds):
        for prompt in prompts:
            yield number, replace(prompt, seed=prompt.seed + APART * number)


async def measure(
    waiting: Sequence[tuple[int, Prompt]],
    number: int,
    *,
    toolbox: Toolbox,
    planner: Planner,
    results: Path,
    keep: Path | None = None,
    minutes: float = float("inf"),
) -> None:
    """Run what is not in `results` yet and append it there.

    Args:
        waiting: what to draw, each with the number of its seed.
        number: N of best of N.
        toolbox: real tools, without a cache: each arm pays for all it does.
        planner: for all arms.
        results: the file of lines.
        keep: folder for the pictures, or None.
        minutes: after which no further one is begun.
    """
    results.parent.mkdir(parents=True, exist_ok=True)
    known = {(line["round"], line["id"]) for line in read(results.parent)}
    waiting = [(turn, prompt) for turn, prompt in waiting if (turn, prompt.id) not in known]
    judge = Judge()
    with tempfile.TemporaryDirectory() as folder, results.open("a", encoding="utf-8") as file:
        store = Store(Path(folder))
        if waiting:  # loads every network, untimed
            await one(waiting[0][1], 2, toolbox=toolbox, store=store, judge=judge, planner=planner)
        started = time.perf_counter()
        for done, (turn, prompt) in enumerate(waiting):
            if time.perf_counter() - started > 60 * minutes:
                break
            made = await one(
                prompt,
                number,
                toolbox=toolbox,
                store=store,
                judge=judge,
                planner=planner,
                keep=keep,
            )
            line = {"round": turn, **made}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            file.flush()
            right = " ".join(f"{arm} {'+' if line['right'][arm] else '-'}" for arm in ARMS)
            print(f"{done + 1}/{len(waiting)} {right} {prompt.text}", flush=True)
        store.close()


def main(name: str = "stickereval", title: str = "StickerEval", file: Path = FILE) -> None:
    """Command line.

    Args:
        name: of the module, and so of the report.
        title: of the report.
        file: the prompts.
    """
    from agent.language import planner
    from tools.profile import load_profile
    from tools.toolbox import LocalToolbox

    parser = argparse.ArgumentParser(description="How much the loop helps, by an outside judge.")
    parser.add_argument("--profile", default="miniature")
    parser.add_argument("--llm", help="plan with this; without it each prompt is drawn verbatim")
    parser.add_argument("--n", type=int, default=N, help="N of best of N")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="of each prompt")
    parser.add_argument("--limit", type=int, help="only so many prompts, spread over all kinds")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="then begin no more")
    parser.add_argument("--shard", default="1/1", help="i/n: the i-th of n parts")
    parser.add_argument("--keep", action="store_true", help="keep the pictures beside the results")
    parser.add_argument("--fresh", action="store_true", help="forget this part's earlier results")
    parser.add_argument("--report", action="store_true", help="only write it, even of a part")
    arguments = parser.parse_args()
    prompts, runs = load(file), RUNS / name
    part = arguments.shard.replace("/", "-of-")
    if arguments.fresh:
        for old in runs.glob("*.jsonl" if part == "1-of-1" else f"{part}.jsonl"):
            old.unlink()
    if not arguments.report:
        asyncio.run(
            measure(
                [*cases(chosen(prompts, arguments.limit, arguments.shard), arguments.seeds)],
                arguments.n,
                toolbox=LocalToolbox(load_profile(arguments.profile)),
                planner=planner(arguments.llm) if arguments.llm else arms.Verbatim(),
                results=runs / f"{part}.jsonl",
                keep=runs / "pictures" if arguments.keep else None,
                minutes=arguments.minutes,
            )
        )
    lines = read(runs)
    found = figures(lines)
    print(body(found, f"{name}.svg"))
    whole = len(chosen(prompts, arguments.limit, "1/1")) * arguments.seeds
    if arguments.report or len(lines) == whole:
        write(name, title, found, arguments)


def write(name: str, title: str, found: Line, given: argparse.Namespace) -> None:
    """The report, with the command that makes it again."""
    named = {"--limit": (given.limit, None), "--n": (given.n, N), "--seeds": (given.seeds, SEEDS)}
    named["--llm"] = (given.llm, None)
    words = [f" {name} {value}" for name, (value, usual) in named.items() if value != usual]
    command = f"python -m benchmarks.{name}{''.join(words)} --fresh"
    plot(found["course"], report.place(name, command) / f"{name}.svg")
    text = body(found, f"{name}.svg")
    report.write(name, title, command, found, text, profile=given.profile)


if __name__ == "__main__":
    main()
