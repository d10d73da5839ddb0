"""Home: the folder where a person's pictures, their history and their indexes are kept."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def home() -> Path:
    """SIGHTLOOP_HOME, or `sightloop` in the person's data folder. Not made here."""
    if given := os.environ.get("SIGHTLOOP_HOME"):
        return Path(given).expanduser().absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library/Application Support/sightloop"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", str(Path.home()))) / "sightloop"
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local/share") / "sightloop"
