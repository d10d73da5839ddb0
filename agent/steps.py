"""Steps: plan, act, verify, refine and reply as functions from state to state.

`agent/graph.py` says which follows which. The state holds records and ids; pixels, tools and
the clock are in the `Run` that the steps share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.act import act
from agent.approving import approved
from agent.checklist import Claim
from agent.checkpoint import capture
from agent.drawing import Drawing
from agent.events import PlanMade
from agent.looking import look
from agent.mending import mend
from agent.opening import first_shot, opened
from agent.plan import Call, dependents
from agent.planning import PLANS, aims_of, checklist_of, make_plan
from agent.refine import variants
from agent.running import LoopState, Run
from agent.state import CallRecord, Stopped
from agent.telling import tell


@dataclass
class Steps:
    """The steps of one run."""

    run: Run

    async def plan(self, state: LoopState) -> LoopState:
        """Ask the planner, and check what it plans before anything runs."""
        made = await make_plan(self.run, state)
        plan = made.get("plan")
        accepted = made.get("stopped") in (None, "reply") and not made["mending"]
        if plan is not None and accepted and "plans" in made:
            claims, checklist = aims_of(self.run, plan), checklist_of(self.run, plan)
            calls = tuple(first_shot(self.run, c, claims.get(c.id, ())) for c in plan.calls)
            self.run.emit(PlanMade(calls=calls, reply=plan.reply, checklist=checklist))
        return made

    def save(self, state: LoopState) -> None:
        """Write down where the run stands, in the background."""
        self.run.keeper.save(capture(self.run, state).model_dump_json())

    async def act(self, state: LoopState) -> LoopState:
        """Run the calls that can run; what hangs on an unfinished drawing waits for it."""
        run, plan = self.run, state["plan"]
        claims = aims_of(run, plan)
        drawings = dict(state.get("drawings", {}))
        open_calls = {call for call in claims if claims[call] and call not in drawings}
        waiting = dependents(plan.calls, open_calls) if open_calls else set()
        calls = [c for c in plan.calls if c.id not in run.board.records and c.id not in waiting]
        first = [opened(run, call, claims.get(call.id, ())) for call in calls]
        await self._act(await approved(run, first))
        for call in calls:
            record = run.board.records[call.id]
            if call.id in claims and record.status == "done":
                drawings[call.id] = self._drawing(call, record, claims[call.id])
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
        """Say what came of it; see `agent/telling.py`."""
        return {"result": await tell(self.run, state)}

    async def _act(self, calls: Sequence[Call]) -> None:
        run = self.run
        seed = {"seed": run.order.seed}
        await act(calls, toolbox=run.toolbox, board=run.board, emit=run.emit, defaults=seed)

    def _drawing(self, call: Call, record: CallRecord, claims: tuple[Claim, ...]) -> Drawing:
        """What is known of a call's pictures; it stands as planned, however it was begun."""
        run, given, wanted = self.run, dict(record.input), call.input.get("n")
        tool = run.toolbox.tool(call.tool)
        given = {name: value for name, value in given.items() if name in tool.input.model_fields}
        if "n" in given:  # a first batch may have had more, to choose from
            given["n"] = wanted or 1
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
            tool=call.tool,
            input=given,
            wanted=wanted if isinstance(wanted, int) else 1 if claims else max(1, len(drawn)),
            fields=tuple(tool.input.model_fields),
            source=source if isinstance(source, str) else None,
            claims=claims,
            variants=ways,
            fresh=drawn,
            next_seed=(seed if isinstance(seed, int) else 0) + len(drawn),
            took=run.working(record),
        )

    def _verdict(self, drawings: dict[str, Drawing]) -> Stopped | None:
        """Why the run may end after a verification, or None if there is more to do."""
        if not any(drawing.claims for drawing in drawings.values()):
            return "unchecked"
        if all(drawing.passes() for drawing in drawings.values()):
            return "passed"
        return None if self.run.order.loop else "single"
