"""Workspace: one picture large, with what its checks stand on, its recipe and its history."""

from __future__ import annotations

import json
from collections.abc import Mapping

import streamlit as st

from agent.comparing import compare
from agent.state import Check, RunResult
from tools.errors import InvalidInput, ToolError
from ui.face import checklist
from ui.face.engine import Engine, fresh_seed
from ui.face.session import Session
from ui.overlay import boxes_over, evidence_boxes

AGAIN = "generate"  # the tool whose calls can be drawn again with another seed


def show(engine: Engine, state: Session, handles: Mapping[str, str]) -> None:
    """The chosen picture, or the newest one."""
    names = list(handles)
    handle = state.picture if state.picture in handles else names[-1]
    assert handle is not None
    identity = handles[handle]
    checks = checks_of(engine, state.conversation or "", identity)
    chosen = [check for check in checks if state.claim in (None, check.claim.text)]
    boxes = evidence_boxes(identity, [check.evidence for check in chosen])
    try:
        picture = engine.store.get(identity)
    except ToolError as error:
        st.error(str(error))
        return
    over = boxes_over(picture, boxes) if state.claim is not None else picture
    words = f"{handle}, {picture.width}×{picture.height} pixels"
    st.image(over.png(), width="stretch", alt=words, caption=words)
    looks, history, recipe = st.tabs(["Checks", "Versions", "Recipe"])
    with looks:
        checklist.show(engine, state, checks)
    with history:
        _versions(engine, state, handles, handle)
    with recipe:
        _recipe(engine, state, identity, handle)


def checks_of(engine: Engine, talk: str, identity: str) -> list[Check]:
    """The latest checks of a picture in a conversation; empty if it was never checked."""
    for turn in reversed(engine.store.turns(talk)):
        if turn.result:
            found = RunResult.model_validate(turn.result).checks
            mine = [check for check in found if check.evidence.get("image") == identity]
            if mine:
                return mine
    return []


def _versions(engine: Engine, state: Session, handles: Mapping[str, str], handle: str) -> None:
    talk = state.conversation
    assert talk is not None
    names = list(handles)
    other = st.selectbox("Show another version", names, index=names.index(handle))
    if other != handle:
        state.picture, state.claim = other, None
        st.rerun()
    undo, redo, branch = st.columns(3)
    try:
        if undo.button("Undo", width="stretch"):
            engine.store.undo(talk)
            st.rerun()
        if redo.button("Redo", width="stretch"):
            engine.store.redo(talk)
            st.rerun()
    except InvalidInput as error:
        st.info(f"{str(error)[0].upper()}{str(error)[1:]}.")
    if branch.button("Branch", width="stretch", help="Go on from here in a new conversation."):
        state.open(engine.store.branch(talk))
        st.rerun()
    if len(names) > 1:
        _compare(engine, handles, handle)


def _compare(engine: Engine, handles: Mapping[str, str], handle: str) -> None:
    others = [name for name in handles if name != handle]
    against = st.selectbox("Compare with", others, index=None, placeholder="another picture")
    if against is None:
        return
    found = compare(engine.store, handles[against], handles[handle])
    for column, name in zip(st.columns(2), (against, handle), strict=True):
        column.image(engine.store.get(handles[name]).png(), caption=name, alt=name)
    differ = "the sizes differ" if found.differ is None else f"{found.differ:.0%} of pixels differ"
    st.caption(f"{differ}; made by {', '.join(found.path) or 'nothing between them'}")


def _recipe(engine: Engine, state: Session, identity: str, handle: str) -> None:
    origin = engine.store.lineage(identity)[-1].origins[-1]
    st.caption(f"made by {origin.tool}" + (f", seed {origin.seed}" if origin.seed else ""))
    st.json(origin.model_dump(mode="json", exclude_none=True), expanded=1)
    first, second = st.columns(2)
    png = engine.store.get(identity).png()
    first.download_button(
        "Picture", png, f"{handle}.png", "image/png", on_click="ignore", width="stretch"
    )
    recipe = json.dumps(origin.model_dump(mode="json"), indent=2)
    second.download_button("Recipe", recipe, f"{handle}.json", on_click="ignore", width="stretch")
    prompt = origin.input.get("prompt")
    if origin.tool == AGAIN and isinstance(prompt, str):
        from ui.face import chat

        seed = st.number_input("Seed", min_value=0, value=(origin.seed or 0) + 1)
        again, dice = st.columns(2)
        if again.button("Again with this seed", width="stretch"):
            chat.send(engine, state, f"draw {prompt}", (), int(seed))
        if dice.button("Again, surprise me", width="stretch"):
            chat.send(engine, state, f"draw {prompt}", (), fresh_seed())
