"""Planning: the step from words to a plan that was checked before anything runs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent.aims import aims
from agent.checklist import Claim
from agent.commands import Command, command
from agent.messages import Observation
from agent.plan import Plan, renamed, validate, wants_missing_picture
from agent.planner import PlanRequest
from agent.reply import ASK_FOR_A_PICTURE
from agent.requests import asks_about_a_picture
from agent.running import LoopState, Run
from agent.state import Stopped
from tools.errors import InvalidInput

PLANS = 3  # times a planner is asked in one run


async def make_plan(run: Run, state: LoopState) -> LoopState:
    """Ask the planner once. What cannot run is told to it, and it is asked again."""
    if wanted := command(run.request):
        return _replied(_carried_out(run, wanted))
    handles = _handles(run)
    searches = "retrieve" in run.toolbox.names()  # then no picture need be here
    if not handles and not searches and asks_about_a_picture(run.request):
        return _replied(ASK_FOR_A_PICTURE)
    if not run.budget.may_plan():
        return {"mending": False, "stopped": _unplanned(run)}
    asked = state.get("plans", 0) + 1
    observations = state.get("observations", ())
    plan = Plan()
    try:
        plan = await _ask(run, handles, observations)
        if _same(plan, state.get("plan")):
            return {"mending": False, "stopped": _unplanned(run)}
        new = renamed(plan, run.board.records)
        if not handles and wants_missing_picture(new, run.toolbox):
            return _replied(ASK_FOR_A_PICTURE)
        finished = {r.id: r.tool for r in run.board.records.values() if r.status == "done"}
        validate(new, run.toolbox, tuple(run.board.pictures), finished)
    except InvalidInput as error:
        seen = Observation(call="", status="failed", text=str(error))
        told: LoopState = {"plan": plan, "plans": asked, "observations": (*observations, seen)}
        if asked < PLANS:
            return {**told, "mending": True}
        return {**told, "mending": False, "stopped": _unplanned(run)}
    stopped: Stopped | None = None if new.calls else "reply"
    return {"plan": new, "plans": asked, "mending": False, "stopped": stopped}


def aims_of(run: Run, plan: Plan) -> dict[str, tuple[Claim, ...]]:
    """Claims for each call of a plan that makes pictures."""
    meant = _meant(run.request, run.before)
    return aims(plan, run.request, run.toolbox, before=meant, wishes=run.wishes)


def checklist_of(run: Run, plan: Plan) -> tuple[Claim, ...]:
    """All claims of a plan, each once."""
    return tuple(dict.fromkeys(one for each in aims_of(run, plan).values() for one in each))


async def _ask(run: Run, handles: tuple[str, ...], observations: tuple[Observation, ...]) -> Plan:
    request = PlanRequest(
        run.request,
        run.toolbox,
        run.history,
        handles,
        sizes=run.keeper.sizes(),
        observations=observations,
    )
    with run.budget.at_work("planner"):
        plan = await run.planner.plan(request)
    run.budget.tokens += plan.tokens
    return plan


def _replied(text: str) -> LoopState:
    return {"plan": Plan(reply=text), "stopped": "reply", "mending": False}


def _handles(run: Run) -> tuple[str, ...]:
    """Pictures that the planner is told of: those not undone, and those named outright."""
    shown = {*run.keeper.shown(), *re.findall(r"\bimg\d+\b", run.request)}
    return tuple(handle for handle in run.board.pictures if handle in shown)


def _carried_out(run: Run, wanted: Command) -> str:
    """Carry out what is asked of the conversation itself, and say so."""
    if wanted == "changes":
        return run.keeper.last_change()
    try:
        changed = run.keeper.undo() if wanted == "undo" else run.keeper.redo()
    except InvalidInput as error:
        return f"{str(error).capitalize()}."
    verb = "is undone" if wanted == "undo" else "is back"
    left = run.keeper.shown()
    latest = f" The latest picture is {left[-1]}." if left else ""
    return f"{', '.join(changed)} {verb}.{latest}"


def _unplanned(run: Run) -> Stopped:
    """How a run ends for which no better plan is to be had."""
    records = run.board.records.values()
    return "answered" if any(record.status == "done" for record in records) else "failed"


def _same(plan: Plan, other: Plan | None) -> bool:
    return other is not None and (plan.calls, plan.reply) == (other.calls, other.reply)


def _meant(request: str, before: Sequence[tuple[Claim, ...]]) -> tuple[Claim, ...]:
    """The checklist that a follow-up is about: the first one's if it says so, else the last."""
    if not before:
        return ()
    return before[0 if re.search(r"\bthe first\b", request.lower()) else -1]
