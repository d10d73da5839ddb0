"""Pixels: pictures on their way between processes of one machine, by content id.

A message names a picture; its pixels lie in a folder in memory, as a `.npy` file that a reader
maps. The folder is a passage, not the store: what is old goes when it is full, and a reader who
misses a picture asks for it again.
"""

from __future__ import annotations

import contextlib
import os
import re
import uuid
from pathlib import Path

import numpy as np

from tools.errors import InvalidInput
from tools.values import Image

ID = re.compile(r"[0-9a-f]{64}")
MEMORY = Path("/dev/shm")  # noqa: S108 - ours below is a private folder
LIMIT = 512 * 2**20  # bytes


class Missing(Exception):  # noqa: N818 - not an error: the sender puts it there again
    """A picture is not in this folder; its id is the argument."""


class Pixels:
    """A folder of raw pictures."""

    def __init__(self, folder: Path, limit_bytes: int = LIMIT) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._limit = limit_bytes

    @classmethod
    def of_node(cls, node: str, home: Path) -> Pixels:
        """The folder that all processes of a Ray node share; in memory where that can be."""
        root = MEMORY if os.access(MEMORY, os.W_OK) else home
        return cls(root / f"sightloop-{os.getuid()}" / node[:16])

    def put(self, image: Image) -> str:
        """Lay a picture down; returns its id."""
        path = self._path(image.id)
        try:
            os.utime(path)  # what is used stays
        except FileNotFoundError:
            part = path.with_name(f".{uuid.uuid4().hex}.part")
            with part.open("wb") as file:
                np.save(file, image.pixels, allow_pickle=False)
            part.replace(path)
            self._shrink()
        return image.id

    def get(self, identity: str) -> Image:
        """The picture with an id.

        Raises:
            InvalidInput: that is no id.
            Missing: it is not here, or no longer.
        """
        try:
            mapped = np.load(self._path(identity), mmap_mode="r", allow_pickle=False)
        except FileNotFoundError:
            raise Missing(identity) from None
        image = Image.from_pixels(mapped)
        vars(image)["id"] = identity  # known by its file's name: hashing costs more than reading
        return image

    def _path(self, identity: str) -> Path:
        if not ID.fullmatch(identity):
            raise InvalidInput(f"{identity[:80]!r} is no id of a picture")
        return self._folder / f"{identity}.npy"

    def _shrink(self) -> None:
        """Drop the least recently used until the rest fits."""
        files = []
        for path in self._folder.glob("*.npy"):
            with contextlib.suppress(FileNotFoundError):
                facts = path.stat()
                files.append((facts.st_mtime, facts.st_size, path))
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files)[:-1]:  # the newest is somebody's right now
            if total <= self._limit:
                return
            path.unlink(missing_ok=True)  # a mapped file lives on until its reader is done
            total -= size
