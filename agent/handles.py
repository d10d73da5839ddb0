"""Handles: the part of the store that gives pictures their names in a conversation.

A picture is never forgotten: undo hides what a turn gave, redo shows it again.
"""

from __future__ import annotations

from agent.database import Rows
from tools.errors import InvalidInput


class Handles(Rows):
    """Names such as img1, over a database that a subclass holds."""

    def name(self, conversation: str, identity: str, turn: int = 0) -> str:
        """Give a picture a handle in a conversation; one it has already is kept, and shown.

        Args:
            turn: the turn that gave it; 0 for one that was brought along.

        Raises:
            InvalidInput: no such conversation.
        """
        self.owner(conversation)
        with self._database.transaction() as sql:
            rows = sql(
                "SELECT number FROM handles WHERE conversation = ? AND picture = ?",
                *(conversation, identity),
            )
            if rows:
                sql(
                    "UPDATE handles SET hidden = 0 WHERE conversation = ? AND number = ?",
                    *(conversation, rows[0][0]),
                )
                return f"img{rows[0][0]}"
            ((number,),) = sql(
                "SELECT COALESCE(MAX(number), 0) + 1 FROM handles WHERE conversation = ?",
                conversation,
            )
            sql(
                "INSERT INTO handles (conversation, number, picture, turn) VALUES (?, ?, ?, ?)",
                *(conversation, number, identity, turn),
            )
        return f"img{number}"

    def handles(self, conversation: str, *, hidden: bool = True) -> dict[str, str]:
        """Handle to picture id, oldest first.

        Args:
            hidden: whether those that were undone are among them.

        Raises:
            InvalidInput: no such conversation.
        """
        self.owner(conversation)
        query = (
            "SELECT number, picture FROM handles WHERE conversation = ? AND hidden <= ? "
            "ORDER BY number"
        )
        rows = self._database.rows(query, conversation, int(hidden))
        return {f"img{number}": identity for number, identity in rows}

    def sizes(self, conversation: str, weights: str = "") -> dict[str, tuple[int, int]]:
        """Handle to width and height in px, oldest first.

        Args:
            weights: digest of a checkpoint; under "" is the size of what `generate` drew with
                it last, in any conversation.
        """
        query = (
            "SELECT number, width, height FROM handles JOIN pictures ON picture = id "
            "WHERE conversation = ? ORDER BY number"
        )
        rows = self._database.rows(query, conversation)
        found = {f"img{number}": (int(width), int(height)) for number, width, height in rows}
        last = self._database.rows(
            "SELECT width, height FROM pictures JOIN origins ON picture = id WHERE "
            "tool = 'generate' AND json_extract(origin, '$.checkpoint') = ? "
            "ORDER BY number DESC LIMIT 1",
            weights,
        )
        if last:
            found[""] = (int(last[0][0]), int(last[0][1]))
        return found

    def undo(self, conversation: str) -> tuple[str, ...]:
        """Hide the pictures of the latest turn that shows any; returns their handles.

        Raises:
            InvalidInput: there is nothing to undo, or no such conversation.
        """
        return self._turned(conversation, hide=True)

    def redo(self, conversation: str) -> tuple[str, ...]:
        """Show again what was hidden last; returns the handles.

        Raises:
            InvalidInput: there is nothing to redo, or no such conversation.
        """
        return self._turned(conversation, hide=False)

    def _turned(self, conversation: str, *, hide: bool) -> tuple[str, ...]:
        """Hide what is shown of the latest turn, or show what is hidden of the earliest."""
        self.owner(conversation)
        of = (conversation, int(not hide))
        with self._database.transaction() as sql:
            numbers = sql(
                "SELECT number FROM handles WHERE conversation = ? AND hidden = ? AND turn = "
                "(SELECT turn FROM handles WHERE conversation = ? AND hidden = ? AND turn > 0 "
                "ORDER BY turn * ? LIMIT 1) ORDER BY number",
                *(*of, *of, -1 if hide else 1),
            )
            for (number,) in numbers:
                sql(
                    "UPDATE handles SET hidden = ? WHERE conversation = ? AND number = ?",
                    *(int(hide), conversation, number),
                )
        if not numbers:
            raise InvalidInput(f"there is nothing to {'undo' if hide else 'redo'}")
        return tuple(f"img{number}" for (number,) in numbers)

    def named(self, conversation: str) -> list[tuple[int, str, int, bool]]:
        """Number, picture id, turn and whether it is hidden, of every handle.

        Raises:
            InvalidInput: no such conversation.
        """
        self.owner(conversation)
        query = (
            "SELECT number, picture, turn, hidden FROM handles WHERE conversation = ? "
            "ORDER BY number"
        )
        rows = self._database.rows(query, conversation)
        return [(int(n), picture, int(turn), bool(hidden)) for n, picture, turn, hidden in rows]
