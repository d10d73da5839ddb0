"""Hands: each drawing and editing tool by itself, marked by the judge, with all that it drew.

    python -m benchmarks.hands
    python -m benchmarks.hands --tools edit replace --limit 16

Success is what the judge sees in the picture made; what lies outside an edit's mask must not have
changed at all. A sheet of each tool shows its pictures in the order they were made, none left out.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmarks import report
from benchmarks.bench import Bench
from benchmarks.hands_sheet import Tile, save
from benchmarks.hands_trials import TOOLS, Trial, trials
from benchmarks.judge import Judge
from models import diffusion, diffusion_load
from tools.cutout import standing_out
from tools.errors import ToolError, Unavailable
from tools.profile import load_profile
from tools.toolbox import LocalToolbox
from tools.values import Image

LIMIT = 64
MORE = ("outpaint", "restyle", "upscale")  # hands that are not judged here
COSTS = (
    "one_mib",
    "all_mib",
    "memory_over_one",
    "generate_20_steps_s",
    "bare_20_steps_s",
    "generate_over_bare",
)
BENCH = Bench(
    full="",
    quick="--limit 4 --tools generate",
    seeds="scenes of the test split, each with its own drawing seed",
    higher=("tools.*.success",),
    lower=("tools.*.outside_change", "generate_over_bare", "memory_over_one"),
    over={"tools.*.success": "judged"},
)
GOALS = {
    "layout": 0.85,
    "edit": 0.7,
    "inpaint": 0.7,
    "remove": 0.85,
    "replace": 0.7,
    "control": 0.8,
    "customize": 0.6,
}


class Made(NamedTuple):
    """One trial's outcome."""

    trial: Trial
    image: Image | None
    """None where the tool refused."""
    outside_change: float
    seconds: float


async def attempt(tool: str, trial: Trial, toolbox: LocalToolbox) -> Made:
    """Run one trial; a tool that finds nothing to work on has failed it."""
    begun = time.perf_counter()
    given = {trial.given: trial.before} if trial.before is not None and trial.given else {}
    specialist = toolbox.tool(tool)
    try:
        output: Any = await toolbox.call(tool, specialist.parse({**trial.arguments, **given}))
    except Unavailable:
        raise
    except ToolError:
        return Made(trial, None, 0.0, time.perf_counter() - begun)
    image = output.image if hasattr(output, "image") else output.images[0]
    changed = getattr(output, "outside_change", 0.0)
    return Made(trial, image, changed, time.perf_counter() - begun)


async def learn(toolbox: LocalToolbox, wanted: Sequence[Trial]) -> list[Made]:
    """Trials of customize: each thing is learnt once, then drawn."""
    made: list[Made] = []
    learnt = None
    for trial in wanted:
        begun = time.perf_counter()
        if trial.learn is not learnt:
            assert trial.learn is not None
            specialist = toolbox.tool("customize")
            await toolbox.call("customize", specialist.parse(trial.learn))
            learnt = trial.learn
        one = await attempt("generate", trial, toolbox)
        made.append(one._replace(seconds=time.perf_counter() - begun))
    return made


async def measure(
    tool: str, limit: int, toolbox: LocalToolbox, judge: Judge
) -> tuple[dict[str, Any], list[Tile]]:
    """Figures and pictures of one tool."""
    wanted = list(islice(trials(tool), limit))
    if tool == "customize":
        made = await learn(toolbox, wanted)
    else:
        made = [await attempt(tool, trial, toolbox) for trial in wanted]
    sights = iter(judge.look([one.image.pixels for one in made if one.image is not None]))
    verdicts = [[False] if one.image is None else one.trial.verdicts(next(sights)) for one in made]
    truths = judge.look([one.trial.truth.pixels for one in made])
    known = [one.trial.verdicts(sight) for one, sight in zip(made, truths, strict=True)]
    seconds = [one.seconds for one in made]
    figures = {
        "cases": len(made),
        "judged": sum(map(len, verdicts)),
        "success": report.share([right for each in verdicts for right in each]),
        "ceiling": report.share([right for each in known for right in each]),
        "refused": sum(one.image is None for one in made),
        "structure": structure(made),
        "outside_change": max(one.outside_change for one in made),
        "seconds": round(sum(seconds) / len(seconds), 2),
        "longest_s": round(max(seconds), 1),
    }
    tiles = [
        Tile(one.trial.words, one.trial.before, one.image, all(right))
        for one, right in zip(made, verdicts, strict=True)
    ]
    return figures, tiles


def structure(made: Sequence[Made]) -> float | None:
    """Mean IoU of what stands out from the ground with what the maps say, where there are maps."""
    found = []
    for one in made:
        if one.trial.solid is not None:
            out = np.zeros_like(one.trial.solid)
            if one.image is not None:
                out = standing_out(one.image.pixels)
            found.append(float((out & one.trial.solid).sum() / (out | one.trial.solid).sum()))
    return round(sum(found) / len(found), 4) if found else None


async def memory(toolbox: LocalToolbox) -> dict[str, float]:
    """Most memory of the process with one tool in use, and with all hands loaded."""
    await attempt("generate", next(trials("generate")), toolbox)
    one = report.peak_bytes()
    for tool in (*TOOLS, *MORE):
        if tool in toolbox.names():
            toolbox.load(tool)
    await attempt("inpaint", next(trials("inpaint")), toolbox)
    every = report.peak_bytes()
    return {"one_mib": one >> 20, "all_mib": every >> 20, "memory_over_one": round(every / one, 3)}


def speed(profile: str, times: int = 5) -> dict[str, float]:
    """Seconds of a picture of 20 steps with guidance, by the tool's network and by bare diffusers.

    Each is the least of `times`, the two in turn, for the machine may be busy.
    """
    settings = load_profile(profile).tools["generate"]
    place = settings.checkpoint, settings.device, settings.dtype
    network, pipeline = diffusion.load(*place), diffusion_load.pipeline(*place)
    given: dict[str, Any] = {"num_inference_steps": 20, "guidance_scale": 1.5}
    if network.channels == 9:
        given |= nothing_shown(*network.size_wh)
    bare, ours = [], []
    for seed in range(times):
        begun = time.perf_counter()
        pipeline("a dog", **given)
        bare.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        order = diffusion.Order("a dog", "", seed)
        network.draw([order], manner=diffusion.Manner(20, 1.5), size_wh=network.size_wh)
        ours.append(time.perf_counter() - begun)
    return {
        "generate_20_steps_s": round(min(ours), 2),
        "bare_20_steps_s": round(min(bare), 2),
        "generate_over_bare": round(min(ours) / min(bare), 3),
    }


def nothing_shown(width: int, height: int) -> dict[str, Any]:
    """What makes an inpainting pipeline draw from words alone: all is masked."""
    return {
        "image": torch.zeros(1, 3, height, width),
        "mask_image": torch.ones(1, 1, height, width),
        "masked_image_latents": torch.zeros(1, 4, height // 8, width // 8),
        "strength": 1.0,
        "height": height,
        "width": width,
    }


def body(found: dict[str, Any]) -> str:
    """The figures as markdown."""
    rows = []
    for tool, one in found["tools"].items():
        goal = report.percent(GOALS[tool]) if tool in GOALS else ""
        sheet = f"[{one['cases']} pictures](hands_{tool}.webp)"
        right = f"{report.percent(one['success'])} of {one['judged']}"
        outside = report.percent(one["outside_change"])
        ceiling = report.percent(one["ceiling"])
        kept = report.percent(one["structure"]) if one.get("structure") else ""
        rows.append(
            (
                f"`{tool}`",
                right,
                goal,
                kept,
                ceiling,
                outside,
                one["refused"],
                one["seconds"],
                sheet,
            )
        )
    head = (
        "tool",
        "success",
        "goal",
        "map kept (IoU)",
        "judge on truths",
        "changed outside",
        "refused",
        "seconds each",
        "all of them",
    )
    lines = [report.table(head, rows)]
    if "memory_over_one" in found:
        lines.append(
            report.table(
                ("cost", "measured", "goal: at most"),
                (
                    ("`generate` over bare diffusers, 20 steps", found["generate_over_bare"], 1.15),
                    ("`generate`, 20 steps with guidance, s", found["generate_20_steps_s"], 3),
                    ("memory, all hands over one", found["memory_over_one"], 1.2),
                ),
            )
        )
    return "\n\n".join(lines)


async def run(tools: Sequence[str], limit: int, profile: str, folder: Path) -> dict[str, Any]:
    """All figures; writes the sheets."""
    toolbox, judge = LocalToolbox(load_profile(profile)), Judge()
    found: dict[str, Any] = {"tools": {}}
    if tools == TOOLS:
        found |= await memory(toolbox)
        found |= speed(profile)
    folder.mkdir(parents=True, exist_ok=True)
    for tool in tools:
        if tool not in toolbox.names():
            print(f"{tool} is not in profile {profile}", flush=True)
            continue
        figures, tiles = await measure(tool, limit, toolbox, judge)
        found["tools"][tool] = figures
        save(tiles, folder / f"hands_{tool}.webp")
        print(json.dumps({tool: figures}), flush=True)
    toolbox.close()
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="What the drawing and editing tools can do.")
    parser.add_argument("--tools", nargs="+", choices=TOOLS, default=TOOLS, help="only these")
    parser.add_argument("--limit", type=int, default=LIMIT, help="trials of each tool")
    parser.add_argument("--profile", default="miniature")
    given = parser.parse_args()
    words = " ".join(["python -m benchmarks.hands", *sys.argv[1:]])
    tools = tuple(given.tools)
    with tempfile.TemporaryDirectory() as home:  # concepts learnt here are nobody's
        os.environ["SIGHTLOOP_HOME"] = home
        folder = report.place("hands", words)
        found = asyncio.run(run(tools, given.limit, given.profile, folder))
    if tools != TOOLS:  # the rest of the report stays as it was measured
        found = merged(folder / "hands.json", found)
    report.write("hands", "Hands", words, found, body(found), profile=given.profile)


def merged(path: Path, found: dict[str, Any]) -> dict[str, Any]:
    """What an earlier run measured of other tools, and what this one did."""
    if not path.is_file():
        return found
    kept = json.loads(path.read_text(encoding="utf-8"))
    costs = {name: kept[name] for name in COSTS if name in kept}
    return {**costs, "tools": {**kept["tools"], **found["tools"]}}


if __name__ == "__main__":
    main()
