"""Face: the chat with pictures in the browser; the only place that imports streamlit."""
