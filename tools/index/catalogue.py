"""Catalogue: one index on disk: rows in SQLite, their vectors in one flat file beside it.

A vector is written and synced before the transaction that names its slot. Whoever is killed in
between leaves bytes that no row points to, and the next writer overwrites them: at any moment
the rows that are there have their vectors.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tools.errors import InvalidInput, Unavailable
from tools.home import home

Vectors = NDArray[np.float32]

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
HOLES = 0.25  # share of slots without a picture above which the vectors are written anew
_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE folders (path TEXT PRIMARY KEY);
CREATE TABLE pictures (slot INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL, content TEXT NOT NULL, image TEXT NOT NULL, looks INTEGER NOT NULL);
CREATE INDEX content ON pictures (content);
CREATE TABLE skipped (path TEXT PRIMARY KEY, bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    why TEXT NOT NULL);
"""


class Entry(NamedTuple):
    """A picture in the index.

    Attributes:
        path: absolute.
        bytes, mtime_ns: of the file when it was read; with both unchanged it is not read again.
        content: hex SHA-256 of the file.
        image: the picture's id, of its pixels.
        looks: perceptual hash, 64 bits, signed.
    """

    path: str
    bytes: int
    mtime_ns: int
    content: str
    image: str
    looks: int


class Skipped(NamedTuple):
    """A file that is no picture that can be read."""

    path: str
    bytes: int
    mtime_ns: int
    why: str


class Catalogue:
    """An index that is open; a context manager. Several processes may have it open at once."""

    def __init__(self, name: str) -> None:
        """Open the index of that name.

        Raises:
            InvalidInput: there is none, or it is damaged.
        """
        self.name = name
        self.folder = place(name)
        if not (self.folder / "rows.sqlite").is_file():
            raise InvalidInput(
                f"no index {name!r}; there are: {', '.join(names()) or 'none'}; "
                "`sightloop index add FOLDER` makes one"
            )
        self._db = self._connect()
        with self.guard():
            self.checkpoint = self._meta("checkpoint")
            self.digest = self._meta("digest")
            self.dimensions = int(self._meta("dimensions"))
            self.speaks = self._meta("speaks") == "1"
            self.slots()

    def __enter__(self) -> Catalogue:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def _connect(self) -> sqlite3.Connection:
        mode = "rw" if os.access(self.folder, os.W_OK) else "ro"
        path = (self.folder / "rows.sqlite").absolute().as_uri()
        try:
            return sqlite3.connect(
                f"{path}?mode={mode}",
                uri=True,
                timeout=30,
                isolation_level=None,
                check_same_thread=False,
            )
        except sqlite3.Error as error:
            raise self._damaged(error) from error

    def _damaged(self, why: object) -> InvalidInput:
        return InvalidInput(
            f"index {self.name!r} is damaged ({why}); `sightloop index remove {self.name}` and "
            "add its folders again; your pictures are not touched"
        )

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Say what SQLite's and the disk's errors mean.

        Raises:
            InvalidInput: the index is damaged.
            Unavailable: it cannot be read or written now.
        """
        try:
            yield
        except sqlite3.OperationalError as error:
            raise Unavailable(
                f"index {self.name!r} in {str(self.folder)!r} cannot be used: {error}; see that "
                "the folder can be written and no other command is busy with it"
            ) from error
        except (sqlite3.DatabaseError, ValueError, LookupError) as error:
            raise self._damaged(error) from error

    def _meta(self, key: str) -> str:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        if row is None:
            raise LookupError(f"no {key!r} in it")
        return str(row[0])

    def _set(self, key: str, value: object) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, str(value)))

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction; nobody else writes meanwhile."""
        with self.guard():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def slots(self) -> int:
        """How many vectors the file holds, those of removed pictures included.

        Raises:
            InvalidInput: the file is shorter than that.
        """
        slots, path = int(self._meta("slots")), self.vectors_path()
        size = path.stat().st_size if path.is_file() else 0
        if size < slots * self.dimensions * 4:
            raise self._damaged(f"{path.name} is missing or too short")
        return slots

    def vectors_path(self) -> Path:
        """The file of vectors; another one after each compaction."""
        return self.folder / f"vectors-{self._meta('epoch')}.f32"

    def vectors(self) -> Vectors:
        """Unit vectors by slot: float32, (slots, D); a memory map, read as it is needed."""
        with self.guard():
            slots = self.slots()
            if slots == 0:
                return np.empty((0, self.dimensions), np.float32)
            shape = (slots, self.dimensions)
            return np.memmap(self.vectors_path(), np.float32, "r", shape=shape)

    def append(self, entries: Sequence[Entry], vectors: Vectors, bad: Sequence[Skipped]) -> None:
        """Add pictures, in place of earlier rows of the same paths, and what could not be read.

        Args:
            entries: N pictures.
            vectors: their unit vectors, float32, (N, D).
            bad: files to list as skipped.
        """
        with self._writing() as db:
            start = self.slots()
            with self.vectors_path().open("r+b") as file:
                file.seek(start * self.dimensions * 4)
                file.write(np.ascontiguousarray(vectors, np.float32).tobytes())
                file.flush()
                os.fsync(file.fileno())
            for path in [*(one.path for one in entries), *(one.path for one in bad)]:
                db.execute("DELETE FROM skipped WHERE path = ?", (path,))
                db.execute("DELETE FROM pictures WHERE path = ?", (path,))
            db.executemany(
                "INSERT INTO pictures VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(start + i, *entry) for i, entry in enumerate(entries)],
            )
            db.executemany("INSERT INTO skipped VALUES (?, ?, ?, ?)", bad)
            self._set("slots", start + len(entries))

    def forget(self, paths: Sequence[str]) -> None:
        """Take pictures out of the index; the files stay where they are."""
        with self._writing() as db:
            for path in paths:
                db.execute("DELETE FROM pictures WHERE path = ?", (path,))
                db.execute("DELETE FROM skipped WHERE path = ?", (path,))

    def watch(self, folder: str) -> None:
        """Remember a folder, so that it is looked through again next time."""
        with self._writing() as db:
            db.execute("INSERT OR IGNORE INTO folders VALUES (?)", (folder,))

    def unwatch(self, folder: str) -> int:
        """Forget a folder and all pictures under it; how many those were."""
        held = self.under(folder)
        with self._writing() as db:
            db.execute("DELETE FROM folders WHERE path = ?", (folder,))
        self.forget(list(held))
        return len(held)

    def folders(self) -> list[str]:
        """The folders that were added, absolute."""
        with self.guard():
            return [str(row[0]) for row in self._db.execute("SELECT path FROM folders")]

    def under(self, folder: str) -> dict[str, tuple[int, int]]:
        """Files known below a folder, good and bad: path to (bytes, mtime_ns)."""
        low = folder.rstrip(os.sep) + os.sep
        within = (low, low[:-1] + chr(ord(os.sep) + 1))  # all that begins with it
        question = "SELECT path, bytes, mtime_ns FROM {} WHERE path >= ? AND path < ?"
        found: dict[str, tuple[int, int]] = {}
        with self.guard():
            for table in ("pictures", "skipped"):
                for path, size, mtime in self._db.execute(question.format(table), within):
                    found[path] = (size, mtime)
        return found

    def at(self, slots: Sequence[int]) -> dict[int, Entry]:
        """The pictures in these slots; removed ones are left out."""
        found: dict[int, Entry] = {}
        question = "SELECT * FROM pictures WHERE slot = ?"
        with self.guard():
            for slot in slots:
                if row := self._db.execute(question, (int(slot),)).fetchone():
                    found[int(slot)] = Entry(*row[1:])
        return found

    def same(self, content: str) -> tuple[int, Entry] | None:
        """A picture from a file with the very same bytes, with its slot."""
        question = "SELECT * FROM pictures WHERE content = ? LIMIT 1"
        with self.guard():
            row = self._db.execute(question, (content,)).fetchone()
        return (int(row[0]), Entry(*row[1:])) if row else None

    def every(self) -> Iterator[tuple[int, Entry]]:
        """All pictures by slot."""
        with self.guard():
            for row in self._db.execute("SELECT * FROM pictures ORDER BY slot"):
                yield int(row[0]), Entry(*row[1:])

    def skipped(self) -> list[Skipped]:
        """All files that could not be read, with the reason."""
        with self.guard():
            rows = self._db.execute("SELECT * FROM skipped ORDER BY path")
            return [Skipped(*row) for row in rows]

    def __len__(self) -> int:
        with self.guard():
            return int(self._db.execute("SELECT COUNT(*) FROM pictures").fetchone()[0])

    def compact(self) -> bool:
        """Write the vectors anew without holes, if there are many; whether that was done."""
        with self._writing() as db:
            slots = self.slots()
            kept = [row[0] for row in db.execute("SELECT slot FROM pictures ORDER BY slot")]
            if slots - len(kept) <= HOLES * slots:
                return False
            old, held = self.vectors_path(), self.vectors()
            self._set("epoch", int(self._meta("epoch")) + 1)
            with self.vectors_path().open("wb") as file:
                for start in range(0, len(kept), 4096):
                    file.write(held[kept[start : start + 4096]].tobytes())
                file.flush()
                os.fsync(file.fileno())
            moves = [(new, slot) for new, slot in enumerate(kept)]  # downwards, so none collide
            db.executemany("UPDATE pictures SET slot = ? WHERE slot = ?", moves)
            self._set("slots", len(kept))
        old.unlink(missing_ok=True)
        return True


def place(name: str) -> Path:
    """The folder of an index.

    Raises:
        InvalidInput: the name could leave the folder of indexes.
    """
    if not NAME.fullmatch(name):
        raise InvalidInput(
            f"index name {name!r} is not allowed: lower-case letters, digits, - and _, at most 40"
        )
    return home() / "index" / name


def names() -> list[str]:
    """The indexes that are there, sorted."""
    return sorted(path.parent.name for path in (home() / "index").glob("*/rows.sqlite"))


def create(name: str, checkpoint: str, digest: str, *, dimensions: int, speaks: bool) -> Catalogue:
    """Make an empty index for vectors of one encoder.

    Args:
        name: of the index.
        checkpoint: the encoder's weights, as in a profile.
        digest: what tells these weights from others; vectors of two encoders never mix.
        dimensions: length of its vectors.
        speaks: whether it reads words too.

    Raises:
        OSError: the place cannot be written.
    """
    folder = place(name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vectors-0.f32").touch()
    part = folder / "rows.sqlite.part"
    part.unlink(missing_ok=True)
    meta = {
        "checkpoint": checkpoint,
        "digest": digest,
        "dimensions": dimensions,
        "speaks": int(speaks),
        "slots": 0,
        "epoch": 0,
    }
    db = sqlite3.connect(part, isolation_level=None)
    try:
        db.executescript(_SCHEMA)
        db.executemany("INSERT INTO meta VALUES (?, ?)", [(k, str(v)) for k, v in meta.items()])
    finally:
        db.close()
    part.replace(folder / "rows.sqlite")
    return Catalogue(name)


def drop(name: str) -> None:
    """Delete a whole index, damaged or not; the pictures stay where they are.

    Raises:
        InvalidInput: there is none.
    """
    folder = place(name)
    if not folder.is_dir():
        raise InvalidInput(f"no index {name!r}; there are: {', '.join(names()) or 'none'}")
    shutil.rmtree(folder)
