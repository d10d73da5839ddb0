"""Rows: what every part of the store stands on: one database, and whose conversations are in it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from sqlite3 import Connection

from tools.errors import InvalidInput


class Rows(ABC):
    """A database that a subclass holds."""

    @abstractmethod
    def _rows(self, query: str, *arguments: object) -> list[tuple[str, ...]]: ...

    @abstractmethod
    def _transaction(self) -> AbstractContextManager[Connection]: ...

    def owner(self, conversation: str) -> str:
        """Whose a conversation is.

        Raises:
            InvalidInput: no such conversation.
        """
        rows = self._rows("SELECT owner FROM conversations WHERE id = ?", conversation)
        if not rows:
            raise InvalidInput(f"no conversation {conversation!r} in the store")
        return rows[0][0]
