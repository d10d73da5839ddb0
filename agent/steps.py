"""Steps: plan, act, verify, refine and reply as functions from state to state.

`agent/graph.py` says which follows which. The state holds records and ids; pixels, tools and
the clock are in the `Run` that the steps share.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agent.act import act
from agent.aims import aims
from agent.approving import approved
from agent.checklist import Claim
from agent.checkpoint import capture
from agent.commands import Command, command
from agent.drawing import Drawing
from agent.events import MessageSaid, PlanMade, Sentence
from agent.looking import look
from agent.mending import mend
from agent.messages import Observation
from agent.plan import Call, Plan, dependents, renamed, validate, wants_missing_picture
from agent.planner import PlanRequest
from agent.refine import variants
from agent.reply import ASK_FOR_A_PICTURE, call_sentences, ending_sentences, picture_sentences
from agent.requests import asks_about_a_picture
from agent.running import LoopState, Run
from agent.state import CallRecord, Check, ImageRecord, RunResult, Stopped
from tools.errors import InvalidInput

PLANS = 3  # times a planner is asked in one run


@dataclass
class Steps:
    """The steps of one run."""

    run: Run

    async def plan(self, state: LoopState) -> LoopState:
        """Ask the planner, and check what it plans before anything runs."""
        run = self.run
        if wanted := command(run.request):
            return {"plan": self._command(wanted), "stopped": "reply", "mending": False}
        handles = self._handles()
        searches = "retrieve" in run.toolbox.names()  # then none need be in the conversation
        if not handles and not searches and asks_about_a_picture(run.request):
            return {"plan": Plan(reply=ASK_FOR_A_PICTURE), "stopped": "reply", "mending": False}
        if not run.budget.may_plan():
            return {"mending": False, "stopped": self._unplanned()}
        asked = state.get("plans", 0) + 1
        observations = state.get("observations", ())
        finished = {r.id: r.tool for r in run.board.records.values() if r.status == "done"}
        request = PlanRequest(
            run.request,
            run.toolbox,
            run.history,
            handles,
            sizes=run.keeper.sizes(),
            observations=observations,
        )
        plan = Plan()
        try:
            with run.budget.at_work("planner"):
                plan = await run.planner.plan(request)
            run.budget.tokens += plan.tokens
            if _same(plan, state.get("plan")):
                return {"mending": False, "stopped": self._unplanned()}
            new = renamed(plan, run.board.records)
            if not handles and wants_missing_picture(new, run.toolbox):
                return {"plan": Plan(reply=ASK_FOR_A_PICTURE), "stopped": "reply", "mending": False}
            validate(new, run.toolbox, tuple(run.board.pictures), finished)
        except InvalidInput as error:
            seen = Observation(call="", status="failed", text=str(error))
            update: LoopState = {
                "plan": plan,
                "plans": asked,
                "observations": (*observations, seen),
                "mending": asked < PLANS,
            }
            return update if asked < PLANS else {**update, "stopped": self._unplanned()}
        run.emit(PlanMade(calls=new.calls, reply=new.reply, checklist=self._checklist(new)))
        return {
            "plan": new,
            "plans": asked,
            "mending": False,
            "stopped": None if new.calls else "reply",
        }

    def save(self, state: LoopState) -> None:
        """Write down where the run stands, in the background."""
        self.run.keeper.save(capture(self.run, state).model_dump_json())

    async def act(self, state: LoopState) -> LoopState:
        """Run the calls that can run; what hangs on an unfinished drawing waits for it."""
        run, plan = self.run, state["plan"]
        claims = self._aims(plan)
        drawings = dict(state.get("drawings", {}))
        open_calls = {call for call in claims if claims[call] and call not in drawings}
        waiting = dependents(plan.calls, open_calls) if open_calls else set()
        calls = [c for c in plan.calls if c.id not in run.board.records and c.id not in waiting]
        await self._act(await approved(run, calls))
        for call in calls:
            record = run.board.records[call.id]
            if call.id in claims and record.status == "done":
                drawings[call.id] = self._drawing(record, claims[call.id])
        failed = {call for call in open_calls - drawings.keys() if call in run.board.records}
        lost = dependents(plan.calls, failed) if failed else set()
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
        """Check all candidates that are new; see `agent/looking.py`."""
        looked = await look(self.run, dict(state["drawings"]))
        return {"stopped": self._verdict(looked["drawings"]), **looked}

    async def refine(self, state: LoopState) -> LoopState:
        """Repair the drawing that was repaired least; see `agent/mending.py`."""
        return await mend(self.run, dict(state["drawings"]))

    async def settle(self, state: LoopState) -> LoopState:
        """Let the best pictures stand for their calls, so that what waits for them can run."""
        run = self.run
        for call, drawing in state["drawings"].items():
            if not drawing.best:
                continue
            images = tuple(run.keeper.picture(one.image) for one in drawing.best)
            given = run.board.outputs[call]
            update: dict[str, object] = {"images": images, "image": images[0]}
            update["seeds"] = tuple(one.seed for one in drawing.best)
            fields = type(given).model_fields
            update = {name: value for name, value in update.items() if name in fields}
            run.board.outputs[call] = given.model_copy(update=update)
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
                for one in drawing.best or drawing.fresh:
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
            checklist=self._checklist(plan) if drawings else (),
            stopped=stopped,
            budget=run.budget.spent(),
        )
        return {"result": result}

    async def _act(self, calls: Sequence[Call]) -> None:
        run = self.run
        seed = {"seed": run.order.seed}
        await act(calls, toolbox=run.toolbox, board=run.board, emit=run.emit, defaults=seed)

    def _handles(self) -> tuple[str, ...]:
        """Pictures that the planner is told of: those not undone, and those named outright."""
        run = self.run
        named = re.findall(r"\bimg\d+\b", run.request)
        shown = set(run.keeper.shown()) | set(named)
        return tuple(handle for handle in run.board.pictures if handle in shown)

    def _command(self, wanted: Command) -> Plan:
        """Carry out what is asked of the conversation itself; the plan only tells of it."""
        keeper = self.run.keeper
        try:
            changed = keeper.undo() if wanted == "undo" else keeper.redo()
        except InvalidInput as error:
            return Plan(reply=f"{str(error).capitalize()}.")
        verb = "is undone" if wanted == "undo" else "is back"
        left = keeper.shown()
        latest = f" The latest picture is {left[-1]}." if left else ""
        return Plan(reply=f"{', '.join(changed)} {verb}.{latest}")

    def _unplanned(self) -> Stopped:
        """How a run ends for which no better plan is to be had."""
        records = self.run.board.records.values()
        return "answered" if any(record.status == "done" for record in records) else "failed"

    def _aims(self, plan: Plan) -> dict[str, tuple[Claim, ...]]:
        run = self.run
        meant = _meant(run.request, run.before)
        return aims(plan, run.request, run.toolbox, before=meant, wishes=run.wishes)

    def _checklist(self, plan: Plan) -> tuple[Claim, ...]:
        return tuple(dict.fromkeys(one for each in self._aims(plan).values() for one in each))

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
        drawn = run.candidates(record)
        seed, source = given.get("seed"), given.get("image")
        return Drawing(
            call=record.id,
            tool=record.tool,
            input=given,
            wanted=max(1, len(drawn)),
            fields=tuple(tool.input.model_fields),
            source=source if isinstance(source, str) else None,
            claims=claims,
            variants=ways,
            fresh=drawn,
            next_seed=(seed if isinstance(seed, int) else 0) + len(drawn),
        )

    def _verdict(self, drawings: dict[str, Drawing]) -> Stopped | None:
        """Why the run may end after a verification, or None if there is more to do."""
        if not any(drawing.claims for drawing in drawings.values()):
            return "unchecked"
        if all(drawing.passes() for drawing in drawings.values()):
            return "passed"
        return None if self.run.order.loop else "single"


def _same(plan: Plan, other: Plan | None) -> bool:
    return other is not None and (plan.calls, plan.reply) == (other.calls, other.reply)


def _meant(request: str, before: Sequence[tuple[Claim, ...]]) -> tuple[Claim, ...]:
    """The checklist that a follow-up is about: the first one's if it says so, else the last."""
    if not before:
        return ()
    return before[0 if re.search(r"\bthe first\b", request.lower()) else -1]
