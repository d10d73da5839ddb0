"""App: the script that Streamlit runs for each browser session."""

from ui.face.page import show

show()
