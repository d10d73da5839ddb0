"""Session: what one browser session looks at; the rest is in the store."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from tools.errors import InvalidInput
from ui.face.engine import Engine


@dataclass
class Session:
    """State of one browser session.

    Attributes:
        conversation: id, or None before the first request.
        picture: handle of the picture in the workspace; None is the newest.
        claim: text of the claim whose evidence is shown; None is all.
        draft: a request that could not be sent; offered again.
        problem: what was wrong with it, in words.
        attached: ids of pictures that go with the next request.
    """

    conversation: str | None = None
    picture: str | None = None
    claim: str | None = None
    draft: str = ""
    problem: str = ""
    attached: tuple[str, ...] = ()

    def open(self, conversation: str | None) -> None:
        """Look at another conversation; the address of the page names it."""
        self.conversation, self.picture, self.claim = conversation, None, None
        self.draft, self.problem, self.attached = "", "", ()
        if conversation is None:
            st.query_params.clear()
        else:
            st.query_params["talk"] = conversation


def session(engine: Engine) -> Session:
    """The state of this session; a reloaded page finds the conversation its address names."""
    if "session" not in st.session_state:
        state = Session()
        named = st.query_params.get("talk")
        if named is not None:
            try:
                engine.store.owner(named)
                state.conversation = named
            except InvalidInput:
                state.problem = "The conversation in this address is not in the store any more."
        st.session_state["session"] = state
    found: Session = st.session_state["session"]
    return found
