"""Welcome: what a newcomer sees: one line to write in, and pictures to begin with."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from ui.face import samples, sending
from ui.face.engine import Engine
from ui.face.session import Session

SUGGESTIONS = (
    "draw a yellow star",
    "draw a red apple on a blue background",
    "draw a fox to the left of a red book",
)


def show(engine: Engine, state: Session, say: Callable[[], None]) -> None:
    """The page without a conversation.

    Args:
        say: draws the line to write in.
    """
    st.title("What shall we look at?")
    st.write(
        "Ask for a picture: it is drawn, looked at again, and every claim of your words is "
        "checked. Or add a picture and ask about it."
    )
    with st.container():  # inside one it stays in its place, and the page is not scrolled to it
        say()
    with st.container(horizontal=True, key="suggestions"):
        for words in SUGGESTIONS:
            st.button(words, type="secondary", on_click=sending.submit, args=(engine, state, words))
    st.markdown("## Or begin with a sample")
    with st.container(horizontal=True, key="samples"):
        for sample in samples.some():
            with st.container(width=168):
                st.image(sample.source, width="stretch", alt=sample.text)
                st.button(
                    "Describe it",
                    key=f"sample{sample.seed}",
                    on_click=sending.submit,
                    args=(engine, state, "describe this picture", [sample.png]),
                    width="stretch",
                )
    if engine.toolbox.profile.name == "miniature":
        st.caption(
            "This is the **miniature**: small networks that run on any machine and know "
            "[40 kinds of stickers](models), seven colours and eight backgrounds, 128×128 pixels. "
            "For photos start `sightloop ui --profile sd15`."
        )
