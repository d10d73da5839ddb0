"""StickerEval figures: shares with intervals, what the arms took, and their course over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import report
from benchmarks.arms import ARMS, NAMES
from benchmarks.expectation import KINDS

RESAMPLED = 2000
INSTANTS = 81  # of the plot
Line = dict[str, Any]


def figures(lines: Sequence[Line]) -> dict[str, Any]:
    """Shares 0..1 by arm: overall, by kind, with and without held-out pair; and what it took."""
    passed = [line for line in lines if line["stopped"] == "passed"]
    rest = [line for line in lines if line["stopped"] != "passed"]
    return {
        "prompts": len({line["id"] for line in lines}),
        "seeds": len({line["round"] for line in lines}),
        "cases": len(lines),
        "right": _right(lines),
        "interval": {
            **{arm: interval(lines, _ahead(arm)) for arm in ARMS},
            **{f"loop - {arm}": interval(lines, _ahead("loop", arm)) for arm in ARMS[:-1]},
        },
        "by_kind": {
            kind: _right(chosen)
            for kind in (*KINDS, "scene")
            if (chosen := [line for line in lines if line["kind"] == kind])
        },
        "by_pair": {
            "seen": _right([line for line in lines if not line["held_out"]]),
            "held out": _right([line for line in lines if line["held_out"]]),
        },
        "begun_by_layout": report.share([line["begun"] == "layout" for line in lines]),
        "regressions": {
            arm: sum(line["right"]["single"] and not line["right"][arm] for line in lines)
            for arm in ("best", "loop")
        },
        "gains": {
            arm: sum(line["right"][arm] and not line["right"]["single"] for line in lines)
            for arm in ("best", "loop")
        },
        "seconds": {arm: _mean([line["seconds"][arm] for line in lines]) for arm in ARMS},
        "pictures": {arm: _mean([line["pictures"][arm] for line in lines]) for arm in ARMS},
        "stopped": dict(Counter(line["stopped"] for line in lines)),
        "passed": len(passed),
        "claimed_passed": len(passed) / len(lines),
        "right_of_claimed_passed": report.share([line["right"]["loop"] for line in passed]),
        "right_of_not_claimed": report.share([line["right"]["loop"] for line in rest]),
        "overhead_mean": _mean([line["overhead"] for line in lines]),
        "course": course(lines),
    }


def interval(lines: Sequence[Line], value: Callable[[Line], float]) -> tuple[float, float]:
    """95% interval of a mean over prompts, all seeds of a prompt drawn together (bootstrap)."""
    by_prompt: dict[str, list[float]] = {}
    for line in lines:
        by_prompt.setdefault(line["id"], []).append(value(line))
    sums = np.array([sum(values) for values in by_prompt.values()])
    counts = np.array([len(values) for values in by_prompt.values()])
    drawn = np.random.default_rng(0).integers(0, len(sums), (RESAMPLED, len(sums)))
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    low, high = np.quantile(means, (0.025, 0.975))
    return round(float(low), 4), round(float(high), 4)


def course(lines: Sequence[Line]) -> dict[str, list[float]]:
    """Share of right pictures by arm, had each been stopped after so many seconds."""
    last = max(line["seconds"][arm] for line in lines for arm in ARMS)
    instants = np.linspace(0, last, INSTANTS)
    shares = {
        arm: [_mean([_at(line["course"][arm], instant) for line in lines]) for instant in instants]
        for arm in ARMS
    }
    held = {"seconds": instants.tolist(), **shares}
    return {name: [round(float(value), 4) for value in values] for name, values in held.items()}


def _at(moments: Sequence[tuple[float, bool]], instant: float) -> bool:
    """Whether what was there at an instant is right; nothing is wrong."""
    there = [right for seconds, right in moments if seconds <= instant]
    return bool(there and there[-1])


def plot(held: Mapping[str, Sequence[float]], path: Path) -> None:
    """Share of right pictures against seconds a prompt."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    for arm in ARMS:
        shares = [100 * share for share in held[arm]]
        axes.step(held["seconds"], shares, where="post", label=NAMES[arm])
    axes.set(xlabel="seconds a prompt", ylabel="right pictures, %", ylim=(0, None))
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})


def body(found: dict[str, Any], picture: str) -> str:
    """The figures as markdown, with the plot in the file `picture`."""
    groups = {**found["by_kind"], "all": found["right"]}
    groups |= {f"{pair} pairs": one for pair, one in found["by_pair"].items() if one["cases"]}
    rows = [
        (name, right["cases"], *(report.percent(right[arm]) for arm in ARMS))
        for name, right in groups.items()
    ]
    within = found["interval"]
    rows.append(("95% interval of all", found["cases"], *(_span(within[arm]) for arm in ARMS)))
    seconds, pictures, right = found["seconds"], found["pictures"], found["right"]
    ahead = [
        f"{100 * (right['loop'] - right[arm]):+.1f} points on {NAMES[arm]} "
        f"({_span(within[f'loop - {arm}'])})"
        for arm in ARMS[-2::-1]
    ]
    return "\n".join(
        (
            report.table(("kind", "cases", *NAMES.values()), rows),
            "",
            f"{found['prompts']} prompts, {found['seeds']} seeds each; intervals by bootstrap "
            f"over the prompts. The loop is {', '.join(ahead)}.",
            "",
            "The *model alone* gets the bare words, once, or from as many seeds as the seconds "
            "of best of N allow. The other arms begin with what the agent's plan draws at once: in "
            f"{report.percent(found['begun_by_layout'])} of the cases `layout`, else `generate`. "
            "*Single shot* is that picture, neither looked at nor mended. *Best of N* draws it "
            "from N seeds, each with an arrangement of its own, and takes what `score` likes "
            "best. The *loop* gets the seconds that best of N took.",
            "",
            f"Seconds a prompt: model {seconds['model']:.2f}, or {seconds['model_best']:.2f} "
            f"({pictures['model_best']:.1f} pictures), "
            f"single {seconds['single']:.2f}, best of N {seconds['best']:.2f} "
            f"({pictures['best']:.1f} pictures), loop {seconds['loop']:.2f} "
            f"({pictures['loop']:.1f} pictures).",
            f"Right at first and wrong in the end: best of N {found['regressions']['best']}, "
            f"loop {found['regressions']['loop']}; the other way round: "
            f"{found['gains']['best']} and {found['gains']['loop']}.",
            f"The loop says that all is met for {report.percent(found['claimed_passed'])}; of "
            f"these the judge agrees with {report.percent(found['right_of_claimed_passed'])}, "
            f"of the others it finds {report.percent(found['right_of_not_claimed'])} right.",
            "The loop stopped because of: "
            + ", ".join(f"{why} ({n})" for why, n in sorted(found["stopped"].items()))
            + f". Outside of tools it took {report.percent(found['overhead_mean'])} of its time.",
            "",
            f"![right pictures against seconds]({picture})",
        )
    )


def _ahead(arm: str, other: str | None = None) -> Callable[[Line], float]:
    """Whether an arm is right, less whether another is."""

    def value(line: Line) -> float:
        return float(line["right"][arm]) - (float(line["right"][other]) if other else 0.0)

    return value


def _right(lines: Sequence[Line]) -> dict[str, Any]:
    shares = {arm: report.share([line["right"][arm] for line in lines]) for arm in ARMS}
    return {"cases": len(lines), **shares}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _span(within: Sequence[float]) -> str:
    return f"{100 * within[0]:.1f} … {100 * within[1]:.1f}"
