"""Conversations: the list in the sidebar; open, begin, export, import."""

from __future__ import annotations

import streamlit as st

from agent.archive import bring_in, export
from tools.errors import ToolError
from ui.face.engine import Engine
from ui.face.session import Session

SHOWN = 30
LETTERS = 34


def show(engine: Engine, state: Session) -> None:
    """List conversations, the newest first, under the words they began with."""
    st.markdown("## Sightloop")
    if st.button("New conversation", width="stretch", type="primary", key="new"):
        state.open(None)
        st.rerun()
    for talk in engine.store.conversations()[:SHOWN]:
        turns = engine.store.turns(talk)
        if not turns:
            continue
        words = turns[0].request
        short = words if len(words) <= LETTERS else f"{words[: LETTERS - 1]}…"
        here = talk == state.conversation
        if st.button(f"**{short}**" if here else short, key=talk, width="stretch", type="tertiary"):
            state.open(talk)
            st.rerun()
    with st.expander("Export and import"):
        _archive(engine, state)


def _archive(engine: Engine, state: Session) -> None:
    if state.conversation is not None:
        talk = state.conversation
        st.download_button(
            "Download this conversation",
            lambda: export(engine.store, talk),
            file_name="conversation.zip",
            on_click="ignore",
        )
    given = st.file_uploader("Read a downloaded conversation", type=["zip"], key="archive")
    if given is not None and st.button("Read it"):
        try:
            state.open(_read(engine, given.getvalue()))
        except ToolError as error:
            st.error(str(error))
        else:
            st.rerun()


def _read(engine: Engine, data: bytes) -> str:
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "conversation.zip"
        file.write_bytes(data)
        return bring_in(engine.store, file)
