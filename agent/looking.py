"""Looking: the step that checks what was drawn, and counts what each repair was worth."""

from __future__ import annotations

import time
from collections.abc import Sequence

from agent import witnesses
from agent.checklist import Claim
from agent.drawing import Candidate, Drawing
from agent.events import Checked, Repaired
from agent.opening import first_try
from agent.repair import boxes_of
from agent.running import LoopState, Run
from agent.state import Check
from agent.unchanged import check_unchanged, region_of
from agent.verify import called, verify_many
from tools.errors import ToolError
from tools.values import Box, Image


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
    seen = [claim for claim in drawing.claims if claim.kind != "unchanged"]
    found = await verify_many(pictures, seen, run.toolbox)
    kept = [claim for claim in drawing.claims if claim.kind == "unchanged"]
    if not kept or drawing.source is None:
        return found
    source = run.keeper.picture(drawing.source)
    before = await _places(run, source, seen)
    compared = []
    for one, after, made in zip(drawing.fresh, pictures, found, strict=True):
        boxes = [*before, *(box for c in made for held in boxes_of(c).values() for box in held)]
        record = run.board.records.get(one.call)
        mask = (record.output or {}).get("mask") if record and one.call == drawing.call else None
        region = region_of(after, mask, boxes)
        compared.append((*made, *(check_unchanged(claim, source, after, region) for claim in kept)))
    return compared


async def _fits(run: Run, drawing: Drawing) -> list[float]:
    """How well the whole prompt fits each fresh candidate; 0 where none describes the picture."""
    prompt = drawing.input.get("prompt")
    if drawing.source is not None or not prompt or "score" not in run.toolbox.names():
        return [0.0] * len(drawing.fresh)
    pictures = [run.keeper.picture(one.image) for one in drawing.fresh]
    asked = [{"image": picture, "text": prompt} for picture in pictures]
    return [getattr(one, "score", 0.0) for one in await called(run.toolbox, "score", asked)]


async def _places(run: Run, source: Image, claims: Sequence[Claim]) -> list[Box]:
    """Where the things that a change is about are in the picture that it starts from."""
    nouns = witnesses.phrases(claims)
    if not nouns or "ground" not in run.toolbox.names():
        return []
    try:
        asked = run.toolbox.tool("ground").parse({"image": source, "phrases": nouns})
        found = await run.toolbox.call("ground", asked)
    except ToolError:
        return []
    return [one.box for one in getattr(found, "boxes", ())]


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
