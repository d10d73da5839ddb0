"""Page: the frame of the face: title, sidebar, and which page is shown."""

from __future__ import annotations

import streamlit as st

from tools.errors import ToolError
from ui.face import chat, conversations, gallery, modelpage
from ui.face.engine import engine
from ui.face.session import session

STYLE = """<style>
.block-container {padding-top: 4.5rem; padding-bottom: 2rem; max-width: 84rem}
[data-testid="stChatMessage"] {padding: .6rem .2rem}
img {border-radius: .5rem}
[data-testid="stBaseButton-tertiary"], [data-testid="stBaseButton-tertiary"] div {
  justify-content: flex-start; text-align: left}
[data-testid="stCaptionContainer"], [data-testid="stImageCaption"] {opacity: 1; color: inherit}
[data-testid="stCaptionContainer"] p, [data-testid="stImageCaption"] p {color: inherit}
.block-container h1 {font-size: 2.1rem !important}
.block-container :is(h2, h3) {font-size: 1.25rem !important; padding: .8rem 0 .6rem}
.block-container h4 {font-size: 1rem !important; padding: .4rem 0 0}
@media (min-width: 641px) {
  [data-testid="stColumn"]:has(.st-key-work) {position: sticky; top: 4rem; align-self: flex-start}
  .st-key-work {max-height: calc(100vh - 14rem); overflow-y: auto; padding: 4px}
}
@media (max-width: 640px) {
  .block-container {padding-left: .8rem; padding-right: .8rem}
  [data-testid="stHorizontalBlock"]:has(> [data-testid="stColumn"] .st-key-work) {
    flex-direction: column-reverse}
  .st-key-samples > div {width: calc(50% - .5rem) !important}
}
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
        gallery.show(shared, state, pages[0])

    def models() -> None:
        modelpage.show(shared)

    pages = [
        st.Page(talk, title="Chat", default=True, url_path="chat"),
        st.Page(pictures, title="Pictures", url_path="pictures"),
        st.Page(models, title="Models", url_path="models"),
    ]
    current = st.navigation(pages, position="top")
    with st.sidebar:
        if conversations.show(shared, state):
            st.switch_page(pages[0])
    current.run()
