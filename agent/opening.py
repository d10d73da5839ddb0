"""Opening: how many pictures to draw before anything was looked at.

One, if repairs are worth more than further draws and there is time for them; a whole batch, best
of N, if what is left afterwards would be too little for a repair. Decided by the chance, from
measured rates and timings, that everything passes within the budget.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent import rates
from agent.checklist import Claim
from agent.plan import Call, draws
from agent.running import Run

BATCH = 4  # pictures of one repair
MOST = 8  # pictures of a first batch
RARE = 0.03  # chance of a picture to be right, at least; nothing is hopeless
WORTH = 0.01  # chance by which a larger batch must be better, since it makes one wait longer


def opened(run: Run, call: Call, claims: Sequence[Claim]) -> Call:
    """The call as it is run first: with more pictures where that promises more."""
    tool = run.toolbox.tool(call.tool)
    asked = {"n", "seed"} & call.input.keys()  # who names them wants to see just those
    if not claims or not run.order.loop or not draws(tool) or asked:
        return call
    if "n" not in tool.input.model_fields or (number := first_batch(run, claims)) == 1:
        return call
    return call.model_copy(update={"input": {**call.input, "n": number}})


def first_batch(run: Run, claims: Sequence[Claim]) -> int:
    """How many pictures a first batch should have; 1 where nothing was measured yet."""
    left = run.budget.left()
    if left == float("inf") or run.budget.cost(1) <= 0:
        return 1
    kinds = {claim.kind for claim in claims}
    anew = max(RARE, min(rates.mean("new seeds", kind, run.learnt) for kind in kinds))
    arms = {arm for arm, _ in (*rates.shipped(), *run.learnt)} | {"new seeds"}
    mending = max(min(rates.mean(arm, kind, run.learnt) for kind in kinds) for arm in arms)
    chances = {
        number: 1 - (1 - anew) ** number * (1 - mending) ** _repaired(run, left, number)
        for number in range(1, MOST + 1)
        if number == 1 or run.budget.cost(number) <= left
    }
    best = max(chances.values())
    return min(number for number, chance in chances.items() if chance >= best - WORTH)


def _repaired(run: Run, left: float, number: int) -> int:
    """Pictures that repairs could still draw after a first batch."""
    rest = left - run.budget.cost(number)
    whole, part = divmod(rest, run.budget.cost(BATCH)) if rest > 0 else (0.0, 0.0)
    fitting = [size for size in range(1, BATCH) if run.budget.cost(size) <= part]
    return int(whole) * BATCH + max(fitting, default=0)
