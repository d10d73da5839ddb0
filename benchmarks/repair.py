"""Repair benchmark: what each kind of repair mends and costs, by kind of failed claim.

    python -m benchmarks.repair --each 6

Requests like StickerEval's, but none of its own. Each is drawn and checked once; then every repair
that is proposed for it is carried out from that same state and checked again. What comes out is
written to `agent/repair_rates.json`: it is what a loop believes before it has measured anything.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agent.looking import look
from agent.loop import Work
from agent.mending import arguments_of, carry_out, size_of
from agent.opening import BATCH
from agent.rates import SHIPPED, Arm, Rate, Worth
from agent.repair import repairs
from agent.running import LoopState, Order
from agent.steps import Steps
from agent.store import Store
from benchmarks import report
from benchmarks.arms import Verbatim
from benchmarks.expectation import KINDS
from benchmarks.stickereval_prompts import MAKERS, load
from tools.toolbox import Toolbox

SEED = 4711
UNASKED = Worth(0.0, 0.0, 0.0)


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


async def tried(request: str, seed: int, toolbox: Toolbox, store: Store) -> list[tuple[Arm, Rate]]:
    """Every repair of one request, each from its first picture."""
    order = Order(request=request, seed=seed, budget_s=None)
    work = Work(order, toolbox, Verbatim(), store, None)
    work.open((), None)
    run, steps = work.run, Steps(work.run)
    state: LoopState = await steps.plan({})
    state = {**state, **await steps.act(state)}
    state = {**state, **await steps.verify(state)}
    found: list[tuple[Arm, Rate]] = []
    for drawing in state["drawings"].values():
        if drawing.passes() or not drawing.claims:
            continue
        ways = repairs(
            drawing, tools=arguments_of(run), size_wh=size_of(run, drawing), pictures=BATCH
        )
        for way in ways:
            begun = await carry_out(run, drawing, way, UNASKED)
            looked = await look(run, {drawing.call: begun})
            last = looked["drawings"][drawing.call].tries[-1]
            arm = (last.arm, last.kind)
            found.append((arm, Rate().plus(last.pictures, last.gained, last.seconds)))
    await work.close("done", None)
    return found


async def measure(requests: Sequence[str], toolbox: Toolbox) -> dict[Arm, Rate]:
    """The rates over all requests."""
    rates: dict[Arm, Rate] = {}
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        await tried(requests[0], 1, toolbox, store)  # loads every network, uncounted
        for number, request in enumerate(requests):
            for arm, rate in await tried(request, 1000 * number, toolbox, store):
                rates[arm] = rates.get(arm, Rate()).plus(rate.tries, rate.gained, rate.seconds)
            print(f"{number + 1}/{len(requests)} {request}", flush=True)
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
    head = ("failed claim", "repair", "pictures", "mended a picture", "s a picture", "mended a s")
    return report.table(head, rows)


def main() -> None:
    """Command line."""
    from tools.profile import load_profile
    from tools.toolbox import LocalToolbox

    parser = argparse.ArgumentParser(description="What repairs mend and cost.")
    parser.add_argument("--each", type=int, default=6, help="requests of each kind")
    parser.add_argument("--profile", default="miniature")
    arguments = parser.parse_args()
    toolbox = LocalToolbox(load_profile(arguments.profile))
    rates = asyncio.run(measure(prompts(arguments.each), toolbox))
    toolbox.close()
    command = f"python -m benchmarks.repair --each {arguments.each}"
    held: list[dict[str, Any]] = [
        {"arm": arm, "kind": kind, "rate": rate.model_dump()}
        for (arm, kind), rate in sorted(rates.items())
    ]
    SHIPPED.write_text(json.dumps({"command": command, "rates": held}, indent=1) + "\n")
    print(body(rates))
    report.write("repair", "Repairs: mended and spent", command, {"rates": held}, body(rates))


if __name__ == "__main__":
    main()
