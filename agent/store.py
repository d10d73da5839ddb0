"""Store: pictures with what made them, and conversations that name them.

Pixels are PNG files named by content under `pictures/`; all else is one database. A file is
complete and on disk before its row is written, so that a crash at any moment leaves at worst
an orphan file, never a row without its picture. Where a bucket holds the pixels, a picture is
there before its row, and the folder holds copies, fetched when they are first asked for.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import uuid
from collections.abc import Sequence
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from cachetools import LRUCache, cached
from pydantic import Field, JsonValue

from agent.conversing import LATER, Conversations
from agent.conversing import SCHEMA as CONVERSATIONS
from agent.database import Database, Sql, Sqlite, mended
from agent.experience import SCHEMA as EXPERIENCE
from agent.experience import Experience
from tools.base import Record
from tools.errors import InvalidInput, Unavailable
from tools.values import Image, load_image

if TYPE_CHECKING:
    from agent.bucket import Bucket

SCHEMA = """
CREATE TABLE IF NOT EXISTS pictures (
    id TEXT PRIMARY KEY, width INTEGER NOT NULL, height INTEGER NOT NULL, made REAL NOT NULL);
CREATE TABLE IF NOT EXISTS origins (
    number INTEGER PRIMARY KEY, picture TEXT NOT NULL REFERENCES pictures, tool TEXT NOT NULL,
    origin TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS origins_of ON origins (picture);
CREATE TABLE IF NOT EXISTS parents (
    picture TEXT NOT NULL REFERENCES pictures, parent TEXT NOT NULL, PRIMARY KEY (picture, parent));
"""
LIBRARIES = ("sightloop", "torch", "transformers", "diffusers", "numpy", "pillow")
RECENT = 64 * 2**20  # bytes of pixels that are kept at hand, of all stores together
STALE = 3600.0  # s after which a half-written file is nobody's


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


class Store(Conversations, Experience):
    """Pictures, origins and conversations; safe across threads and processes."""

    def __init__(
        self, root: Path, database: Database | None = None, bucket: Bucket | None = None
    ) -> None:
        """Open or make the folder and the tables; `open_store` knows where a person's lie.

        Args:
            root: the folder of pictures, or of copies of them.
            database: all else; without it `store.sqlite` in the folder.
            bucket: where pictures are kept; without it in the folder.

        Raises:
            Unavailable: the folder cannot be written, or the database is damaged or away.
        """
        self.root = root
        self._bucket = bucket
        # Copies have a folder of their own: what lies there is known to be in the bucket.
        self._files = root / (f"pictures-{bucket.mark}" if bucket else "pictures")
        with mended(root):
            self._files.mkdir(parents=True, exist_ok=True)
            self._sweep()
        self._database = database or Sqlite(root / "store.sqlite")
        self._database.extend(SCHEMA + CONVERSATIONS + EXPERIENCE, LATER)

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

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
            Unavailable: the folder, the bucket or the database cannot be written.
        """
        with mended(self.root):
            fresh = {image.id: image for image, _ in pictures if not self._file(image.id).exists()}
            for identity, image in fresh.items():
                png = image.png()
                if self._bucket:
                    self._bucket.put(identity, png)
                self._write(identity, png)
            for folder in {self._file(identity).parent for identity in fresh}:
                _sync_folder(folder)
            with self._database.transaction() as sql:
                for image, origin in pictures:
                    _insert(sql, image, origin)
        return [image.id for image, _ in pictures]

    def get(self, identity: str) -> Image:
        """The picture with an id.

        Raises:
            InvalidInput: there is none.
            Unavailable: its file is gone or damaged, or the bucket does not answer.
        """
        rows = self._database.rows("SELECT id FROM pictures WHERE id = ?", identity)
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
        """Where the PNG file of a picture lies; fetched from the bucket if it is not here yet.

        Raises:
            StoreFull: there is no room for the copy.
            Unavailable: the bucket does not answer, or the folder cannot be written.
        """
        file = self._file(identity)
        if self._bucket and not file.exists():
            png = self._bucket.get(identity)
            if png is not None:
                with mended(self.root):
                    self._write(identity, png)
        return file

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
        rows = self._database.rows("SELECT picture FROM parents WHERE parent = ?", identity)
        return tuple(row[0] for row in rows)

    def _kept(self, identity: str) -> Kept:
        rows = self._database.rows(
            "SELECT origin FROM origins WHERE picture = ? ORDER BY number", identity
        )
        if not rows:
            raise InvalidInput(f"no picture {identity[:12]!r} in the store")
        return Kept(id=identity, origins=tuple(Origin.model_validate_json(row[0]) for row in rows))

    def _file(self, identity: str) -> Path:
        return self._files / identity[:2] / f"{identity}.png"

    def _write(self, identity: str, data: bytes) -> None:
        path = self._file(identity)
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


def _insert(sql: Sql, image: Image, origin: Origin) -> None:
    sql(
        "INSERT INTO pictures VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        *(image.id, image.width, image.height, time.time()),
    )
    text = origin.model_dump_json()
    if (text,) not in sql("SELECT origin FROM origins WHERE picture = ?", image.id):
        sql(
            "INSERT INTO origins (picture, tool, origin) VALUES (?, ?, ?)",
            *(image.id, origin.tool, text),
        )
    for parent in origin.parents:
        sql("INSERT INTO parents VALUES (?, ?) ON CONFLICT DO NOTHING", image.id, parent)


def _sync_folder(folder: Path) -> None:
    """Make a rename last; without this a power cut may forget the name of a written file."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
