"""Gallery: every picture of the conversations, the newest first."""

from __future__ import annotations

import streamlit as st

from ui.face.engine import Engine
from ui.face.session import Session

MOST = 48
ACROSS = 6


def show(engine: Engine, state: Session) -> None:
    """Pictures in a grid, each with the way to its conversation."""
    st.title("Pictures")
    found: dict[str, tuple[str, str]] = {}
    for talk in engine.store.conversations():
        for handle, identity in reversed(engine.store.handles(talk).items()):
            found.setdefault(identity, (talk, handle))
    if not found:
        st.info("Nothing here yet: ask for a picture in the chat.")
    columns = st.columns(ACROSS)
    for number, (identity, (talk, handle)) in enumerate(list(found.items())[:MOST]):
        with columns[number % ACROSS]:
            origin = engine.store.lineage(identity)[-1].origins[-1]
            words = str(origin.input.get("prompt") or origin.tool)
            st.image(str(engine.store.path(identity)), width="stretch", alt=words, caption=words)
            if st.button("Open", key=identity, width="stretch"):
                state.open(talk)
                state.picture = handle
                st.toast("Opened: see Chat.")
    if len(found) > MOST:
        st.caption(f"{MOST} of {len(found)} are shown.")
