"""Loop: one request from words to a result, as a stream of events.

Draw, look, check, repair; the best picture so far is never lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Literal

from agent.aims import makes_pictures
from agent.budget import Budget, MeteredToolbox
from agent.events import Done, Event, Failed
from agent.graph import MOST_STEPS, compiled
from agent.keeping import Keeper
from agent.planner import Planner
from agent.running import LoopState, Run
from agent.state import RunResult
from agent.steps import Steps
from agent.store import Store, mended
from agent.trace import Trace
from tools.errors import InvalidInput, ToolError
from tools.toolbox import Toolbox
from tools.values import Image

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.graph.state import CompiledStateGraph

    Graph = CompiledStateGraph[LoopState, Steps, LoopState, LoopState]

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
    loop: bool = True,
    conversation: str | None = None,
) -> AsyncIterator[Event]:
    """Carry out one request.

    The stream ends with `Done`, or with `Failed` where the request cannot be carried out at
    all. A caller that stops following cancels the run; what was drawn by then is kept.

    Args:
        request: what the person wants, in words.
        images: pictures that come with it; they become the next handles of the conversation.
        seed: decides every picture together with the request; counted up for repairs.
        budget_s: seconds of wall time; None is no limit. The first picture is always drawn
            and checked; no repair begins that would not fit by the rates measured so far.
        loop: False draws and checks once and repairs nothing.
        conversation: id of one in the store; None begins another.

    Raises:
        asyncio.CancelledError: the task was cancelled; pictures drawn so far are in the store.
    """
    graph = compiled()  # its second of import is start-up, not the run's time
    events: asyncio.Queue[Event | None] = asyncio.Queue()
    try:
        work = _Work(request, images, toolbox, planner, store, seed, budget_s, loop, conversation)
        await asyncio.to_thread(work.open, events)
    except ToolError as error:
        yield _failed(error)
        return
    task = asyncio.create_task(work.go(graph))
    result: RunResult | None = None
    failure: ToolError | None = None
    ended: Ended = "cancelled"
    try:
        while (event := await events.get()) is not None:
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


class _Work:
    """One run between its opening and its closing in the store."""

    def __init__(
        self,
        request: str,
        images: Sequence[Image],
        toolbox: Toolbox,
        planner: Planner,
        store: Store,
        seed: int,
        budget_s: float | None,
        loop: bool,
        conversation: str | None,
    ) -> None:
        if not request.strip():
            raise InvalidInput("the request is empty; say what you want in words")
        if seed < 0:
            raise InvalidInput(f"a seed is 0 or more, not {seed}")
        self.request = request.strip()
        self.images = images
        self.planner = planner
        self.store = store
        self.seed = seed
        self.loop = loop
        self.conversation = conversation
        self.budget = Budget(budget_s)
        self.toolbox = MeteredToolbox(toolbox, self.budget)

    def open(self, events: asyncio.Queue[Event | None]) -> None:
        """Write the request down and take its pictures in."""
        self.conversation = self.conversation or self.store.conversation()
        history = self.store.history(self.conversation)
        self.turn = self.store.begin_turn(self.conversation, self.request)
        self.trace = Trace(self.store.root / "traces" / f"{self.conversation}-{self.turn}.jsonl")
        self.keeper = Keeper(self.store, self.conversation, self.toolbox)
        alive = self.toolbox.names()
        drawing = [name for name in alive if makes_pictures(self.toolbox.tool(name))]
        self.run = Run(
            request=self.request,
            toolbox=self.toolbox,
            planner=self.planner,
            budget=self.budget,
            keeper=self.keeper,
            seed=self.seed,
            loop=self.loop,
            send=events,
            history=history,
            learnt=self.store.repair_rates([self.toolbox.checkpoint_digest(n) for n in drawing]),
        )
        self.run.board.pictures = self.keeper.take_in(self.images)

    async def go(self, graph: Graph) -> RunResult:
        """Run the graph; the stream of events ends when it does."""
        try:
            start: LoopState = {}
            limit: RunnableConfig = {"recursion_limit": MOST_STEPS}
            state = await graph.ainvoke(start, limit, context=Steps(self.run))
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
        assert self.conversation is not None
        reply = result.reply if result else None
        json = result.model_dump_json() if result else None
        self.store.end_turn(self.conversation, self.turn, ended, reply, json)
        with mended(self.store.root):
            self.trace.save()


def _failed(error: ToolError) -> Failed:
    kind = "invalid_input" if isinstance(error, InvalidInput) else "unavailable"
    return Failed.model_validate({"kind": kind, "message": str(error)})
