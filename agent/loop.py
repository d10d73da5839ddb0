"""Loop: one request from words to a result, as a stream of events.

Draw, look, check, repair; the best picture so far is never lost.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING, Literal

from agent.aims import makes_pictures
from agent.budget import Budget, MeteredToolbox
from agent.checklist import Claim
from agent.checkpoint import Checkpoint, restore
from agent.claims import merged
from agent.database import mended
from agent.events import Done, Event, Failed
from agent.graph import MOST_STEPS, compiled
from agent.keeping import Keeper
from agent.planner import Planner
from agent.running import Approve, LoopState, Order, Run
from agent.state import RunResult
from agent.steps import Steps
from agent.store import Store
from agent.trace import Trace
from tools.errors import InvalidInput, ToolError
from tools.toolbox import Toolbox
from tools.values import Image

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

Ended = Literal["done", "failed", "cancelled"]


async def run(
    request: str,
    images: Sequence[Image] = (),
    *,
    toolbox: Toolbox,
    planner: Planner,
    store: Store,
    seed: int = 0,
    budget_s: float | None = 60.0,
    most_calls: int | None = None,
    most_tokens: int | None = None,
    loop: bool = True,
    conversation: str | None = None,
    ask_before: Sequence[str] = (),
    approve: Approve | None = None,
    adapt: bool = True,
) -> AsyncIterator[Event]:
    """Carry out one request.

    The stream ends with `Done`, or with `Failed` where the request cannot be carried out at
    all. A caller that stops following cancels the run; what was drawn by then is kept.

    Args:
        request: what the person wants, in words.
        images: pictures that come with it; they become the next handles of the conversation.
        seed: decides every picture together with the request; counted up for repairs.
        budget_s: seconds of wall time, loading weights not counted; None is no limit. The first
            picture is always drawn and checked; no repair begins that would not fit by the
            rates measured so far.
        most_calls: requests to tools, looks at pictures included; None is no limit.
        most_tokens: of the language model; once used up it is not asked again.
        loop: False draws and checks once and repairs nothing.
        conversation: id of one in the store; None begins another.
        ask_before: tools whose planned calls wait for a person's yes, such as customize.
        approve: asked for that yes; without it all calls run.
        adapt: False leaves out what earlier runs measured, so that the same seed gives the same
            pictures wherever the seconds suffice.

    Raises:
        asyncio.CancelledError: the task was cancelled; pictures drawn so far are in the store.
    """
    try:
        order = Order(
            request=_worded(request),
            seed=_counted(seed),
            budget_s=budget_s,
            most_calls=most_calls,
            most_tokens=most_tokens,
            loop=loop,
            ask_before=tuple(ask_before),
            adapt=adapt,
        )
        work = Work(order, toolbox, planner, store, approve)
    except ToolError as error:
        yield _failed(error)
        return
    async with contextlib.aclosing(_follow(work, lambda: work.open(images, conversation))) as told:
        async for event in told:
            yield event


async def resume(
    conversation: str,
    turn: int | None = None,
    *,
    toolbox: Toolbox,
    planner: Planner,
    store: Store,
    approve: Approve | None = None,
) -> AsyncIterator[Event]:
    """Go on with a turn that a crash cut short, from the last step that ended.

    What was drawn and checked by then is not done again. Its budget begins anew.

    Args:
        turn: number of the turn; None is the latest that is open.
    """
    try:
        number, saved = _cut_short(store, conversation, turn)
        work = Work(saved.order, toolbox, planner, store, approve)
    except ToolError as error:
        yield _failed(error)
        return
    opening = _follow(work, lambda: work.reopen(conversation, number, saved))
    async with contextlib.aclosing(opening) as told:
        async for event in told:
            yield event


async def _follow(work: Work, opening: Callable[[], None]) -> AsyncGenerator[Event, None]:
    """The events of a run, from its opening to its closing in the store."""
    try:
        await asyncio.to_thread(opening)
    except ToolError as error:
        yield _failed(error)
        return
    task = asyncio.create_task(work.go())
    result: RunResult | None = None
    failure: ToolError | None = None
    ended: Ended = "cancelled"
    try:
        while (event := await work.events.get()) is not None:
            work.trace.add(event)
            yield event
        result = await task
        ended = "done"
    except ToolError as error:
        failure, ended = error, "failed"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        failure = await asyncio.shield(work.close(ended, result)) or failure
    if failure is not None:
        yield _failed(failure)
    elif result is not None:
        yield Done(result=result)


class Work:
    """One run between its opening and its closing in the store."""

    def __init__(
        self,
        order: Order,
        toolbox: Toolbox,
        planner: Planner,
        store: Store,
        approve: Approve | None,
    ) -> None:
        self.order = order
        self.planner = planner
        self.store = store
        self.approve = approve
        self.graph = compiled()  # its second of import is start-up, not the run's time
        self.budget = Budget(
            order.budget_s,
            loading={
                "tools": getattr(toolbox, "loading_s", float),
                "planner": getattr(planner, "loading_s", float),
            },
            most_calls=order.most_calls,
            most_tokens=order.most_tokens,
        )
        self.toolbox = MeteredToolbox(toolbox, self.budget)
        self.events: asyncio.Queue[Event | None] = asyncio.Queue()
        self.start: LoopState = {}

    def open(self, images: Sequence[Image], conversation: str | None) -> None:
        """Write the request down and take its pictures in."""
        self.conversation = conversation or self.store.conversation()
        self.history = self.store.history(self.conversation)
        self.turn = self.store.begin_turn(self.conversation, self.order.request)
        self._set_up(images)

    def reopen(self, conversation: str, turn: int, saved: Checkpoint) -> None:
        """Set a turn up again as it stood when it was cut short."""
        self.conversation, self.turn = conversation, turn
        earlier = self.store.history(conversation)
        self.history = earlier[:-1] if earlier and earlier[-1].role == "user" else earlier
        self._set_up(())
        self.start = restore(self.run, saved)

    def _set_up(self, images: Sequence[Image]) -> None:
        self.trace = Trace(self.store.root / "traces" / f"{self.conversation}-{self.turn}.jsonl")
        self.keeper = Keeper(self.store, self.conversation, self.toolbox, self.turn)
        alive = self.toolbox.names()
        drawing = [name for name in alive if makes_pictures(self.toolbox.tool(name))]
        digests = [self.toolbox.checkpoint_digest(name) for name in drawing]
        self.weights = " ".join(sorted(set(digests)))
        known = self.store.timings(self.weights)
        if self.order.adapt:
            self.budget.timings = {work: timing.faded() for work, timing in known.items()}
        self.run = Run(
            order=self.order,
            toolbox=self.toolbox,
            planner=self.planner,
            budget=self.budget,
            keeper=self.keeper,
            send=self.events,
            history=self.history,
            before=_before(self.store, self.conversation),
            wishes=self.store.wishes(self.conversation),
            approve=self.approve,
            learnt=self.store.repair_rates(digests) if self.order.adapt else {},
        )
        self.run.board.pictures = self.keeper.take_in(images)

    async def go(self) -> RunResult:
        """Run the graph; the stream of events ends when it does."""
        try:
            steps = Steps(self.run)
            if self.start.get("drawings"):
                await steps.settle(self.start)  # what waits takes the best, as it did before
            limit: RunnableConfig = {"recursion_limit": MOST_STEPS}
            state = await self.graph.ainvoke(self.start, limit, context=steps)
            result: RunResult = state["result"]
            return result
        finally:
            self.run.send.put_nowait(None)

    async def close(self, ended: Ended, result: RunResult | None) -> ToolError | None:
        """Wait for the pictures to be on disk, and write down how the turn ended.

        Returns:
            What went wrong with that, if anything did.
        """
        try:
            await self.keeper.written()
            await asyncio.to_thread(self._write_down, ended, result)
        except ToolError as error:
            return error
        return None

    def _write_down(self, ended: Ended, result: RunResult | None) -> None:
        reply = result.reply if result else None
        json = result.model_dump_json() if result else None
        self.store.end_turn(self.conversation, self.turn, ended, reply, json)
        self.store.count_batches(self.weights, self.budget.fresh)
        with mended(self.store.root):
            self.trace.save()


def _worded(request: str) -> str:
    if not request.strip():
        raise InvalidInput("the request is empty; say what you want in words")
    return request.strip()


def _counted(seed: int) -> int:
    if seed < 0:
        raise InvalidInput(f"a seed is 0 or more, not {seed}")
    return seed


def _cut_short(store: Store, conversation: str, turn: int | None) -> tuple[int, Checkpoint]:
    """The open turn and where it stood; from its beginning if no step had ended."""
    turns = [one for one in store.turns(conversation) if one.state == "open"]
    found = [one for one in turns if turn in (None, one.number)]
    if not found:
        raise InvalidInput("no turn of this conversation was cut short")
    number, request = found[-1].number, found[-1].request
    saved = store.checkpoint(conversation, number)
    if saved is None:
        return number, Checkpoint(order=Order(request=request), at=None)
    return number, Checkpoint.model_validate_json(saved)


def _before(store: Store, conversation: str) -> tuple[tuple[Claim, ...], ...]:
    """What the pictures had to satisfy after each earlier turn that had a checklist, oldest first.

    A change is added to what it changed; what was undone is left out.
    """
    named = store.named(conversation)
    undone = {turn for *_, turn, hidden in named if hidden}
    undone -= {turn for *_, turn, hidden in named if not hidden}
    stood: list[tuple[Claim, ...]] = []
    for turn in store.turns(conversation):
        if not turn.result or turn.number in undone:
            continue
        result = RunResult.model_validate(turn.result)
        if not result.checklist:
            continue
        change = any(image.parents for image in result.images)
        new = tuple(claim for claim in result.checklist if not claim.compares)
        stood.append(merged(stood[-1], new) if stood and change else new)
    return tuple(stood)


def _failed(error: ToolError) -> Failed:
    kind = "invalid_input" if isinstance(error, InvalidInput) else "unavailable"
    return Failed.model_validate({"kind": kind, "message": str(error)})
