"""Canvas: the picture of the workspace as something to click, box and paint on."""

from __future__ import annotations

import base64
import io

import streamlit as st

from tools.values import Image
from ui.face import marking, parts
from ui.face.engine import Engine
from ui.face.session import Marks, Session
from ui.overlay import mask_over

WAYS = {"click": "Click it", "box": "Drag a box", "brush": "Paint it"}
LONGEST = 1024  # px of a picture on its way to the browser
HOW = {
    "click": "Click on a thing; shift-click on what does not belong to it.",
    "box": "Drag a box around a thing.",
    "brush": "Paint over what shall change.",
}


def show(engine: Engine, state: Session, image: Image, label: str) -> None:
    """The picture to mark, how to, and what may be said then."""
    mode = state.marking
    assert mode is not None
    marks = state.marks
    shown = image if marks.mask is None else mask_over(image, marks.mask)
    key = f"canvas-{image.id[:12]}"

    def marked() -> None:
        mark = st.session_state[key].get("mark")
        if mark:
            marking.take(engine, image, marks, mark)

    parts.canvas(
        {
            "src": source(shown),
            "width": image.width,
            "height": image.height,
            "mode": mode,
            "brush": marking.brush(image),
            "points": marks.points if mode == "click" else [],
            "label": f"{label}. {HOW[mode]} Keys: arrows move, Enter marks.",
        },
        key=key,
        then=marked,
    )
    if marks.problem:
        st.warning(marks.problem)
    if marks.mask is None:
        st.caption(HOW[mode])
        return
    sure = "" if marks.score is None else f" The edge is right to about {marks.score:.0%}."
    st.caption(
        f"{marks.mask.pixels.mean():.0%} of the picture is marked.{sure} "
        "**Now say below what it shall be**, such as *a red apple*; or *remove it*; "
        "or ask *what is it?*"
    )
    st.button("Start the mark again", on_click=_forget, args=(state,), width="stretch")


def ways(state: Session) -> None:
    """The buttons that choose how to mark."""
    key = f"way{state.looks}"
    st.segmented_control(
        "Mark a part of it",
        list(WAYS),
        format_func=WAYS.__getitem__,
        key=key,
        on_change=_choose,
        args=(state, key),
        width="stretch",
    )


def _choose(state: Session, key: str) -> None:
    state.marking, state.marks, state.claim = st.session_state[key], Marks(), None


def _forget(state: Session) -> None:
    state.marks = Marks()


def source(image: Image) -> str:
    """A picture as a data address, small enough to send with every look."""
    return _source(image.id, image)


@st.cache_data(show_spinner=False, max_entries=256)
def _source(identity: str, _image: Image) -> str:
    picture = _image.to_pil()
    picture.thumbnail((LONGEST, LONGEST))
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=92, method=2)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
