"""Cache: results of earlier calls, so that a refine round runs only what changed."""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tools.base import Record
from tools.values import Image, load_image

log = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS results (key TEXT PRIMARY KEY, output TEXT NOT NULL, used REAL NOT NULL,
    bytes INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS pictures (key TEXT NOT NULL, id TEXT NOT NULL, png BLOB NOT NULL,
    PRIMARY KEY (key, id));
"""


def result_key(
    tool: str, version: str, checkpoint: str, settings: Mapping[str, Any], request: Record
) -> str:
    """The name of a result: SHA-256 over all that decides it.

    Args:
        tool: its name.
        version: its version.
        checkpoint: digest of the weights.
        settings: options and number format from the profile, JSON values.
        request: arguments, seed among them; pictures enter by their ids.
    """
    parts = [tool, version, checkpoint, dict(settings), request.model_dump(mode="json")]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class ResultCache:
    """Results in one SQLite file; safe across threads and processes.

    It is only ever a shortcut: a full disk or a locked file costs a warning, not the call.
    """

    def __init__(self, folder: Path, *, limit_bytes: int = 2**30) -> None:
        """Open or make `folder`/results.sqlite; above `limit_bytes` the oldest results go."""
        self._path = folder / "results.sqlite"
        self._limit = limit_bytes
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._connection = self._open()
        except (sqlite3.Error, OSError) as error:
            log.warning("results are not kept: %s: %s", self._path, error)

    def _open(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            log.warning("%s is damaged and is started anew", self._path)
            self._path.unlink()
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=5, check_same_thread=False)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.executescript(_SCHEMA)
        return connection

    def get(self, key: str, output: type[Record]) -> Record | None:
        """The stored result as a record of class `output`, or None."""
        if self._connection is None:
            return None
        try:
            with self._lock, self._connection as db:
                row = db.execute("SELECT output FROM results WHERE key = ?", (key,)).fetchone()
                if row is None:
                    return None
                found = db.execute("SELECT id, png FROM pictures WHERE key = ?", (key,))
                pictures = {name: load_image(png).image for name, png in found}
                db.execute("UPDATE results SET used = ? WHERE key = ?", (time.time(), key))
            return output.model_validate_json(row[0], context={"pictures": pictures.__getitem__})
        except (sqlite3.Error, ValidationError, KeyError) as error:
            log.warning("a stored result cannot be used: %s", error)
            return None

    def put(self, key: str, result: Record) -> None:
        """Keep a result."""
        if self._connection is None:
            return
        text = result.model_dump_json()
        files = {image.id: image.png() for image in pictures_in(result)}
        size = len(text) + sum(len(png) for png in files.values())
        try:
            with self._lock, self._connection as db:
                db.execute("DELETE FROM pictures WHERE key = ?", (key,))
                db.execute(
                    "INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?)",
                    (key, text, time.time(), size),
                )
                rows = [(key, name, png) for name, png in files.items()]
                db.executemany("INSERT INTO pictures VALUES (?, ?, ?)", rows)
                self._shrink(db)
        except sqlite3.Error as error:
            log.warning("a result is not kept: %s", error)

    def _shrink(self, db: sqlite3.Connection) -> None:
        (total,) = db.execute("SELECT COALESCE(SUM(bytes), 0) FROM results").fetchone()
        if total <= self._limit:
            return
        for key, size in db.execute("SELECT key, bytes FROM results ORDER BY used").fetchall():
            db.execute("DELETE FROM pictures WHERE key = ?", (key,))
            db.execute("DELETE FROM results WHERE key = ?", (key,))
            total -= size
            if total <= self._limit:
                return

    def close(self) -> None:
        """Let go of the file; later calls find and keep nothing."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None


def pictures_in(value: object) -> Iterator[Image]:
    """Every picture inside a record, however deep."""
    if isinstance(value, Image):
        yield value
    elif isinstance(value, Record):
        for field in type(value).model_fields:
            yield from pictures_in(getattr(value, field))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from pictures_in(item)
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from pictures_in(item)
