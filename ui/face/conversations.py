"""Conversations: the list in the sidebar; open, begin, rename, export, import."""

from __future__ import annotations

import streamlit as st

from agent.archive import bring_in, export
from tools.errors import ToolError
from ui.face.engine import Engine
from ui.face.session import Session

SHOWN = 30
LETTERS = 34


def show(engine: Engine, state: Session) -> bool:
    """List conversations, the newest first; says whether another one was opened."""
    st.markdown("## Sightloop")
    opened = False
    if st.button("New conversation", width="stretch", type="primary", key="new"):
        state.open(None)
        opened = True
    titles = engine.store.titles()
    for talk in list(titles)[:SHOWN]:
        words = titles[talk]
        short = words if len(words) <= LETTERS else f"{words[: LETTERS - 1]}…"
        here = talk == state.conversation
        if st.button(f"**{short}**" if here else short, key=talk, width="stretch", type="tertiary"):
            state.open(talk)
            opened = True
    if state.conversation is not None:
        with st.popover("Rename this conversation", width="stretch"):
            _rename(engine, state.conversation, titles.get(state.conversation, ""))
    with st.expander("Export and import"):
        _archive(engine, state)
    return opened


def _rename(engine: Engine, talk: str, title: str) -> None:
    with st.form("rename", border=False):
        words = st.text_input("Name", value=title, max_chars=80, key=f"name-{talk}")
        if st.form_submit_button("Rename", width="stretch") and words.strip():
            engine.store.rename(talk, words.strip())
            st.rerun()


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
