"""Fronts: which of the front processes that share a database are alive.

Each raises a number every few seconds. One whose number stands still is taken for dead by those
that watch it, on their own clocks: no two machines need agree on the time.
"""

from __future__ import annotations

import time
import uuid

from agent.database import Database

SCHEMA = "CREATE TABLE IF NOT EXISTS fronts (id TEXT PRIMARY KEY, beats INTEGER NOT NULL)"
BEAT_S = 5.0
SILENT_S = 30.0


class Fronts:
    """The other fronts, as this one sees them.

    Attributes:
        me: id of this front.
        shared: whether there may be others at all.
    """

    def __init__(self, database: Database) -> None:
        database.extend(SCHEMA)
        self._rows = database.rows
        self._seen: dict[str, tuple[int, float]] = {}  # id to its number, and since when
        self.me = uuid.uuid4().hex
        self.shared = database.shared

    def beat(self) -> None:
        """Say that this front is alive."""
        self._rows(
            "INSERT INTO fronts VALUES (?, 1) ON CONFLICT (id) DO UPDATE SET beats = "
            "fronts.beats + 1",
            self.me,
        )

    def leave(self) -> None:
        """Say that it ends, so that nobody waits for its silence."""
        self._rows("DELETE FROM fronts WHERE id = ?", self.me)

    def others(self) -> set[str]:
        """Ids of the other fronts that are alive; the dead are forgotten."""
        now = time.monotonic()
        alive = set()
        for identity, beats in self._rows("SELECT id, beats FROM fronts WHERE id <> ?", self.me):
            known, since = self._seen.get(identity, (None, now))
            if known != beats:
                since = now
            self._seen[identity] = (beats, since)
            if now - since < SILENT_S:
                alive.add(identity)
            else:
                self._rows("DELETE FROM fronts WHERE id = ?", identity)
        return alive
