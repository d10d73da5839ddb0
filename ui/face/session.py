"""Session: what one browser session looks at; the rest is in the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import streamlit as st

from tools.errors import InvalidInput
from tools.values import Mask
from ui.face.engine import Engine


@dataclass
class Marks:
    """What a person marked on a picture.

    Attributes:
        points: clicks x, y in px, and whether they are on the thing.
        mask: the marked part; None while nothing is.
        score: estimated IoU of a mask that was found by clicks or a box; None if painted.
        problem: why a mark gave nothing, in words.
    """

    points: list[tuple[float, float, bool]] = field(default_factory=list)
    mask: Mask | None = None
    score: float | None = None
    problem: str = ""


@dataclass
class Session:
    """State of one browser session.

    Attributes:
        conversation: id, or None before the first request.
        picture: handle of the picture in the workspace; None is the newest.
        claim: text of the claim whose evidence is shown; None is all.
        draft: a request that could not be sent; offered again.
        problem: what was wrong with it, in words.
        marks: on the picture in the workspace; they go with the next request.
        marking: how the next mark is made: click, box or brush; None is not at all.
        looks: how often something else came into view; what was chosen by hand begins anew.
        reveal: key of what is to be scrolled to, once.
    """

    conversation: str | None = None
    picture: str | None = None
    claim: str | None = None
    draft: str = ""
    problem: str = ""
    marks: Marks = field(default_factory=Marks)
    marking: str | None = None
    looks: int = 0
    reveal: str = ""

    def open(self, conversation: str | None) -> None:
        """Look at another conversation; the address of the page names it."""
        self.conversation = conversation
        self.look_at(None)
        self.draft, self.problem = "", ""
        if conversation is None:
            st.query_params.clear()
        else:
            st.query_params["talk"] = conversation

    def look_at(self, picture: str | None) -> None:
        """Put another picture into the workspace; what was marked on the last one is gone."""
        self.picture, self.claim = picture, None
        self._unmark()

    def show(self, picture: str) -> None:
        """Put a picture into the workspace and scroll there."""
        self.look_at(picture)
        self.reveal = "work"

    def in_view(self, handles: Mapping[str, str]) -> str:
        """Handle of the picture in the workspace: the chosen one, or the newest."""
        if self.picture is not None and self.picture in handles:
            return self.picture
        return list(handles)[-1]

    def choose(self, claim: str) -> None:
        """Show what a claim stands on, or no longer."""
        self.claim = None if self.claim == claim else claim
        self._unmark()

    def _unmark(self) -> None:
        self.marks, self.marking = Marks(), None
        self.looks += 1


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
