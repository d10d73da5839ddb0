"""Home: where the store and the cache lie in the person's folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tools.home import home

if TYPE_CHECKING:
    from agent.store import Store

__all__ = ["cache_folder", "home", "open_store", "store_folder"]


def store_folder() -> Path:
    """Where the picture store lies."""
    return home() / "store"


def open_store() -> Store:
    """The person's store, where the environment says; see agent/storage.py."""
    from agent import storage

    return storage.open_store(home())


def cache_folder() -> Path:
    """Where results of earlier calls lie; may be deleted at any time."""
    return home() / "cache"
