"""Store: pictures with what made them, and conversations that name them.

Pixels are PNG files named by content under `pictures/`; all else is one SQLite file. A file is
complete and on disk before its row is written, so that a crash at any moment leaves at worst
an orphan file, never a row without its picture.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from cachetools import LRUCache, cached
from pydantic import Field, JsonValue

from agent.conversing import SCHEMA as CONVERSATIONS
from agent.conversing import Conversations, extend
from agent.counting import SCHEMA as COUNTS
from agent.counting import Counts
from tools.base import Record
from tools.errors import InvalidInput, ToolError, Unavailable
from tools.values import Image, load_image

SCHEMA = """
CREATE TABLE IF NOT EXISTS pictures (
    id TEXT PRIMARY KEY, width INTEGER NOT NULL, height INTEGER NOT NULL, made REAL NOT NULL);
CREATE TABLE IF NOT EXISTS origins (
    number INTEGER PRIMARY KEY, picture TEXT NOT NULL REFERENCES pictures, tool TEXT NOT NULL,
    origin TEXT NOT NULL, UNIQUE (picture, origin));
CREATE TABLE IF NOT EXISTS parents (
    picture TEXT NOT NULL REFERENCES pictures, parent TEXT NOT NULL, PRIMARY KEY (picture, parent));
"""
LIBRARIES = ("sightloop", "torch", "transformers", "diffusers", "numpy", "pillow")
RECENT = 64 * 2**20  # bytes of pixels that are kept at hand, of all stores together
STALE = 3600.0  # s after which a half-written file is nobody's


class StoreFull(Unavailable):
    """There is no room for another picture; all that was kept before is intact."""


class Origin(Record):
    """What made a picture; enough to make the same pixels again."""

    tool: str = Field(description="name of the tool, or upload")
    version: str = Field(default="1", description="version of the tool")
    input: dict[str, JsonValue] = Field(default_factory=dict, description="pictures as ids")
    index: int = Field(default=0, ge=0, description="which of the pictures that call gave")
    seed: int | None = Field(default=None, description="the seed of this very picture")
    checkpoint: str | None = Field(default=None, description="digest of the weights")
    libraries: dict[str, str] = Field(default_factory=dict, description="name to version")
    parents: tuple[str, ...] = Field(default=(), description="ids of the pictures it came from")


class Kept(Record):
    """A picture of the version graph."""

    id: str
    origins: tuple[Origin, ...] = Field(description="every way it was made, oldest first")


@lru_cache(maxsize=1)
def libraries() -> dict[str, str]:
    """Versions of the libraries that decide what pixels come out."""
    found = {}
    for name in LIBRARIES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


class Store(Conversations, Counts):
    """Pictures, origins and conversations in one folder; safe across threads and processes."""

    def __init__(self, root: Path) -> None:
        """Open or make the folder.

        Raises:
            Unavailable: the folder cannot be written, or its database is damaged.
        """
        self.root = root
        self._files = root / "pictures"
        self._lock = threading.Lock()
        with mended(root):
            self._files.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                root / "store.sqlite", timeout=10, check_same_thread=False, isolation_level=None
            )
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.execute("PRAGMA foreign_keys=ON")
            self._connection.executescript(SCHEMA + CONVERSATIONS + COUNTS)
            extend(self._connection)
            self._sweep()

    def close(self) -> None:
        """Let go of the database file."""
        with self._lock:
            self._connection.close()

    def put(self, image: Image, origin: Origin) -> str:
        """Keep one picture; see `put_many`."""
        (identity,) = self.put_many([(image, origin)])
        return identity

    def put_many(self, pictures: Sequence[tuple[Image, Origin]]) -> list[str]:
        """Keep pictures with what made them; a picture that is there gains an origin.

        Returns:
            Their ids.

        Raises:
            StoreFull: the disk is full; nothing that was kept before is touched.
            Unavailable: the folder cannot be written.
        """
        with mended(self.root):
            fresh = {image.id: image for image, _ in pictures if not self.path(image.id).exists()}
            for identity, image in fresh.items():
                self._write(identity, image.png())
            for folder in {self.path(identity).parent for identity in fresh}:
                _sync_folder(folder)
            with self._transaction() as database:
                for image, origin in pictures:
                    _insert(database, image, origin)
        return [image.id for image, _ in pictures]

    def get(self, identity: str) -> Image:
        """The picture with an id.

        Raises:
            InvalidInput: there is none.
            Unavailable: its file is gone or damaged.
        """
        rows = self._rows("SELECT id FROM pictures WHERE id = ?", identity)
        if not rows:
            raise InvalidInput(f"no picture {identity[:12]!r} in the store")
        path = self.path(identity)
        try:
            image = _read(path, path.stat().st_mtime_ns)
        except (InvalidInput, OSError) as error:
            raise Unavailable(f"picture {identity[:12]} cannot be read: {error}") from error
        if image.id != identity:
            raise Unavailable(f"picture {identity[:12]} is damaged: its file holds other pixels")
        return image

    def path(self, identity: str) -> Path:
        """Where the PNG file of a picture lies."""
        return self._files / identity[:2] / f"{identity}.png"

    def lineage(self, identity: str) -> tuple[Kept, ...]:
        """The picture and all it was made from, ancestors first.

        Raises:
            InvalidInput: there is no such picture.
        """
        placed: dict[str, Kept] = {}
        begun: set[str] = set()  # an edit there and back makes a picture its own ancestor

        def visit(one: str) -> None:
            if one in begun:
                return
            begun.add(one)
            kept = self._kept(one)
            for origin in kept.origins:
                for parent in origin.parents:
                    if parent != one:
                        visit(parent)
            placed[one] = kept

        visit(identity)
        return tuple(placed.values())

    def children(self, identity: str) -> tuple[str, ...]:
        """Ids of the pictures made from this one."""
        rows = self._rows("SELECT picture FROM parents WHERE parent = ?", identity)
        return tuple(row[0] for row in rows)

    def _kept(self, identity: str) -> Kept:
        rows = self._rows("SELECT origin FROM origins WHERE picture = ? ORDER BY number", identity)
        if not rows:
            raise InvalidInput(f"no picture {identity[:12]!r} in the store")
        return Kept(id=identity, origins=tuple(Origin.model_validate_json(row[0]) for row in rows))

    def _rows(self, query: str, *arguments: object) -> list[tuple[str, ...]]:
        with self._lock, mended(self.root):
            return self._connection.execute(query, arguments).fetchall()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, mended(self.root):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                if self._connection.in_transaction:  # a full disk has rolled back already
                    self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def _write(self, identity: str, data: bytes) -> None:
        path = self.path(identity)
        path.parent.mkdir(exist_ok=True)
        unfinished = path.with_name(f".{uuid.uuid4().hex}.part")
        try:
            with unfinished.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)

    def _sweep(self) -> None:
        for unfinished in self._files.glob("*/.*.part"):
            with contextlib.suppress(FileNotFoundError):  # another process sweeps as well
                if time.time() - unfinished.stat().st_mtime > STALE:
                    unfinished.unlink()


@cached(LRUCache(RECENT, lambda image: image.pixels.nbytes), lock=threading.Lock())
def _read(path: Path, changed_ns: int) -> Image:
    """A picture file; those read last stay at hand for as long as their files do not change."""
    return load_image(path).image


def _insert(database: sqlite3.Connection, image: Image, origin: Origin) -> None:
    database.execute(
        "INSERT OR IGNORE INTO pictures VALUES (?, ?, ?, ?)",
        (image.id, image.width, image.height, time.time()),
    )
    database.execute(
        "INSERT OR IGNORE INTO origins (picture, tool, origin) VALUES (?, ?, ?)",
        (image.id, origin.tool, origin.model_dump_json()),
    )
    database.executemany(
        "INSERT OR IGNORE INTO parents VALUES (?, ?)",
        [(image.id, parent) for parent in origin.parents],
    )


def _sync_folder(folder: Path) -> None:
    """Make a rename last; without this a power cut may forget the name of a written file."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def mended(root: Path) -> Iterator[None]:
    """Turn what disk and database say into our errors.

    Raises:
        StoreFull: there is no room.
        Unavailable: anything else that is wrong with the folder.
    """
    try:
        yield
    except ToolError:
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFull(_full(root)) from error
        raise Unavailable(f"the picture store {root} cannot be used: {error.strerror}") from error
    except sqlite3.Error as error:
        if "full" in str(error):
            raise StoreFull(_full(root)) from error
        raise Unavailable(f"the picture store {root} cannot be used: {error}") from error


def _full(root: Path) -> str:
    return (
        f"the disk that holds the picture store {root} is full; the new picture was not kept, "
        "all that was kept before is intact; free some space and ask again"
    )
