"""Page: the frame of the face: title, sidebar, and which page is shown."""

from __future__ import annotations

import streamlit as st

from tools.errors import ToolError
from ui.face import chat, conversations, gallery, modelpage
from ui.face.engine import engine
from ui.face.session import session

STYLE = """<style>
.block-container {padding-top: 4.5rem; padding-bottom: 6rem; max-width: 84rem}
[data-testid="stChatMessage"] {padding: .6rem .2rem}
img {image-rendering: auto; border-radius: .5rem}
[data-testid="stBaseButton-tertiary"], [data-testid="stBaseButton-tertiary"] div {
  justify-content: flex-start; text-align: left}
[data-testid="stCaptionContainer"], [data-testid="stImageCaption"] {opacity: 1; color: inherit}
[data-testid="stCaptionContainer"] p, [data-testid="stImageCaption"] p {color: inherit}
[data-testid="stMain"] h2, [data-testid="stMain"] h3 {font-size: 1.25rem}
@media (max-width: 640px) {.block-container {padding-left: .8rem; padding-right: .8rem}}
</style>"""


def show() -> None:
    """Draw the whole page."""
    st.set_page_config(page_title="Sightloop", page_icon="👁️", layout="wide")
    st.html(STYLE)
    try:
        shared = engine()
    except ToolError as error:
        st.error(f"Sightloop cannot start: {error}")
        return
    state = session(shared)

    def talk() -> None:
        chat.show(shared, state)

    def pictures() -> None:
        gallery.show(shared, state)

    def models() -> None:
        modelpage.show(shared)

    pages = [
        st.Page(talk, title="Chat", default=True, url_path="chat"),
        st.Page(pictures, title="Pictures", url_path="pictures"),
        st.Page(models, title="Models", url_path="models"),
    ]
    chosen = st.navigation(pages, position="top")
    with st.sidebar:
        conversations.show(shared, state)
    chosen.run()
