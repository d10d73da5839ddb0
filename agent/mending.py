"""Mending: the step that repairs a drawing, one measured way at a time."""

from __future__ import annotations

import time

from agent import rates
from agent.act import act
from agent.arranging import occupied
from agent.drawing import Drawing, Try
from agent.events import Repair as RepairBegun
from agent.opening import BATCH
from agent.plan import Call
from agent.repair import Repair, repairs
from agent.running import LoopState, Run

PATIENCE = 6  # repairs in a row that bring nothing better before it gives up


async def mend(run: Run, drawings: dict[str, Drawing]) -> LoopState:
    """Repair the drawing that was repaired least, in the way that promises most a second."""
    failing = [d for d in drawings.values() if not d.passes() and d.idle <= PATIENCE]
    if not failing:
        return {"stopped": "no_progress"}
    drawing = min(failing, key=lambda d: sum(tried.pictures for tried in d.tries))
    number = run.budget.room(BATCH)
    if number == 0:
        return {"stopped": "budget"}
    picture = run.keeper.picture(drawing.best[-1].image)
    ways = repairs(
        drawing,
        tools=arguments_of(run),
        size_wh=picture.size_wh,
        pictures=number,
        taken=occupied(picture) if drawing.source else (),
    )
    chosen = rates.best(
        ways,
        learnt=run.learnt,
        tries=drawing.tries,
        a_picture=run.budget.cost(number) / number,
        alone=run.budget.cost(1),
        seconds=run.budget.left(),
    )
    if chosen is None:
        return {"stopped": "budget" if ways else "no_progress"}
    try:
        async with run.within_budget(drawing):
            mended = await carry_out(run, drawing, *chosen)
    except TimeoutError:
        return {"stopped": "budget"}
    return {"drawings": {**drawings, drawing.call: mended}}


async def carry_out(run: Run, drawing: Drawing, repair: Repair, worth: rates.Worth) -> Drawing:
    """Run the call of a repair; the drawing with what came out, not verified yet."""
    run.budget.repairs += 1
    call = f"{drawing.call}.r{run.budget.repairs}"  # no planner can choose such an id
    run.emit(
        RepairBegun(
            round=run.budget.repairs,
            call=call,
            action=repair.arm,
            failing=drawing.failing(),
            pictures=repair.pictures,
            tool=repair.tool,
            why=repair.why,
            gain=round(worth.gain, 3),
            seconds=round(worth.seconds, 3),
        )
    )
    started = time.perf_counter()
    board = run.with_pictures()
    planned = Call(id=call, tool=repair.tool, input=_known(run, repair))
    await act([planned], toolbox=run.toolbox, board=board, emit=run.emit)
    board.outputs.pop(call, None)  # its pictures live on in the keeper, while they matter
    fresh = run.candidates(board.records[call], repair.arm)
    seconds = time.perf_counter() - started
    tried = Try(repair.arm, repair.claim.text, repair.claim.kind, repair.pictures, seconds=seconds)
    update: dict[str, object] = {
        "fresh": fresh,
        "next_seed": drawing.next_seed + repair.pictures,
        "tried": (*drawing.tried, repair.key(seeded=bool(fresh))),
    }
    if fresh:
        update["trying"] = tried
    else:  # it failed: nothing to verify, and not worth another try with any seed
        update["idle"] = drawing.idle + 1
        update["tries"] = (*drawing.tries, tried)
    return drawing.model_copy(update=update)


def _known(run: Run, repair: Repair) -> dict[str, object]:
    """The arguments that the tool takes; a repair may name more, such as a seed."""
    fields = run.toolbox.tool(repair.tool).input.model_fields
    return {name: value for name, value in repair.input.items() if name in fields}


def arguments_of(run: Run) -> dict[str, tuple[str, ...]]:
    """The living tools, each with the names of its arguments."""
    toolbox = run.toolbox
    return {name: tuple(toolbox.tool(name).input.model_fields) for name in toolbox.names()}
