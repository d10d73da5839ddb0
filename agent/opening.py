"""Opening: how a drawing is begun, before anything was looked at.

By `layout`, each thing in its place, if that has met whole checklists in less time than drawing
at once (boxes made before pixels: LayoutGPT, Feng et al. 2023, arXiv:2305.15393). Else drawn at
once: one picture, if repairs are worth more than further draws and there is time for them; a
whole batch, best of N, if what is left afterwards would be too little for a repair. All of it is
decided by measured rates and timings.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent import rates
from agent.arranging import groups_of, laid_out
from agent.checklist import Claim
from agent.drawing import Candidate, Try
from agent.plan import Call, draws
from agent.running import Run

BATCH = 4  # pictures of one repair
MOST = 8  # pictures of a first batch
RARE = 0.03  # chance of a picture to be right, at least; nothing is hopeless
WORTH = 0.01  # chance by which a larger batch must be better, since it makes one wait longer


def first_shot(run: Run, call: Call, claims: Sequence[Claim]) -> Call:
    """The call as it is begun: laid out, with the reason, where that promises more a second."""
    asked = {"n", "seed"} & call.input.keys()  # who names them wants to see just those
    size_wh = run.keeper.sizes().get("")
    if call.tool != "generate" or "layout" not in run.toolbox.names():
        return call
    if asked or call.needs() or size_wh is None:
        return call
    things = things_in(claims)
    reason = rates.layout_first(things, run.learnt, run.toolbox.checkpoint_digest("generate"))
    given = laid_out(call.input, claims, size_wh, run.order.seed) if reason else None
    if given is None:
        return call
    return Call(id=call.id, tool="layout", input=given, why=reason)


def opened(run: Run, call: Call, claims: Sequence[Claim]) -> Call:
    """The call as it is run first: as `first_shot` says, or with more pictures than one."""
    shot = first_shot(run, call, claims)
    tool = run.toolbox.tool(shot.tool)
    asked = {"n", "seed"} & call.input.keys()
    if shot is not call or not claims or not run.order.loop or not draws(tool) or asked:
        return shot
    if "n" not in tool.input.model_fields or (number := first_batch(run, claims)) == 1:
        return shot
    return shot.model_copy(update={"input": {**shot.input, "n": number}})


def things_in(claims: Sequence[Claim]) -> int:
    """How many things a picture must show."""
    return sum(group.count for group in groups_of(claims))


def first_try(tool: str, claims: Sequence[Claim], seen: Sequence[Candidate], seconds: float) -> Try:
    """What a first shot was worth: how many of its pictures meet every check."""
    arm = rates.PLACED if tool == "layout" else rates.AT_ONCE
    met = sum(one.passes() for one in seen)
    return Try(arm, "", rates.crowd(things_in(claims)), len(seen), float(met), seconds)


def first_batch(run: Run, claims: Sequence[Claim]) -> int:
    """How many pictures a first batch should have; 1 where nothing was measured yet."""
    left = run.budget.left()
    if left == float("inf") or run.budget.cost(1) <= 0:
        return 1
    kinds = {claim.kind for claim in claims}
    anew = max(RARE, min(rates.mean(rates.AT_ONCE, kind, run.learnt) for kind in kinds))
    arms = {arm for arm, _ in (*rates.shipped(), *run.learnt)} | {rates.AT_ONCE}
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
