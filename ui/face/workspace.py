"""Workspace: one picture large, to look at and to mark, with checks, versions and recipe."""

from __future__ import annotations

import streamlit as st

from agent.state import Check, RunResult
from agent.turns import Turn
from tools.errors import ToolError
from tools.values import Image
from ui.face import canvas, checklist, describing, recipe, versions
from ui.face.engine import Engine
from ui.face.session import Session
from ui.overlay import boxes_over, evidence_boxes


@st.fragment
def show(engine: Engine, state: Session) -> None:
    """The chosen picture; what is clicked here redraws nothing else."""
    assert state.conversation is not None
    handles = engine.store.handles(state.conversation, hidden=False)
    if not handles:
        st.info("All pictures are undone.")
        versions.show(engine, state, handles, None)
        return
    handle = state.in_view(handles)
    identity = handles[handle]
    turns = engine.store.turns(state.conversation)
    checks = checks_of(turns, identity)
    try:
        picture = engine.store.get(identity)
    except ToolError as error:
        st.error(str(error))
        return
    _picture(engine, state, picture, handle, checks)
    canvas.ways(state)
    looks, history, made = st.tabs(["Checks", "Versions", "Recipe"])
    with looks:
        checklist.show(engine, state, handle, identity, checks)
    with history:
        versions.show(engine, state, handles, handle)
    with made:
        recipe.show(engine, state, identity, handle, handles)


def _picture(
    engine: Engine, state: Session, picture: Image, handle: str, checks: list[Check]
) -> None:
    told = describing.words(engine, picture)
    words = f"{handle}: {told}" if told else handle
    if state.marking is not None:
        canvas.show(engine, state, picture, words)
        return
    over = picture
    if state.claim is not None:
        mine = [check.evidence for check in checks if check.claim.text == state.claim]
        over = boxes_over(picture, evidence_boxes(picture.id, mine))
    caption = f"{words} · {picture.width}×{picture.height} pixels"
    st.image(canvas.source(over), width="stretch", alt=words, caption=caption)


def checks_of(turns: tuple[Turn, ...], identity: str) -> list[Check]:
    """The latest checks of a picture in a conversation; empty if it was never checked."""
    for turn in reversed(turns):
        if turn.result:
            found = RunResult.model_validate(turn.result).checks
            mine = [check for check in found if check.evidence.get("image") == identity]
            if mine:
                return mine
    return []
