"""Repair benchmark: what each way to draw or mend gains and costs, by what it is for.

    python -m benchmarks.repair --each 3

Requests like StickerEval's, but none of its own. Each is drawn at once and with a place for each
thing, and checked; then every repair that is proposed for a picture drawn at once is carried out
from that same state and checked again. What comes out is written to `agent/repair_rates.json`: it
is what a loop believes before it has measured anything. Run it again after the weights change.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import JsonValue

from agent.arranging import laid_out
from agent.drawing import Drawing
from agent.looking import look
from agent.loop import Work
from agent.mending import arguments_of, carry_out
from agent.plan import Call, Plan
from agent.planner import PlanRequest
from agent.rates import SHIPPED, Arm, Rate, Worth
from agent.repair import repairs
from agent.running import LoopState, Order
from agent.steps import Steps
from agent.store import Store
from benchmarks import report
from benchmarks.bench import Bench
from benchmarks.expectation import KINDS
from benchmarks.stickereval_prompts import MAKERS, load
from tools.toolbox import Toolbox

SEED = 4711
FIRST = 4  # pictures drawn at once for each request; half as many are laid out
REDRAWN = 2  # pictures of a repair that draws anew
UNASKED = Worth(0.0, 0.0, 0.0)
State = dict[str, Drawing]
BENCH = Bench(
    full="--each 2",
    seeds="prompts from seed 4711, pictures from seed 1000 for each prompt",
    needs="its name: it writes agent/repair_rates.json too",
)


def prompts(each: int) -> list[str]:
    """So many requests of each kind of StickerEval, none of which it asks itself."""
    rng = np.random.default_rng(SEED)
    asked = {prompt.text for prompt in load()}
    made: list[str] = []
    for kind in KINDS:
        number = 0
        while number < each:
            text = MAKERS[kind](rng, 50 + number).words()
            if text not in asked and text not in made:
                made.append(text)
                number += 1
    return made


class Begun:
    """Plans one call, as it stands; a seed in it keeps the loop from beginning in its own way."""

    def __init__(self, tool: str, given: Mapping[str, JsonValue]) -> None:
        self.call = Call(id="c1", tool=tool, input=dict(given))

    async def plan(self, request: PlanRequest) -> Plan:
        """The call."""
        return Plan(calls=(self.call,))


async def begun(planner: Begun, request: str, toolbox: Toolbox, store: Store) -> tuple[Work, State]:
    """A run that has drawn and looked once; the store counts what that was worth."""
    work = Work(Order(request=request, budget_s=None), toolbox, planner, store, None)
    work.open((), None)
    steps = Steps(work.run)
    state: LoopState = await steps.plan({})
    state = {**state, **await steps.act(state)}
    state = {**state, **await steps.verify(state)}
    return work, state["drawings"]


async def tried(request: str, seed: int, toolbox: Toolbox, store: Store) -> None:
    """Both first shots of one request, and every repair of one picture drawn at once."""
    given: dict[str, JsonValue] = {"prompt": request, "seed": seed, "n": FIRST}
    work, drawings = await begun(Begun("generate", given), request, toolbox, store)
    run = work.run
    for drawing in drawings.values():
        if not drawing.claims:
            continue
        size_wh = run.keeper.picture(drawing.best[-1].image).size_wh
        if placed := laid_out(given, drawing.claims, size_wh, seed):
            shot = Begun("layout", {**placed, "seed": seed, "n": FIRST // 2})
            laid, _ = await begun(shot, request, toolbox, store)
            await laid.close("done", None)
        first = min(drawing.best, key=lambda one: one.seed or 0)
        alone = drawing.model_copy(update={"wanted": 1, "best": (first,)})
        if alone.passes():
            continue
        for way in repairs(alone, tools=arguments_of(run), size_wh=size_wh, pictures=REDRAWN):
            await look(run, {alone.call: await carry_out(run, alone, way, UNASKED)})
    await work.close("done", None)


async def measure(requests: Sequence[str], toolbox: Toolbox) -> dict[Arm, Rate]:
    """The rates over all requests, as the store has counted them."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "warm")
        await tried(requests[0], 1, toolbox, store)  # loads every network, uncounted
        store.close()
        store = Store(Path(folder) / "counted")
        for number, request in enumerate(requests):
            await tried(request, 1000 * number, toolbox, store)
            print(f"{number + 1}/{len(requests)} {request}", flush=True)
        digests = {toolbox.checkpoint_digest(name) for name in toolbox.names()}
        rates = store.repair_rates(sorted(digests))
        store.close()
    return rates


def body(rates: dict[Arm, Rate]) -> str:
    """The rates as markdown, the best a second first."""
    rows = [
        (
            *(kind, arm, f"{rate.tries:g}"),
            f"{rate.gained / rate.tries:.2f}",
            f"{rate.seconds / rate.tries:.2f}",
            f"{rate.gained / max(rate.seconds, 1e-6):.2f}",
        )
        for (arm, kind), rate in sorted(
            rates.items(), key=lambda one: (one[0][1], -one[1].gained / max(one[1].seconds, 1e-6))
        )
    ]
    head = ("for", "way", "pictures", "gain a picture", "s a picture", "gain a s")
    said = (
        "A gain is a failed check that then passes (one half if it is unsure) or, for a first shot "
        "of so many things, a picture on which every check passes."
    )
    return f"{report.table(head, rows)}\n\n{said}"


def main() -> None:
    """Command line."""
    from tools.profile import load_profile
    from tools.toolbox import LocalToolbox

    parser = argparse.ArgumentParser(description="What repairs mend and cost.")
    parser.add_argument("--each", type=int, default=3, help="requests of each kind")
    parser.add_argument("--profile", default="miniature")
    arguments = parser.parse_args()
    toolbox = LocalToolbox(load_profile(arguments.profile))
    rates = asyncio.run(measure(prompts(arguments.each), toolbox))
    weights = toolbox.checkpoint_digest("generate")
    toolbox.close()
    command = f"python -m benchmarks.repair --each {arguments.each}"
    held: list[dict[str, Any]] = [
        {"arm": arm, "kind": kind, "rate": rate.model_dump()}
        for (arm, kind), rate in sorted(rates.items())
    ]
    measured = {"command": command, "weights": weights, "rates": held}
    SHIPPED.write_text(json.dumps(measured, indent=1) + "\n")
    print(body(rates))
    report.write(
        "repair", "First shots and repairs: gained and spent", command, {"rates": held}, body(rates)
    )


if __name__ == "__main__":
    main()
