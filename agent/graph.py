"""Graph: which step follows which, as a LangGraph state graph.

The edges are coroutines, since LangGraph would give each plain function a thread of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from agent.plan import Plan
from agent.running import LoopState
from agent.steps import Steps

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph
    from langgraph.runtime import Runtime

MOST_STEPS = 100_000  # budget and patience end a run, not the graph


async def after_plan(state: LoopState) -> Literal["plan", "act", "reply"]:
    """A plan that can be mended is asked for again; one without calls is a reply."""
    if state["mending"]:
        return "plan"
    return "act" if not state.get("stopped") else "reply"


async def after_act(state: LoopState) -> Literal["plan", "verify", "reply"]:
    """New pictures are verified; where nothing came out, another plan may do better."""
    if state["mending"]:
        return "plan"
    return "verify" if any(d.fresh for d in state["drawings"].values()) else "reply"


async def after_verify(state: LoopState) -> Literal["refine", "settle"]:
    """What does not pass is repaired until there is a reason to stop."""
    return "settle" if state["stopped"] else "refine"


async def after_refine(state: LoopState) -> Literal["verify", "refine", "settle"]:
    """A batch that failed to be drawn has nothing to verify."""
    if state["stopped"]:
        return "settle"
    return "verify" if any(d.fresh for d in state["drawings"].values()) else "refine"


async def after_settle(state: LoopState) -> Literal["act", "reply"]:
    """Calls that waited for the best picture run now."""
    plan = state.get("plan", Plan())
    settled = state["drawings"].keys()
    waits = any(need in settled for call in plan.calls for need in call.needs())
    return "act" if waits else "reply"


Step = Literal["plan", "act", "verify", "refine", "settle", "reply"]
EDGES: dict[str, Callable[[LoopState], Awaitable[Step]]] = {
    "plan": after_plan,
    "act": after_act,
    "verify": after_verify,
    "refine": after_refine,
    "settle": after_settle,
}


async def after_start(state: LoopState) -> Step:
    """A new run plans; one that was cut short goes on behind the step that ended last."""
    at = state.get("at")
    return "plan" if at is None else await EDGES[at](state)


@lru_cache(maxsize=1)
def compiled() -> CompiledStateGraph[LoopState, Steps, LoopState, LoopState]:
    """The loop, to be invoked with the steps of a run as its context; made once a process."""
    from langgraph.graph import END, START, StateGraph  # late: it costs a second to import

    graph = StateGraph(LoopState, context_schema=Steps)
    for name in ("plan", "act", "verify", "refine", "settle", "reply"):
        graph.add_node(name, _node(name))
    graph.add_conditional_edges(START, after_start)
    for name, edge in EDGES.items():
        graph.add_conditional_edges(name, edge)
    graph.add_edge("reply", END)
    return graph.compile()


def _node(name: str) -> Callable[..., Awaitable[LoopState]]:
    """A step of whichever run the graph is invoked for."""

    async def node(state: LoopState, runtime: Runtime[Steps]) -> LoopState:
        step: Callable[[LoopState], Awaitable[LoopState]] = getattr(runtime.context, name)
        update: LoopState = {**await step(state), "at": name}
        if name in EDGES:
            runtime.context.save({**state, **update})
        return update

    return node
