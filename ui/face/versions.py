"""Versions: how the pictures of a conversation came from each other; undo, branch, compare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from agent.comparing import compare
from agent.store import Store
from tools.errors import InvalidInput
from ui.face import canvas, parts
from ui.face.engine import Engine
from ui.face.session import Session

KEY = "versions"


def show(engine: Engine, state: Session, handles: Mapping[str, str], handle: str | None) -> None:
    """The graph, and what can be done with it.

    Args:
        handles: name to id of the pictures that are not undone.
        handle: the one in the workspace.
    """
    talk = state.conversation
    assert talk is not None
    store = engine.store
    everything = store.handles(talk)
    made_from = parents(store, everything)
    depth = depths(made_from)
    rows: list[list[dict[str, Any]]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for name, identity in everything.items():
        rows[depth[name]].append(
            {
                "name": name,
                "tool": _tool(store, identity),
                "src": canvas.source(store.get(identity)),
                "chosen": name == handle,
                "undone": name not in handles,
            }
        )
    edges = [(parent, name) for name, froms in made_from.items() for parent in froms]
    parts.versions(rows, edges, key=KEY, then=lambda: _choose(state, handles))
    _buttons(engine, state, talk, handle)
    if handle is not None and len(handles) > 1:
        _compare(engine, handles, handle, made_from[handle])


def parents(store: Store, handles: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """For each picture of a conversation the nearest others of it that it was made from."""
    names = {identity: name for name, identity in handles.items()}
    found: dict[str, tuple[str, ...]] = {}
    for name, identity in handles.items():
        lineage = {kept.id: kept for kept in store.lineage(identity)}
        nearest: dict[str, None] = {}
        seen = {identity}
        waiting = [identity]
        while waiting:
            for origin in lineage[waiting.pop()].origins:
                for parent in origin.parents:
                    if parent in names and parent != identity:
                        nearest[names[parent]] = None
                    elif parent not in seen:
                        seen.add(parent)
                        waiting.append(parent)
        found[name] = tuple(nearest)
    return _forwards(found)


def _forwards(made_from: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Without edges to later pictures: an edit there and back ends in the picture it began with."""
    order = list(made_from)
    return {
        name: tuple(parent for parent in froms if order.index(parent) < order.index(name))
        for name, froms in made_from.items()
    }


def depths(made_from: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
    """How many steps each picture is from one that was made from none."""
    found: dict[str, int] = {}
    for name, froms in made_from.items():
        found[name] = 1 + max((found[parent] for parent in froms), default=-1)
    return found


def _tool(store: Store, identity: str) -> str:
    tool = store.lineage(identity)[-1].origins[-1].tool
    return "yours" if tool == "upload" else tool


def _choose(state: Session, handles: Mapping[str, str]) -> None:
    name = st.session_state[KEY].get("chosen")
    if name in handles:
        state.look_at(name)
    elif name:
        st.toast(f"{name} is undone; press Redo to get it back.")


def _buttons(engine: Engine, state: Session, talk: str, handle: str | None) -> None:
    undo, redo, branch = st.columns(3)
    undo.button("Undo", on_click=_step, args=(engine, state, talk, True), width="stretch")
    redo.button("Redo", on_click=_step, args=(engine, state, talk, False), width="stretch")
    if handle is not None and branch.button(
        "Branch",
        key="branch",  # the same button whatever picture is chosen: a quick click still counts
        help=f"Go on from {handle} in a new conversation.",
        width="stretch",
    ):
        turn = {f"img{number}": turn for number, _, turn, _ in engine.store.named(talk)}[handle]
        state.open(engine.store.branch(talk, turn or None))
        st.rerun()


def _step(engine: Engine, state: Session, talk: str, back: bool) -> None:
    try:
        engine.store.undo(talk) if back else engine.store.redo(talk)
    except InvalidInput as error:
        st.toast(f"{str(error)[0].upper()}{str(error)[1:]}.")
    else:
        state.look_at(None)


def _compare(
    engine: Engine, handles: Mapping[str, str], handle: str, made_from: tuple[str, ...]
) -> None:
    others = [name for name in handles if name != handle]
    before = next((name for name in made_from if name in others), None)
    against = st.selectbox(
        "Compare with",
        others,
        index=others.index(before) if before else None,
        placeholder="another picture",
        key=f"against-{handle}",
    )
    if against is None:
        return
    found = compare(engine.store, handles[against], handles[handle])
    pair = [(canvas.source(engine.store.get(handles[name])), name) for name in (against, handle)]
    parts.slider(pair[0], pair[1], label=f"{against} on the left, {handle} on the right")
    differ = "the sizes differ" if found.differ is None else f"{found.differ:.0%} of pixels differ"
    made = f"; made by {', '.join(found.path)}" if found.path else ""
    st.caption(f"{against} ↔ {handle}: {differ}{made}")
