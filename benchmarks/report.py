"""Report: figures written where readers look, as JSON and as a table, with how they came about."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.bench import discover, watched

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "benchmarks"
OUT = Path("sightloop-out") / "benchmarks"  # of quick runs, and where there is no clone
LIBRARIES = ("sightloop", "numpy", "torch", "transformers", "diffusers", "tokenizers", "ray")
STARTED = time.perf_counter()


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


def machine() -> dict[str, Any]:
    """What figures of time depend on, beside the processor."""
    made: dict[str, Any] = {
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "cores_allowed": _cores(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "accelerator": "none",
    }
    torch = sys.modules.get("torch")  # a benchmark that does not draw need not load it
    if torch is not None and torch.cuda.is_available():
        made["accelerator"] = torch.cuda.get_device_name(0)
    return made


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def versions() -> dict[str, str]:
    """Versions of the libraries that figures depend on, of those that are installed."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str | None:
    """The commit that was measured, "+" behind it if files differ from it; None outside git."""
    try:
        run = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"],
            cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return None
    return run.stdout.strip()


def checkpoints(profile: str) -> dict[str, str]:
    """Digest of each checkpoint that a profile names and that is on this machine."""
    from models import weights
    from models.errors import Unavailable
    from tools.profile import load_profile

    found = {}
    for settings in load_profile(profile).tools.values():
        try:
            found[settings.checkpoint] = weights.digest(settings.checkpoint)
        except Unavailable:
            continue
    return found


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


def place(name: str, command: str) -> Path:
    """The folder for the report of this command: that of the docs, unless it is a quick run."""
    bench = discover().get(name)
    quick = bench is not None and command.split()[3:] == bench.quick.split() != bench.full.split()
    return OUT if quick or not FOLDER.is_dir() else FOLDER


def write(
    name: str,
    title: str,
    command: str,
    figures: Mapping[str, Any],
    body: str,
    folder: Path | None = None,
    *,
    profile: str | None = None,
) -> Path:
    """Write `name`.json and `name`.md, and the overview beside them.

    Args:
        name: the benchmark's, which is also the file name without ending.
        title: the heading.
        command: what makes these figures again, "python -m benchmarks.…" with its arguments.
        figures: JSON values.
        body: markdown below the heading.
        folder: where to write; see `place`.
        profile: the one measured, whose checkpoints are recorded.

    Returns:
        The markdown file.
    """
    from benchmarks import overview

    folder = folder or place(name, command)
    folder.mkdir(parents=True, exist_ok=True)
    bench = discover().get(name)
    made: dict[str, Any] = {
        "title": title,
        "command": command,
        "date": datetime.now(UTC).date().isoformat(),
        "hardware": hardware(),
        "machine": machine(),
        "versions": versions(),
        "commit": commit(),
        "checkpoints": checkpoints(profile) if profile else {},
        "seeds": bench.seeds if bench else "",
        "took_s": round(time.perf_counter() - STARTED, 1),
        "peak_memory_gib": round(peak_bytes() / 2**30, 2),
        "intervals": {
            one.path: one.interval for one in (watched(bench, figures) if bench else ())
            if one.interval
        },
    }  # fmt: skip
    text = json.dumps({**made, **figures}, indent=2, ensure_ascii=False)
    (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    how = f"`{command}` · {made['date']} · {made['hardware']}"
    markdown = folder / f"{name}.md"
    markdown.write_text(f"# {title}\n\n{how}\n\n{body}\n", encoding="utf-8")
    overview.write(folder)
    return markdown


def peak_bytes() -> int:
    """Most memory that this process has held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
