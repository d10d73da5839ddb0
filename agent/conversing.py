"""Conversing: the part of the store that remembers conversations: turns, names, wishes, undo.

A picture is never forgotten: undo hides what a turn gave, redo shows it again, a branch is
another conversation that begins with the same turns and pictures.
"""

from __future__ import annotations

import json
import sqlite3
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager

from pydantic import JsonValue

from agent.checklist import Claim
from agent.messages import Message
from agent.turns import Turn, Wishes
from tools.errors import InvalidInput

SCHEMA = """
CREATE TABLE IF NOT EXISTS conversations (
    id TEXT PRIMARY KEY, made REAL NOT NULL, owner TEXT NOT NULL DEFAULT '',
    title TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS handles (
    conversation TEXT NOT NULL REFERENCES conversations, number INTEGER NOT NULL,
    picture TEXT NOT NULL REFERENCES pictures, turn INTEGER NOT NULL DEFAULT 0,
    hidden INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (conversation, number));
CREATE TABLE IF NOT EXISTS turns (
    conversation TEXT NOT NULL REFERENCES conversations, number INTEGER NOT NULL,
    state TEXT NOT NULL, request TEXT NOT NULL, reply TEXT, result TEXT, made REAL NOT NULL,
    PRIMARY KEY (conversation, number));
CREATE TABLE IF NOT EXISTS wishes (
    conversation TEXT NOT NULL REFERENCES conversations, text TEXT NOT NULL, claim TEXT,
    PRIMARY KEY (conversation, text));
CREATE TABLE IF NOT EXISTS checkpoints (
    conversation TEXT NOT NULL REFERENCES conversations, turn INTEGER NOT NULL,
    state TEXT NOT NULL, PRIMARY KEY (conversation, turn));
"""
LATER = (  # columns that stores made by earlier versions do not have
    ("conversations", "owner", "TEXT NOT NULL DEFAULT ''"),
    ("conversations", "title", "TEXT NOT NULL DEFAULT ''"),
    ("handles", "turn", "INTEGER NOT NULL DEFAULT 0"),
    ("handles", "hidden", "INTEGER NOT NULL DEFAULT 0"),
)


def extend(database: sqlite3.Connection) -> None:
    """Give the tables of an older store the columns that were added since."""
    for table, column, kind in LATER:
        present = {row[1] for row in database.execute(f"PRAGMA table_info({table})")}
        if column not in present:
            database.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")


class Conversations(ABC):
    """Conversations over a database that a subclass holds."""

    @abstractmethod
    def _rows(self, query: str, *arguments: object) -> list[tuple[str, ...]]: ...

    @abstractmethod
    def _transaction(self) -> AbstractContextManager[sqlite3.Connection]: ...

    def conversation(self, owner: str = "") -> str:
        """Begin a conversation; returns its id.

        Args:
            owner: whose it is; empty where one person uses the store.
        """
        identity = uuid.uuid4().hex
        with self._transaction() as database:
            database.execute(
                "INSERT INTO conversations (id, made, owner) VALUES (?, ?, ?)",
                (identity, time.time(), owner),
            )
        return identity

    def conversations(self, owner: str | None = None) -> tuple[str, ...]:
        """Ids of the conversations of one owner, or of all, the newest first."""
        query = "SELECT id FROM conversations WHERE ? IS NULL OR owner = ? ORDER BY made DESC"
        return tuple(row[0] for row in self._rows(query, owner, owner))

    def titles(self, owner: str | None = None) -> dict[str, str]:
        """Conversations in which something was said, the newest first, and what they are called.

        That is the name a person gave, else the words it began with.
        """
        query = (
            "SELECT id, CASE title WHEN '' THEN request ELSE title END FROM conversations "
            "JOIN turns ON conversation = id AND number = (SELECT MIN(number) FROM turns WHERE "
            "conversation = id) WHERE ? IS NULL OR owner = ? ORDER BY conversations.made DESC"
        )
        return {row[0]: row[1] for row in self._rows(query, owner, owner)}

    def rename(self, conversation: str, title: str) -> None:
        """Call a conversation something; empty is the words it began with.

        Raises:
            InvalidInput: no such conversation.
        """
        self.owner(conversation)
        with self._transaction() as database:
            database.execute(
                "UPDATE conversations SET title = ? WHERE id = ?", (title, conversation)
            )

    def owner(self, conversation: str) -> str:
        """Whose a conversation is.

        Raises:
            InvalidInput: no such conversation.
        """
        rows = self._rows("SELECT owner FROM conversations WHERE id = ?", conversation)
        if not rows:
            raise InvalidInput(f"no conversation {conversation!r} in the store")
        return rows[0][0]

    # names of pictures

    def name(self, conversation: str, identity: str, turn: int = 0) -> str:
        """Give a picture a handle in a conversation; one it has already is kept, and shown.

        Args:
            turn: the turn that gave it; 0 for one that was brought along.

        Raises:
            InvalidInput: no such conversation.
        """
        self.owner(conversation)
        with self._transaction() as database:
            rows = database.execute(
                "SELECT number FROM handles WHERE conversation = ? AND picture = ?",
                (conversation, identity),
            ).fetchall()
            if rows:
                database.execute(
                    "UPDATE handles SET hidden = 0 WHERE conversation = ? AND number = ?",
                    (conversation, rows[0][0]),
                )
                return f"img{rows[0][0]}"
            (number,) = database.execute(
                "SELECT COALESCE(MAX(number), 0) + 1 FROM handles WHERE conversation = ?",
                (conversation,),
            ).fetchone()
            database.execute(
                "INSERT INTO handles (conversation, number, picture, turn) VALUES (?, ?, ?, ?)",
                (conversation, number, identity, turn),
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
            "SELECT number, picture FROM handles WHERE conversation = ? AND (hidden = 0 OR ?) "
            "ORDER BY number"
        )
        rows = self._rows(query, conversation, int(hidden))
        return {f"img{number}": identity for number, identity in rows}

    def sizes(self, conversation: str) -> dict[str, tuple[int, int]]:
        """Handle to width and height in px, oldest first.

        Under "" is the size of what `generate` drew last, in any conversation.
        """
        query = (
            "SELECT number, width, height FROM handles JOIN pictures ON picture = id "
            "WHERE conversation = ? ORDER BY number"
        )
        rows = self._rows(query, conversation)
        found = {f"img{number}": (int(width), int(height)) for number, width, height in rows}
        last = self._rows(
            "SELECT width, height FROM pictures JOIN origins ON picture = id "
            "WHERE tool = 'generate' ORDER BY number DESC LIMIT 1"
        )
        if last:
            found[""] = (int(last[0][0]), int(last[0][1]))
        return found

    # undo, branch

    def undo(self, conversation: str) -> tuple[str, ...]:
        """Hide the pictures of the latest turn that gave any; returns their handles.

        Raises:
            InvalidInput: there is nothing to undo, or no such conversation.
        """
        self.owner(conversation)
        query = (
            "SELECT number FROM handles WHERE conversation = ? AND hidden = 0 AND turn = ("
            "SELECT MAX(turn) FROM handles WHERE conversation = ? AND hidden = 0 AND turn > 0)"
        )
        return self._hide(conversation, query, 1, "there is nothing to undo")

    def redo(self, conversation: str) -> tuple[str, ...]:
        """Show again what was hidden last; returns the handles.

        Raises:
            InvalidInput: there is nothing to redo, or no such conversation.
        """
        self.owner(conversation)
        query = (
            "SELECT number FROM handles WHERE conversation = ? AND hidden = 1 AND turn = ("
            "SELECT MIN(turn) FROM handles WHERE conversation = ? AND hidden = 1)"
        )
        return self._hide(conversation, query, 0, "there is nothing to redo")

    def _hide(self, conversation: str, query: str, hidden: int, otherwise: str) -> tuple[str, ...]:
        with self._transaction() as database:
            rows = database.execute(query, (conversation, conversation)).fetchall()
            database.executemany(
                "UPDATE handles SET hidden = ? WHERE conversation = ? AND number = ?",
                [(hidden, conversation, number) for (number,) in rows],
            )
        if not rows:
            raise InvalidInput(otherwise)
        return tuple(f"img{number}" for (number,) in sorted(rows))

    def branch(self, conversation: str, turn: int | None = None) -> str:
        """Begin another conversation with the same turns and pictures; returns its id.

        Args:
            turn: the last turn that it takes over; None is all.

        Raises:
            InvalidInput: no such conversation or turn.
        """
        last = turn if turn is not None else 2**31
        if turn is not None and turn not in {one.number for one in self.turns(conversation)}:
            raise InvalidInput(f"no turn {turn} in this conversation")
        other = self.conversation(self.owner(conversation))
        with self._transaction() as database:
            database.execute(
                "INSERT INTO turns SELECT ?, number, state, request, reply, result, made FROM "
                "turns WHERE conversation = ? AND number <= ?",
                (other, conversation, last),
            )
            database.execute(
                "INSERT INTO handles SELECT ?, number, picture, turn, hidden FROM handles "
                "WHERE conversation = ? AND turn <= ?",
                (other, conversation, last),
            )
            database.execute(
                "INSERT INTO wishes SELECT ?, text, claim FROM wishes WHERE conversation = ?",
                (other, conversation),
            )
        return other

    # whole conversations

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
        rows = self._rows(query, conversation)
        return [(int(n), picture, int(turn), bool(hidden)) for n, picture, turn, hidden in rows]

    def take_over(
        self,
        owner: str,
        turns: Sequence[Turn],
        names: Sequence[tuple[int, str, int, bool]],
        wishes: Wishes,
    ) -> str:
        """Write a conversation that comes from elsewhere; its pictures are here already.

        Returns:
            The id of the new conversation.
        """
        other = self.conversation(owner)
        with self._transaction() as database:
            database.executemany(
                "INSERT INTO turns VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        *(other, one.number, one.state, one.request, one.reply),
                        json.dumps(one.result) if one.result is not None else None,
                        time.time(),
                    )
                    for one in turns
                ],
            )
            database.executemany(
                "INSERT INTO handles (conversation, number, picture, turn, hidden) "
                "VALUES (?, ?, ?, ?, ?)",
                [(other, *name) for name in names],
            )
        for text in wishes.struck:
            self.strike(other, text)
        for claim in wishes.added:
            self.add_claim(other, claim)
        return other

    # turns

    def begin_turn(self, conversation: str, request: str) -> int:
        """Write down a request before it is worked on; returns the number of the turn."""
        self.owner(conversation)
        with self._transaction() as database:
            (number,) = database.execute(
                "SELECT COALESCE(MAX(number), 0) + 1 FROM turns WHERE conversation = ?",
                (conversation,),
            ).fetchone()
            database.execute(
                "INSERT INTO turns VALUES (?, ?, 'open', ?, NULL, NULL, ?)",
                (conversation, number, request, time.time()),
            )
        return int(number)

    def end_turn(
        self, conversation: str, number: int, state: str, reply: str | None, result: str | None
    ) -> None:
        """Write down how a turn ended: state done, failed or cancelled; result as JSON."""
        with self._transaction() as database:
            database.execute(
                "UPDATE turns SET state = ?, reply = ?, result = ? "
                "WHERE conversation = ? AND number = ?",
                (state, reply, result, conversation, number),
            )
            database.execute(
                "DELETE FROM checkpoints WHERE conversation = ? AND turn = ?",
                (conversation, number),
            )

    def save_checkpoint(self, conversation: str, turn: int, state: str) -> None:
        """Write down where the run of a turn stands; it replaces what was written before."""
        with self._transaction() as database:
            database.execute(
                "INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?)", (conversation, turn, state)
            )

    def checkpoint(self, conversation: str, turn: int) -> str | None:
        """Where the run of a turn stood when it was cut short, or None if nothing is known."""
        query = "SELECT state FROM checkpoints WHERE conversation = ? AND turn = ?"
        rows = self._rows(query, conversation, turn)
        return rows[0][0] if rows else None

    def turns(self, conversation: str) -> tuple[Turn, ...]:
        """All turns, oldest first; one that a crash cut short is still `open`.

        Raises:
            InvalidInput: no such conversation.
        """
        self.owner(conversation)
        query = (
            "SELECT number, state, request, reply, result FROM turns WHERE conversation = ? "
            "ORDER BY number"
        )
        return tuple(
            Turn(
                number=int(number),
                state=state,
                request=request,
                reply=reply,
                result=json.loads(result) if result else None,
            )
            for number, state, request, reply, result in self._rows(query, conversation)
        )

    def history(self, conversation: str) -> tuple[Message, ...]:
        """What was said, oldest first; turns that did not end have no reply."""
        query = "SELECT request, reply FROM turns WHERE conversation = ? ORDER BY number"
        messages: list[Message] = []
        for request, reply in self._rows(query, conversation):
            messages.append(Message(role="user", text=request))
            if reply is not None:
                messages.append(Message(role="assistant", text=reply))
        return tuple(messages)

    def result(self, conversation: str, number: int) -> JsonValue:
        """The result of a turn as JSON, or None if it has none."""
        query = "SELECT result FROM turns WHERE conversation = ? AND number = ?"
        rows = self._rows(query, conversation, number)
        found: JsonValue = json.loads(rows[0][0]) if rows and rows[0][0] else None
        return found

    # wishes

    def strike(self, conversation: str, text: str) -> None:
        """Leave a claim out of this conversation's checklists from now on.

        Args:
            text: the claim's, as a checklist shows it.
        """
        self._wish(conversation, text, None)

    def add_claim(self, conversation: str, claim: Claim) -> None:
        """Check one more claim on what this conversation draws from now on."""
        self._wish(conversation, claim.text, claim.model_dump_json())

    def forget_wish(self, conversation: str, text: str) -> None:
        """Take a strike or an addition back."""
        with self._transaction() as database:
            database.execute(
                "DELETE FROM wishes WHERE conversation = ? AND text = ?", (conversation, text)
            )

    def wishes(self, conversation: str) -> Wishes:
        """What was struck and added."""
        query = "SELECT text, claim FROM wishes WHERE conversation = ? ORDER BY rowid"
        rows = self._rows(query, conversation)
        return Wishes(
            struck=tuple(text for text, claim in rows if claim is None),
            added=tuple(Claim.model_validate_json(claim) for _, claim in rows if claim),
        )

    def _wish(self, conversation: str, text: str, claim: str | None) -> None:
        self.owner(conversation)
        with self._transaction() as database:
            database.execute(
                "INSERT OR REPLACE INTO wishes VALUES (?, ?, ?)", (conversation, text, claim)
            )
