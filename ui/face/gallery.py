"""Gallery: every picture of the conversations, the newest first; searched by words."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import streamlit as st

from tools.errors import ToolError
from ui.face import canvas, finding, sending
from ui.face.engine import Engine
from ui.face.session import Session

MOST = 48


class Shelved(NamedTuple):
    """Where a picture is and what it was made of."""

    talk: str
    handle: str
    words: str


def show(engine: Engine, state: Session, chat: Any) -> None:
    """Pictures in a grid, each with the way to its conversation.

    Args:
        chat: the page of the chat.
    """
    st.title("Pictures")
    found = shelved(engine)
    words = ""
    if "retrieve" in engine.toolbox.names():
        words = st.text_input(
            "Search by words", placeholder="a red apple on a blue background", key="find"
        )
    elif found:
        st.info("This profile has no `retrieve`, so pictures cannot be searched by words.")
    if not found:
        st.info("Nothing here yet: ask for a picture in the chat.")
    names = list(found)
    if words.strip() and found:
        try:
            with st.spinner("Searching …"):
                names = [one for one in finding.drawn(engine, words.strip()) if one in found]
        except ToolError as error:
            st.error(str(error))
        else:
            st.caption(f"The best fit for *{words.strip()}* comes first.")
    _grid(engine, state, {name: found[name] for name in names[:MOST]}, chat)
    if len(names) > MOST:
        st.caption(f"{MOST} of {len(names)} are shown.")
    if "retrieve" in engine.toolbox.names():
        _folders(engine, state, words.strip(), chat)


def shelved(engine: Engine) -> dict[str, Shelved]:
    """Picture id to where it is, the newest first."""
    found: dict[str, Shelved] = {}
    for talk in engine.store.titles():
        for handle, identity in reversed(engine.store.handles(talk, hidden=False).items()):
            origin = engine.store.lineage(identity)[-1].origins[-1]
            told = origin.input.get("prompt") or engine.words.get(identity)
            brought = "brought along" if origin.tool == "upload" else origin.tool
            found.setdefault(identity, Shelved(talk, handle, str(told or brought)))
    return found


def _grid(engine: Engine, state: Session, pictures: dict[str, Shelved], chat: Any) -> None:
    with st.container(horizontal=True, key="gallery"):
        for identity, one in pictures.items():
            with st.container(width=150):
                try:
                    picture = engine.store.get(identity)
                except ToolError as error:
                    st.error(str(error))
                    continue
                st.image(canvas.source(picture), width="stretch", alt=one.words, caption=one.words)
                if st.button("Open", key=identity, width="stretch"):
                    state.open(one.talk)
                    state.show(one.handle)
                    st.switch_page(chat)


def _folders(engine: Engine, state: Session, words: str, chat: Any) -> None:
    folders = finding.folders()
    st.markdown("## Your own folders")
    if folders:
        st.caption(f"Searched as well: {', '.join(f'`{folder}`' for folder in folders)}")
    with st.form("folder", border=False, clear_on_submit=True):
        path = st.text_input("Add a folder of this machine", placeholder="~/Pictures")
        if st.form_submit_button("Add it") and path.strip():
            try:
                with st.spinner("Looking through it …"):
                    counted = finding.add(engine, Path(path.strip()))
            except ToolError as error:
                st.error(str(error))
            else:
                st.success(counted)
    if words and finding.folders():
        try:
            matches = finding.own(engine, words)
        except ToolError as error:
            st.error(str(error))
            return
        with st.container(horizontal=True):
            for number, file in enumerate(matches):
                with st.container(width=150):
                    st.image(str(file), width="stretch", alt=file.name, caption=file.name)
                    if st.button(
                        "Ask about it",
                        key=f"own{number}",
                        on_click=_ask,
                        args=(engine, state, file),
                        width="stretch",
                    ):
                        st.switch_page(chat)


def _ask(engine: Engine, state: Session, file: Path) -> None:
    state.open(None)
    sending.submit(engine, state, "describe this picture", [file])
