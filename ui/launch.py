"""Launch: `sightloop ui`, the chat in the browser."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from ui.ask import LlmOption
from ui.specialists import ProfileOption

SCRIPT = Path(__file__).parent / "face" / "app.py"


def ui(
    profile: ProfileOption = "miniature",
    llm: LlmOption = "embedded",
    budget: Annotated[float, typer.Option(help="Seconds that one request may take.", min=1)] = 60.0,
    server: Annotated[
        str | None,
        typer.Option(
            help="Use the tools of a `sightloop serve` at this URL; its key, if it wants one, is "
            "read from SIGHTLOOP_KEY."
        ),
    ] = None,
    port: Annotated[int, typer.Option(help="Port on this machine.", min=1, max=65535)] = 8501,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Open no browser window.")
    ] = False,
) -> None:
    """Open a chat with pictures in the browser; it listens on this machine only."""
    from agent import language
    from tools.errors import Unavailable
    from tools.profile import load_profile
    from ui.remote import RemoteToolbox

    if server is None:
        load_profile(profile)  # what is wrong is said here, not in a browser
    elif not RemoteToolbox(server, key=os.environ.get("SIGHTLOOP_KEY")).names():
        raise Unavailable(f"no tools at {server!r}; is `sightloop serve` running there?")
    else:
        os.environ["SIGHTLOOP_SERVER"] = server
    language.planner(llm)
    os.environ["SIGHTLOOP_PROFILE"] = profile
    os.environ["SIGHTLOOP_LLM"] = llm
    os.environ["SIGHTLOOP_BUDGET"] = str(budget)

    from streamlit.web import bootstrap

    options = {
        "server.address": "127.0.0.1",
        "server.port": port,
        "server.headless": no_browser,
        "server.fileWatcherType": "none",
        "server.maxUploadSize": 64,
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "minimal",
        "theme.light.primaryColor": "#4657d8",
        "theme.dark.primaryColor": "#5b6cf0",
    }
    bootstrap.load_config_options(options)
    bootstrap.run(str(SCRIPT), False, [], options)
