"""Rows: what every part of the store stands on: one database, and whose conversations are in it."""

from __future__ import annotations

from agent.database import Database
from tools.errors import InvalidInput


class Rows:
    """Tables of one database."""

    _database: Database

    def owner(self, conversation: str) -> str:
        """Whose a conversation is.

        Raises:
            InvalidInput: no such conversation.
        """
        rows = self._database.rows("SELECT owner FROM conversations WHERE id = ?", conversation)
        if not rows:
            raise InvalidInput(f"no conversation {conversation!r} in the store")
        owner: str = rows[0][0]
        return owner
