"""Conversing: the part of the store that remembers whole conversations: owners, wishes, branches.

A branch is another conversation that begins with the same turns and pictures.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Sequence

from agent.checklist import Claim
from agent.database import Later
from agent.handles import Handles
from agent.turnlog import TurnLog
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
    conversation TEXT NOT NULL REFERENCES conversations, number INTEGER NOT NULL,
    text TEXT NOT NULL, claim TEXT, PRIMARY KEY (conversation, number));
CREATE TABLE IF NOT EXISTS checkpoints (
    conversation TEXT NOT NULL REFERENCES conversations, turn INTEGER NOT NULL,
    state TEXT NOT NULL, PRIMARY KEY (conversation, turn));
"""
LATER: tuple[Later, ...] = (
    ("conversations", "owner", "TEXT NOT NULL DEFAULT ''", ""),
    ("conversations", "title", "TEXT NOT NULL DEFAULT ''", ""),
    ("handles", "turn", "INTEGER NOT NULL DEFAULT 0", ""),
    ("handles", "hidden", "INTEGER NOT NULL DEFAULT 0", ""),
    ("wishes", "number", "INTEGER NOT NULL DEFAULT 0", "rowid"),
)


class Conversations(Handles, TurnLog):
    """Conversations over a database that a subclass holds."""

    def conversation(self, owner: str = "") -> str:
        """Begin a conversation; returns its id.

        Args:
            owner: whose it is; empty where one person uses the store.
        """
        identity = uuid.uuid4().hex
        with self._database.transaction() as sql:
            sql(
                "INSERT INTO conversations (id, made, owner) VALUES (?, ?, ?)",
                *(identity, time.time(), owner),
            )
        return identity

    def conversations(self, owner: str | None = None) -> tuple[str, ...]:
        """Ids of the conversations of one owner, or of all, the newest first."""
        query = "SELECT id FROM conversations WHERE ? IS NULL OR owner = ? ORDER BY made DESC"
        return tuple(row[0] for row in self._database.rows(query, owner, owner))

    def titles(self, owner: str | None = None) -> dict[str, str]:
        """Conversations in which something was said, the newest first, and what they are called.

        That is the name a person gave, else the words it began with.
        """
        query = (
            "SELECT id, CASE title WHEN '' THEN request ELSE title END FROM conversations "
            "JOIN turns ON conversation = id AND number = (SELECT MIN(number) FROM turns WHERE "
            "conversation = id) WHERE ? IS NULL OR owner = ? ORDER BY conversations.made DESC"
        )
        return {row[0]: row[1] for row in self._database.rows(query, owner, owner)}

    def rename(self, conversation: str, title: str) -> None:
        """Call a conversation something; empty is the words it began with.

        Raises:
            InvalidInput: no such conversation.
        """
        self.owner(conversation)
        with self._database.transaction() as sql:
            sql("UPDATE conversations SET title = ? WHERE id = ?", title, conversation)

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
        with self._database.transaction() as sql:
            sql(
                "INSERT INTO turns SELECT ?, number, state, request, reply, result, made FROM "
                "turns WHERE conversation = ? AND number <= ?",
                *(other, conversation, last),
            )
            sql(
                "INSERT INTO handles SELECT ?, number, picture, turn, hidden FROM handles "
                "WHERE conversation = ? AND turn <= ?",
                *(other, conversation, last),
            )
            sql(
                "INSERT INTO wishes (conversation, number, text, claim) "
                "SELECT ?, number, text, claim FROM wishes WHERE conversation = ?",
                *(other, conversation),
            )
        return other

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
        with self._database.transaction() as sql:
            for one in turns:
                sql(
                    "INSERT INTO turns VALUES (?, ?, ?, ?, ?, ?, ?)",
                    *(other, one.number, one.state, one.request, one.reply),
                    json.dumps(one.result) if one.result is not None else None,
                    time.time(),
                )
            for number, picture, turn, hidden in names:
                sql(
                    "INSERT INTO handles (conversation, number, picture, turn, hidden) "
                    "VALUES (?, ?, ?, ?, ?)",
                    *(other, number, picture, turn, int(hidden)),
                )
        for text in wishes.struck:
            self.strike(other, text)
        for claim in wishes.added:
            self.add_claim(other, claim)
        return other

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
        with self._database.transaction() as sql:
            sql("DELETE FROM wishes WHERE conversation = ? AND text = ?", conversation, text)

    def wishes(self, conversation: str) -> Wishes:
        """What was struck and added."""
        query = "SELECT text, claim FROM wishes WHERE conversation = ? ORDER BY number"
        rows = self._database.rows(query, conversation)
        return Wishes(
            struck=tuple(text for text, claim in rows if claim is None),
            added=tuple(Claim.model_validate_json(claim) for _, claim in rows if claim),
        )

    def _wish(self, conversation: str, text: str, claim: str | None) -> None:
        self.owner(conversation)
        with self._database.transaction() as sql:
            sql("DELETE FROM wishes WHERE conversation = ? AND text = ?", conversation, text)
            sql(
                "INSERT INTO wishes (conversation, number, text, claim) "
                "SELECT ?, COALESCE(MAX(number), 0) + 1, ?, ? FROM wishes WHERE conversation = ?",
                *(conversation, text, claim, conversation),
            )
