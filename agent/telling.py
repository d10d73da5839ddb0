"""Telling: the step that says what came of a run, from checks and outputs alone."""

from __future__ import annotations

from agent.drawing import Drawing
from agent.events import MessageSaid, Sentence
from agent.plan import Plan
from agent.planning import checklist_of
from agent.reply import READERS, advice, call_sentences, ending_sentences, picture_sentences
from agent.running import LoopState, Run
from agent.state import Check, ImageRecord, RunResult


async def tell(run: Run, state: LoopState) -> RunResult:
    """Hand the pictures over, and put together the reply and the result."""
    plan, drawings = state.get("plan", Plan()), state.get("drawings", {})
    stopped = state.get("stopped") or "answered"
    sentences: list[Sentence] = []
    images: list[ImageRecord] = []
    checks: list[Check] = []
    if stopped == "reply":
        sentences.append(Sentence(text=(plan.reply or "").strip()))
    elif not run.board.records:
        problem = state["observations"][-1].text if state.get("observations") else "no plan"
        sentences.append(Sentence(text=f"I could not make a plan for this: {problem}."))
    planned = {call.id for call in plan.calls}
    for record in run.board.records.values():
        drawing = drawings.get(record.id)
        if drawing is not None:
            sentences += await _pictures(run, drawing, images, checks)
        told = record.id in planned and (drawing is None or record.tool in READERS)
        if record.error and record.error in (plan.reply or ""):  # once is enough
            continue
        if told or record.status == "failed":
            sentences += call_sentences(record, run.keeper.names())
    if stopped != "reply" and plan.calls and plan.reply:
        sentences.append(Sentence(text=plan.reply.strip()))
    tries = [tried for drawing in drawings.values() for tried in drawing.tries]
    sentences += ending_sentences(stopped, run.budget.spent(), tries)
    missed = [check.claim for check in checks if check.verdict == "fail"]
    sentences += advice(missed, run.toolbox.names())
    text = " ".join(sentence.text for sentence in sentences)
    run.emit(MessageSaid(text=text, sentences=tuple(sentences)))
    return RunResult(
        reply=text,
        images=tuple(images),
        calls=tuple(run.board.records.values()),
        checks=tuple(checks),
        checklist=checklist_of(run, plan) if drawings else (),
        stopped=stopped,
        budget=run.budget.spent(),
    )


async def _pictures(
    run: Run, drawing: Drawing, images: list[ImageRecord], checks: list[Check]
) -> list[Sentence]:
    """Hand over the best pictures of a drawing; what is to be said of them."""
    said: list[Sentence] = []
    prompt = str(drawing.input.get("prompt", ""))
    for one in drawing.best or drawing.fresh:
        image = await run.keeper.hand_over(one.image, run.board.records[one.call].tool)
        images.append(image)
        checks += one.checks
        if one.checks or drawing.tool not in READERS:  # else its reader tells all there is
            size_wh = run.keeper.picture(one.image).size_wh
            how = (prompt, drawing.tool, drawing.call, size_wh)
            said += picture_sentences(image.handle, one.checks, *how)
    return said
