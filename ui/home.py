"""Home: where the store and the cache lie in the person's folder."""

from __future__ import annotations

from pathlib import Path

from tools.home import home

__all__ = ["cache_folder", "home", "store_folder"]


def store_folder() -> Path:
    """Where the picture store lies."""
    return home() / "store"


def cache_folder() -> Path:
    """Where results of earlier calls lie; may be deleted at any time."""
    return home() / "cache"
