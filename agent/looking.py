"""Looking: the step that checks what was drawn, and counts what each repair was worth."""

from __future__ import annotations

import time
from collections.abc import Sequence

from agent import witnesses
from agent.before import check_resized, check_unchanged, region_of
from agent.checklist import Claim
from agent.drawing import Candidate, Drawing
from agent.events import Checked, Repaired
from agent.opening import first_try
from agent.running import LoopState, Run
from agent.state import Check
from agent.verify import called, verify_many
from tools.ground import Detection
from tools.values import Image

PLACES = ("mask", "boxes")  # arguments by which a person says where a tool shall paint


async def look(run: Run, drawings: dict[str, Drawing]) -> LoopState:
    """Check all candidates that are new, those of one drawing together.

    Returns:
        The drawings; `stopped` is "budget" if the time did not suffice.
    """
    for name, drawing in drawings.items():
        if not drawing.fresh:
            continue
        started, loaded = time.perf_counter(), run.budget.loaded()
        try:
            async with run.within_budget(drawing):
                found = await checks(run, drawing)
                fits = await _fits(run, drawing)
        except TimeoutError:
            drawings[name] = drawing.model_copy(update={"fresh": (), "trying": None})
            return {"drawings": drawings, "stopped": "budget"}
        seconds = time.perf_counter() - started - (run.budget.loaded() - loaded)
        run.budget.measured("verify", seconds, len(drawing.fresh))
        verified = [
            one.model_copy(update={"checks": made, "fit": fit})
            for one, made, fit in zip(drawing.fresh, found, fits, strict=True)
        ]
        after = drawing.with_verified(verified, seconds)
        drawings[name] = after
        _count(run, drawing, verified, seconds)
        _tell(run, drawing, after)
        run.keeper.forget({one.image for one in verified} - {one.image for one in after.best})
    return {"drawings": drawings}


async def checks(run: Run, drawing: Drawing) -> list[tuple[Check, ...]]:
    """The checks of each fresh candidate, in the order of the claims."""
    pictures = [run.keeper.picture(one.image) for one in drawing.fresh]
    alone = [claim for claim in drawing.claims if not claim.compares]
    found = await verify_many(pictures, alone, run.toolbox)
    if drawing.source is None or len(alone) == len(drawing.claims):
        return found
    source = run.keeper.picture(drawing.source)
    before, *after = await _things(run, [source, *pictures], drawing.claims)
    whole = []
    for one, picture, things, made in zip(drawing.fresh, pictures, after, found, strict=True):
        record = run.board.records.get(one.call)
        mask = record.output.get("mask") if record and record.output else None
        told = one.call == drawing.call and any(drawing.input.get(name) for name in PLACES)
        boxes = [thing.box for thing in (*before, *things)]
        region = region_of(picture, mask, boxes, told=told)
        known = {check.claim: check for check in made}
        for claim in drawing.claims:
            if claim.than_before:
                known[claim] = check_resized(claim, (source, before), (picture, things))
            elif claim.compares:
                known[claim] = check_unchanged(claim, source, picture, region)
        whole.append(tuple(known[claim] for claim in drawing.claims))
    return whole


async def _fits(run: Run, drawing: Drawing) -> list[float]:
    """How well the whole prompt fits each fresh candidate; 0 where none describes the picture."""
    prompt = drawing.input.get("prompt")
    if drawing.source is not None or not prompt or "score" not in run.toolbox.names():
        return [0.0] * len(drawing.fresh)
    pictures = [run.keeper.picture(one.image) for one in drawing.fresh]
    asked = [{"image": picture, "text": prompt} for picture in pictures]
    return [getattr(one, "score", 0.0) for one in await called(run.toolbox, "score", asked)]


async def _things(
    run: Run, pictures: Sequence[Image], claims: Sequence[Claim]
) -> list[tuple[Detection, ...]]:
    """What is found in each picture of the things that a change is about."""
    nouns = witnesses.phrases(claims)
    if not nouns or "ground" not in run.toolbox.names():
        return [()] * len(pictures)
    asked = [{"image": picture, "phrases": nouns} for picture in pictures]
    found = await called(run.toolbox, "ground", asked)
    return [tuple(one.boxes) if one else () for one in found]


def _count(run: Run, before: Drawing, seen: Sequence[Candidate], seconds: float) -> None:
    """Remember what a first shot was worth, so that the next is begun in the better way."""
    tool = run.board.records[before.fresh[0].call].tool
    if before.best or before.trying or not before.claims or tool not in ("generate", "layout"):
        return
    run.keeper.count_repair(first_try(tool, before.claims, seen, before.took + seconds), tool)


def _tell(run: Run, before: Drawing, after: Drawing) -> None:
    """Emit the checks of what is new among the best, and what a repair was worth."""
    new = [one for one in after.best if one not in before.best]
    for one in new:
        for check in one.checks:
            run.emit(Checked(image=one.image, check=check))
    if before.trying is None:
        return
    tried = after.tries[-1]
    call = before.fresh[0].call
    run.keeper.count_repair(tried, run.board.records[call].tool)
    run.emit(
        Repaired(
            round=int(call.rpartition(".r")[2]), call=call, kept=bool(new), gained=tried.gained
        )
    )
