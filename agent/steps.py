"""Steps: plan, act, verify, refine and reply as functions from state to state.

`agent/graph.py` says which follows which. The state holds records and ids; pixels, tools and
the clock are in the `Run` that the steps share.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypedDict

from pydantic import JsonValue

from agent.act import Board, act
from agent.budget import Budget
from agent.checklist import Claim, compile_checklist
from agent.drawing import Candidate, Drawing
from agent.events import (
    Checked,
    Event,
    MessageSaid,
    PlanMade,
    ProgressMade,
    Repair,
    Sentence,
    ToolFinished,
)
from agent.keeping import Keeper
from agent.messages import Message, Observation
from agent.plan import Call, Plan, dependents, draws, renamed, validate, wants_missing_picture
from agent.planner import Planner, PlanRequest
from agent.refine import choose, variants
from agent.reply import ASK_FOR_A_PICTURE, call_sentences, ending_sentences, picture_sentences
from agent.requests import asks_about_a_picture
from agent.state import CallRecord, Check, ImageRecord, RunResult, Stopped
from agent.verify import verify_many
from tools.errors import InvalidInput
from tools.toolbox import Toolbox

BATCH = 4  # candidates of one repair
PATIENCE = 6  # repairs in a row that bring nothing better before it gives up
PLANS = 3  # times a planner is asked in one run


class LoopState(TypedDict, total=False):
    """What goes from step to step."""

    plan: Plan
    plans: int  # how often the planner was asked
    mending: bool  # the last plan failed and another is worth asking for
    observations: tuple[Observation, ...]
    drawings: dict[str, Drawing]
    stopped: Stopped | None  # None while there is something to repair
    result: RunResult


@dataclass
class Run:
    """What one run works with."""

    request: str
    toolbox: Toolbox
    planner: Planner
    budget: Budget
    keeper: Keeper
    seed: int
    loop: bool
    send: asyncio.Queue[Event | None]
    history: tuple[Message, ...] = ()
    board: Board = field(default_factory=Board)
    first_step: dict[str, float] = field(default_factory=dict)

    def emit(self, event: Event) -> None:
        """Hand an event to whoever follows the run."""
        if isinstance(event, ProgressMade) and event.call not in self.first_step:
            self.first_step[event.call] = time.perf_counter()
        if isinstance(event, ToolFinished):
            output = self.board.outputs.get(event.call)
            if output is not None:
                self.keeper.keep(event.record, output)
        self.send.put_nowait(event)


@dataclass
class Steps:
    """The steps of one run."""

    run: Run

    async def plan(self, state: LoopState) -> LoopState:
        """Ask the planner, and check what it plans before anything runs."""
        run = self.run
        handles = tuple(run.board.pictures)
        if not handles and asks_about_a_picture(run.request):
            return {"plan": Plan(reply=ASK_FOR_A_PICTURE), "stopped": "reply", "mending": False}
        asked = state.get("plans", 0) + 1
        observations = state.get("observations", ())
        finished = {r.id: r.tool for r in run.board.records.values() if r.status == "done"}
        request = PlanRequest(run.request, run.toolbox, run.history, handles, observations)
        plan = Plan()
        try:
            with run.budget.at_work("planner"):
                plan = await run.planner.plan(request)
            if plan == state.get("plan"):
                return {"mending": False, "stopped": self._unplanned()}
            new = renamed(plan, run.board.records)
            if not handles and wants_missing_picture(new, run.toolbox):
                return {"plan": Plan(reply=ASK_FOR_A_PICTURE), "stopped": "reply", "mending": False}
            validate(new, run.toolbox, handles, finished)
        except InvalidInput as error:
            seen = Observation(call="", status="failed", text=str(error))
            update: LoopState = {
                "plan": plan,
                "plans": asked,
                "observations": (*observations, seen),
                "mending": asked < PLANS,
            }
            return update if asked < PLANS else {**update, "stopped": self._unplanned()}
        claims = self._checklist(new)
        checklist = tuple(dict.fromkeys(one for each in claims.values() for one in each))
        run.emit(PlanMade(calls=new.calls, reply=new.reply, checklist=checklist))
        return {
            "plan": new,
            "plans": asked,
            "mending": False,
            "stopped": None if new.calls else "reply",
        }

    async def act(self, state: LoopState) -> LoopState:
        """Run the calls that can run; what hangs on an unfinished drawing waits for it."""
        run, plan = self.run, state["plan"]
        claims = self._checklist(plan)
        drawings = dict(state.get("drawings", {}))
        open_calls = {call for call in claims if claims[call] and call not in drawings}
        waiting = dependents(plan.calls, open_calls) if open_calls else set()
        calls = [c for c in plan.calls if c.id not in run.board.records and c.id not in waiting]
        await self._act(calls)
        for call in calls:
            record = run.board.records[call.id]
            if call.id in claims and record.status == "done":
                drawings[call.id] = self._drawing(record, claims[call.id])
        lost = dependents(plan.calls, open_calls - drawings.keys())
        await self._act([c for c in plan.calls if c.id in lost])  # to be skipped, and told so
        ended = [
            run.board.records[call.id].status for call in plan.calls if call.id in run.board.records
        ]
        update: LoopState = {"drawings": drawings, "mending": False}
        if "failed" in ended and not drawings and state.get("plans", 0) < PLANS:
            update["mending"] = True
            update["observations"] = run.board.observations()
        if not any(r.status == "done" for r in run.board.records.values()):
            update["stopped"] = "failed"
        return update

    async def verify(self, state: LoopState) -> LoopState:
        """Check all candidates that are new, those of one drawing together."""
        run, drawings = self.run, dict(state["drawings"])
        for name, drawing in drawings.items():
            if not drawing.fresh:
                continue
            started = time.perf_counter()
            pictures = [run.keeper.pixels[one.image] for one in drawing.fresh]
            try:
                async with asyncio.timeout(self._deadline(drawing)):
                    found = await verify_many(pictures, drawing.claims, run.toolbox)
            except TimeoutError:
                drawings[name] = drawing.model_copy(update={"fresh": ()})
                return {"drawings": drawings, "stopped": "budget"}
            run.budget.measured("verify", time.perf_counter() - started, len(pictures))
            verified = [
                one.model_copy(update={"checks": checks})
                for one, checks in zip(drawing.fresh, found, strict=True)
            ]
            after = drawing.with_verified(verified)
            for one in after.best:
                if one not in drawing.best:
                    for check in one.checks:
                        run.emit(Checked(image=one.image, check=check))
            drawings[name] = after
            run.keeper.forget({one.image for one in verified} - {one.image for one in after.best})
        return {"drawings": drawings, "stopped": self._verdict(drawings)}

    async def refine(self, state: LoopState) -> LoopState:
        """Draw a batch of candidates for the drawing that was repaired least."""
        run, drawings = self.run, dict(state["drawings"])
        failing = [d for d in drawings.values() if not d.passes() and d.idle <= PATIENCE]
        if not failing:
            return {"stopped": "no_progress"}
        drawing = min(failing, key=lambda d: len(d.outcomes))
        number = run.budget.room(BATCH)
        if number == 0:
            return {"stopped": "budget"}
        run.budget.repairs += 1
        call = f"{drawing.call}.r{run.budget.repairs}"  # no planner can choose such an id
        index = choose(len(drawing.variants), drawing.outcomes)
        variant = drawing.variants[index]
        run.emit(
            Repair(
                round=run.budget.repairs,
                call=call,
                action=variant.action,
                failing=drawing.failing(),
                pictures=number,
            )
        )
        changed: dict[str, JsonValue] = {
            "prompt": variant.prompt,
            "negative_prompt": variant.negative_prompt,
            "guidance": variant.guidance,
            "seed": drawing.next_seed,
            "n": number,
        }
        fields = run.toolbox.tool(drawing.tool).input.model_fields
        changed = {k: v for k, v in changed.items() if k in fields and v is not None}
        repair = Call(id=call, tool=drawing.tool, input={**drawing.input, **changed})
        try:
            async with asyncio.timeout(self._deadline(drawing)):
                await act([repair], toolbox=run.toolbox, board=run.board, emit=run.emit)
        except TimeoutError:
            return {"stopped": "budget"}
        record = run.board.records[call]
        run.board.outputs.pop(call, None)  # its pictures live on in the keeper, while they matter
        drawn = self._candidates(record, index)
        drawings[drawing.call] = drawing.model_copy(
            update={
                "fresh": drawn,
                "next_seed": drawing.next_seed + number,
                "idle": drawing.idle + (0 if drawn else 1),
            }
        )
        return {"drawings": drawings}

    async def settle(self, state: LoopState) -> LoopState:
        """Let the best pictures stand for their calls, so that what waits for them can run."""
        run = self.run
        for call, drawing in state["drawings"].items():
            if not drawing.best:
                continue
            images = tuple(run.keeper.pixels[one.image] for one in drawing.best)
            update: dict[str, object] = {"images": images}
            if "seeds" in type(run.board.outputs[call]).model_fields:
                update["seeds"] = tuple(one.seed for one in drawing.best)
            run.board.outputs[call] = run.board.outputs[call].model_copy(update=update)
        return {}

    async def reply(self, state: LoopState) -> LoopState:
        """Say what came of it, from checks and outputs alone."""
        run = self.run
        plan, drawings = state.get("plan", Plan()), state.get("drawings", {})
        stopped = state.get("stopped") or "answered"
        planned = {call.id for call in plan.calls}
        sentences: list[Sentence] = []
        images: list[ImageRecord] = []
        checks: list[Check] = []
        if stopped == "reply":
            sentences.append(Sentence(text=(plan.reply or "").strip()))
        elif not run.board.records:
            problem = state["observations"][-1].text if state.get("observations") else "no plan"
            sentences.append(Sentence(text=f"I could not make a plan for this: {problem}."))
        for record in run.board.records.values():
            drawing = drawings.get(record.id)
            if drawing is not None:
                for one in drawing.best or self._undrawn(drawing):
                    image = await run.keeper.hand_over(one.image, drawing.tool)
                    images.append(image)
                    checks += one.checks
                    prompt = str(drawing.input.get("prompt", ""))
                    sentences += picture_sentences(image.handle, one.checks, prompt)
            elif record.status == "failed" or record.id in planned:
                sentences += call_sentences(record, run.keeper.names())
        sentences += ending_sentences(stopped, run.budget.spent())
        text = " ".join(sentence.text for sentence in sentences)
        run.emit(MessageSaid(text=text, sentences=tuple(sentences)))
        result = RunResult(
            reply=text,
            images=tuple(images),
            calls=tuple(run.board.records.values()),
            checks=tuple(checks),
            stopped=stopped,
            budget=run.budget.spent(),
        )
        return {"result": result}

    async def _act(self, calls: Sequence[Call]) -> None:
        run = self.run
        seed = {"seed": run.seed}
        await act(calls, toolbox=run.toolbox, board=run.board, emit=run.emit, defaults=seed)

    def _undrawn(self, drawing: Drawing) -> tuple[Candidate, ...]:
        return drawing.fresh

    def _unplanned(self) -> Stopped:
        """How a run ends for which no better plan is to be had."""
        records = self.run.board.records.values()
        return "answered" if any(record.status == "done" for record in records) else "failed"

    def _checklist(self, plan: Plan) -> dict[str, tuple[Claim, ...]]:
        """Claims of each drawing call: from the request, or, where a plan draws several
        pictures or the request says nothing that can be checked, from the call's own prompt.
        In a follow-up the request may say only what changes, so there both count.
        """
        tools = self.run.toolbox
        prompts = {
            call.id: str(call.input.get("prompt", ""))
            for call in plan.calls
            if draws(tools.tool(call.tool))
        }
        claims: dict[str, tuple[Claim, ...]] = {}
        for call, prompt in prompts.items():
            own = compile_checklist(prompt)
            asked = compile_checklist(self.run.request, prompt) if len(prompts) == 1 else ()
            both = (*asked, *own) if self.run.history else asked or own
            claims[call] = tuple(dict.fromkeys(both))
        return claims

    def _drawing(self, record: CallRecord, claims: tuple[Claim, ...]) -> Drawing:
        run, given = self.run, record.input
        tool = run.toolbox.tool(record.tool)
        guidance = given.get("guidance", getattr(tool.options, "guidance", None))
        ways = variants(
            str(given.get("prompt", "")),
            str(given.get("negative_prompt", "")),
            float(guidance) if isinstance(guidance, int | float) else None,
            claims,
        )
        drawn = self._candidates(record, 0)
        seed = given.get("seed")
        return Drawing(
            call=record.id,
            tool=record.tool,
            input=given,
            wanted=len(drawn),
            claims=claims,
            variants=ways,
            fresh=drawn,
            next_seed=(seed if isinstance(seed, int) else 0) + len(drawn),
        )

    def _candidates(self, record: CallRecord, variant: int) -> tuple[Candidate, ...]:
        """The pictures of a drawing call; empty if it failed."""
        run = self.run
        images = (record.output or {}).get("images")
        seeds = (record.output or {}).get("seeds")
        if not isinstance(images, list):
            return ()
        run.budget.pictures += len(images)
        working = record.seconds
        if record.id in run.first_step:  # before the first step it waited and loaded weights
            working = min(working, time.perf_counter() - run.first_step[record.id])
        run.budget.measured("draw", working, len(images))
        return tuple(
            Candidate(
                image=str(image),
                seed=seed if isinstance(seed, int) else None,
                call=record.id,
                variant=variant,
            )
            for image, seed in zip(
                images, seeds if isinstance(seeds, list) else [None] * len(images), strict=True
            )
        )

    def _deadline(self, drawing: Drawing) -> float | None:
        """Seconds a step may take; the first pictures are always drawn and checked."""
        left = self.run.budget.left()
        return None if not drawing.best or left == float("inf") else left

    def _verdict(self, drawings: dict[str, Drawing]) -> Stopped | None:
        """Why the run may end after a verification, or None if there is more to do."""
        if not any(drawing.claims for drawing in drawings.values()):
            return "unchecked"
        if all(drawing.passes() for drawing in drawings.values()):
            return "passed"
        return None if self.run.loop else "single"
