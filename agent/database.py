"""Database: the two things that a store needs of one: the rows of a query, and a transaction.

Queries are written once, in the SQL that SQLite and Postgres share, with `?` for arguments; the
few words that differ are translated in agent/postgres.py. Of one database one transaction writes
at a time, so that what it read is still true when it writes.
"""

from __future__ import annotations

import contextlib
import errno
import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar

from tools.errors import InvalidInput, ToolError, Unavailable

Sql = Callable[..., list[tuple[Any, ...]]]
"""A query and its arguments to its rows; none for one that only writes."""
Later = tuple[str, str, str, str]
"""Table, column, type, and an expression that fills it: what earlier versions did not have."""


class StoreAway(Unavailable):
    """The store cannot be used; the words name places: for its owner and the log only."""


class StoreFull(StoreAway):
    """There is no room for another picture; all that was kept before is intact."""


class Database(ABC):
    """Tables that a store or the list of jobs keeps; safe across threads and processes.

    Attributes:
        where: its file, or its server without the password.
        shared: whether other machines may be using it at this moment.
    """

    where: str
    shared: ClassVar[bool]
    _columns: ClassVar[str]  # the query for the columns of a table

    @abstractmethod
    def rows(self, query: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Rows of one query, which may also be one that writes.

        Raises:
            StoreAway: the database cannot be used.
        """

    @abstractmethod
    def transaction(self) -> AbstractContextManager[Sql]:
        """Several queries of which all happen or, after an error, none; no other writes meanwhile.

        Raises:
            StoreFull: there is no room.
            StoreAway: the database cannot be used.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of files and connections."""

    def extend(self, schema: str, later: Sequence[Later] = ()) -> None:
        """Make the tables that are missing, and in older tables the columns added since."""
        with self.transaction() as sql:
            for statement in schema.split(";"):
                if statement.strip():
                    sql(statement)
            for table, column, kind, filling in later:
                if (column,) not in sql(self._columns, table):
                    sql(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")
                    if filling:
                        sql(f"UPDATE {table} SET {column} = {filling}")  # noqa: S608 - our words


class Sqlite(Database):
    """One file of this machine."""

    shared = False
    _columns = "SELECT name FROM pragma_table_info(?)"

    def __init__(self, path: Path) -> None:
        """Open or make the file.

        Raises:
            StoreAway: it cannot be written, or is no database.
        """
        self.where = str(path)
        self._folder = path.parent
        self._lock = threading.Lock()
        with mended(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                path, timeout=10, check_same_thread=False, isolation_level=None
            )
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.execute("PRAGMA foreign_keys=ON")

    def rows(self, query: str, *arguments: object) -> list[tuple[Any, ...]]:
        with self._lock, mended(self._folder):
            return self._ask(query, *arguments)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Sql]:
        with self._lock, mended(self._folder):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._ask
            except BaseException:
                if self._connection.in_transaction:  # a full disk has rolled back already
                    self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _ask(self, query: str, *arguments: object) -> list[tuple[Any, ...]]:
        return self._connection.execute(query, arguments).fetchall()


@contextlib.contextmanager
def mended(root: Path) -> Iterator[None]:
    """Turn what disk and SQLite say into our errors.

    Raises:
        StoreFull: there is no room.
        StoreAway: anything else that is wrong with the folder.
    """
    try:
        yield
    except ToolError:
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFull(_full(root)) from error
        raise StoreAway(f"the picture store {root} cannot be used: {error.strerror}") from error
    except sqlite3.Error as error:
        if "full" in str(error):
            raise StoreFull(_full(root)) from error
        raise StoreAway(f"the picture store {root} cannot be used: {error}") from error


def _full(root: Path) -> str:
    return (
        f"the disk that holds the picture store {root} is full; the new picture was not kept, "
        "all that was kept before is intact; free some space and ask again"
    )


class Rows:
    """What every part of the store stands on: one database, and whose conversations are in it."""

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
