"""Report: figures written where readers look, as JSON and as a table, with how they came about."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "benchmarks"


def hardware() -> str:
    """The machine in words: processor, cores that may be used, threads that are."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    threads = os.environ.get("OMP_NUM_THREADS", "default")
    return f"{model}, {os.cpu_count()} cores, OMP_NUM_THREADS={threads}"


def percent(value: float | None) -> str:
    """Such as "87.5%"; a dash where there is nothing to count."""
    return "–" if value is None else f"{100 * value:.1f}%"


def share(right: Sequence[bool]) -> float | None:
    """Share of true values, 0..1; None of nothing."""
    return sum(right) / len(right) if right else None


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def write(
    name: str,
    title: str,
    command: str,
    figures: Mapping[str, Any],
    body: str,
    folder: Path = FOLDER,
) -> Path:
    """Write `name`.json and `name`.md.

    Args:
        name: file name without ending.
        title: the heading.
        command: what makes these figures again.
        figures: JSON values.
        body: markdown below the heading.
        folder: where to write.

    Returns:
        The markdown file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = {
        "command": command,
        "date": datetime.now(UTC).date().isoformat(),
        "hardware": hardware(),
    }
    text = json.dumps({**made, **figures}, indent=2, ensure_ascii=False)
    (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    how = f"`{command}` · {made['date']} · {made['hardware']}"
    markdown = folder / f"{name}.md"
    markdown.write_text(f"# {title}\n\n{how}\n\n{body}\n", encoding="utf-8")
    return markdown
