"""Overview: all reports of a folder on one page, the figures that count with their intervals."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from benchmarks import report
from benchmarks.bench import Figure, discover, watched

PLOT = "overview.svg"
UNITS = {  # by the end of a figure's name, the first that fits
    "_per_s": " a second",
    "_s": " s",
    "seconds_mean": " s",
    "_ms": " ms",
    "_gib": " GiB",
    "_ratio": "×",
}
WIDE, LABEL, LINE = 760, 400, 18  # px: the picture, the words in it, a row of it


def read(folder: Path) -> dict[str, dict[str, Any]]:
    """The reports of a folder by name."""
    paths = sorted(folder.glob("*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def value(figure: Figure) -> str:
    """A figure as read by people, with its interval."""
    if figure.interval is not None:
        low, high = figure.interval
        return f"{report.percent(figure.value)} ({100 * low:.1f}–{100 * high:.1f})"
    for ending, unit in UNITS.items():
        if figure.path.endswith(ending):
            return f"{figure.value:.3g}{unit}"
    return report.percent(figure.value) if 0 <= figure.value <= 1 else f"{figure.value:.3g}"


def write(folder: Path) -> None:
    """Write README.md and its plot beside the reports of a folder."""
    reports = read(folder)
    (folder / "README.md").write_text(page(reports), encoding="utf-8")
    (folder / PLOT).write_text(plot(_shares(reports)), encoding="utf-8")


def page(reports: dict[str, dict[str, Any]]) -> str:
    """The overview as markdown."""
    known = discover()
    rows = []
    for name, held in reports.items():
        figures = watched(known[name], held) if name in known else []
        for figure in figures:
            sign = "↑" if figure.sign > 0 else "↓"
            rows.append((f"[{name}]({name}.md)", f"{figure.path} {sign}", value(figure)))
    made = [
        (f"[{name}]({name}.md)", held["date"], f"`{held['command']}`", held["hardware"])
        for name, held in reports.items()
    ]
    missing = [name for name, bench in known.items() if name not in reports and not bench.needs]
    parts = [
        "# What was measured",
        "`sightloop bench NAME` makes a report again and says what got worse; each JSON beside a "
        "report holds the machine, the versions, the digests of the weights and the seeds.",
        report.table(("report", "figure", "value (95% interval)"), rows),
        "↑ the higher the better, ↓ the lower. Intervals are Wilson's, for the number of requests "
        "or scenes; a figure without one is an average, a time or a ratio.",
        f"![the shares above with their intervals]({PLOT})",
        report.table(("report", "date", "command", "hardware"), made),
    ]
    if missing:
        parts.append(f"Never measured, or not committed: {', '.join(missing)}.")
    return "\n\n".join(parts) + "\n"


def _shares(reports: dict[str, dict[str, Any]]) -> list[tuple[str, Figure]]:
    known = discover()
    return [
        (f"{name}: {figure.path}", figure)
        for name, held in reports.items() if name in known
        for figure in watched(known[name], held) if figure.interval
    ]  # fmt: skip


def plot(shares: Sequence[tuple[str, Figure]]) -> str:
    """Each share as a dot on a line from 0 to 100%, its interval as a bar; SVG."""
    high = LINE * (len(shares) + 2)
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {high}" '
            f'width="{WIDE}" height="{high}" font-family="sans-serif" font-size="12">',
            f'<rect width="{WIDE}" height="{high}" fill="white"/>',
            *_axis(high),
            *(mark for row, share in enumerate(shares, 1) for mark in _row(row, *share)),
            "</svg>",
            "",
        )
    )


def _across(share: float) -> float:
    return round(LABEL + share * (WIDE - LABEL - 20), 1)


def _axis(high: int) -> Iterator[str]:
    for share in (0, 0.25, 0.5, 0.75, 1):
        x = _across(share)
        yield f'<line x1="{x}" y1="{LINE}" x2="{x}" y2="{high - LINE}" stroke="#ddd"/>'
        yield f'<text x="{x}" y="{high - 5}" text-anchor="middle">{100 * share:.0f}%</text>'


def _row(row: int, label: str, figure: Figure) -> Iterator[str]:
    assert figure.interval is not None
    y = row * LINE + LINE // 2
    low, top = map(_across, figure.interval)
    colour = "#2563a8" if figure.sign > 0 else "#b4530a"
    yield f'<text x="{LABEL - 10}" y="{y + 4}" text-anchor="end">{escape(label)}</text>'
    yield f'<line x1="{low}" y1="{y}" x2="{top}" y2="{y}" stroke="{colour}" stroke-width="3"/>'
    yield f'<circle cx="{_across(figure.value)}" cy="{y}" r="4" fill="{colour}"/>'
