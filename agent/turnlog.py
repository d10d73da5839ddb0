"""Turnlog: the part of the store that remembers what was asked and answered, turn by turn."""

from __future__ import annotations

import json
import time

from pydantic import JsonValue

from agent.database import Rows
from agent.messages import Message
from agent.turns import Turn


class TurnLog(Rows):
    """Turns and where an unfinished one stands, over a database that a subclass holds."""

    def begin_turn(self, conversation: str, request: str) -> int:
        """Write down a request before it is worked on; returns the number of the turn."""
        self.owner(conversation)
        with self._database.transaction() as sql:
            ((number,),) = sql(
                "SELECT COALESCE(MAX(number), 0) + 1 FROM turns WHERE conversation = ?",
                conversation,
            )
            sql(
                "INSERT INTO turns VALUES (?, ?, 'open', ?, NULL, NULL, ?)",
                *(conversation, number, request, time.time()),
            )
        return int(number)

    def end_turn(
        self, conversation: str, number: int, state: str, reply: str | None, result: str | None
    ) -> None:
        """Write down how a turn ended: state done, failed or cancelled; result as JSON."""
        with self._database.transaction() as sql:
            sql(
                "UPDATE turns SET state = ?, reply = ?, result = ? "
                "WHERE conversation = ? AND number = ?",
                *(state, reply, result, conversation, number),
            )
            sql(
                "DELETE FROM checkpoints WHERE conversation = ? AND turn = ?",
                *(conversation, number),
            )

    def save_checkpoint(self, conversation: str, turn: int, state: str) -> None:
        """Write down where the run of a turn stands; it replaces what was written before."""
        with self._database.transaction() as sql:
            sql(
                "INSERT INTO checkpoints VALUES (?, ?, ?) "
                "ON CONFLICT (conversation, turn) DO UPDATE SET state = excluded.state",
                *(conversation, turn, state),
            )

    def checkpoint(self, conversation: str, turn: int) -> str | None:
        """Where the run of a turn stood when it was cut short, or None if nothing is known."""
        query = "SELECT state FROM checkpoints WHERE conversation = ? AND turn = ?"
        rows = self._database.rows(query, conversation, turn)
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
            for number, state, request, reply, result in self._database.rows(query, conversation)
        )

    def history(self, conversation: str) -> tuple[Message, ...]:
        """What was said, oldest first; turns that did not end have no reply."""
        query = "SELECT request, reply FROM turns WHERE conversation = ? ORDER BY number"
        messages: list[Message] = []
        for request, reply in self._database.rows(query, conversation):
            messages.append(Message(role="user", text=request))
            if reply is not None:
                messages.append(Message(role="assistant", text=reply))
        return tuple(messages)

    def result(self, conversation: str, number: int) -> JsonValue:
        """The result of a turn as JSON, or None if it has none."""
        query = "SELECT result FROM turns WHERE conversation = ? AND number = ?"
        rows = self._database.rows(query, conversation, number)
        found: JsonValue = json.loads(rows[0][0]) if rows and rows[0][0] else None
        return found
