"""Doors: who may come in, and how much each may ask.

Without keys there is one owner, `local`, and the doors open on loopback only. As soon as there
is a key, every request needs one.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
import uuid
from collections import defaultdict
from pathlib import Path

from pydantic import Field, TypeAdapter, ValidationError

from serving.config import Limits
from tools.base import Record
from tools.errors import InvalidInput, ToolError, Unavailable

LOCAL = "local"
PREFIX = "sl-"
DAY = 86_400.0  # s


class Refused(ToolError):  # noqa: N818 - it says what happened
    """No, or a wrong, key."""


class TooMuch(ToolError):  # noqa: N818 - it says what happened
    """A quota is used up; `retry_s` says when to ask again."""

    def __init__(self, text: str, retry_s: float = 1.0) -> None:
        super().__init__(text)
        self.retry_s = retry_s


class Key(Record):
    """A key as it is kept: what it opens, never itself."""

    id: str = Field(pattern=r"^[0-9a-f]{32}$", description="names the owner's folder")
    name: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    made: float


_KEYS = TypeAdapter(list[Key])


class Keys:
    """The keys of a home, in `keys.json`.

    A key has 256 random bits: one round of SHA-256 is enough, there is nothing to guess.
    """

    def __init__(self, home: Path) -> None:
        self._path = home / "keys.json"

    def all(self) -> list[Key]:
        """Every key.

        Raises:
            Unavailable: the file is damaged; the doors stay shut rather than open.
        """
        try:
            return _KEYS.validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return []
        except (OSError, ValidationError) as error:
            raise Unavailable(f"{self._path} cannot be read; mend it or delete it") from error

    def add(self, name: str) -> str:
        """Make a key; it is shown this once."""
        key = PREFIX + secrets.token_urlsafe(32)
        made = Key(id=uuid.uuid4().hex, name=name, sha256=_hash(key), made=time.time())
        self._write([*self.all(), made])
        return key

    def remove(self, name_or_id: str) -> None:
        """Forget a key; what it owned stays on disk.

        Raises:
            InvalidInput: there is none of this name.
        """
        keys = self.all()
        rest = [key for key in keys if name_or_id not in (key.name, key.id)]
        if len(rest) == len(keys):
            known = ", ".join(key.name for key in keys) or "none"
            raise InvalidInput(f"no key {name_or_id!r}; there are: {known}")
        self._write(rest)

    def owner(self, authorization: str | None) -> str:
        """Whose request this is.

        Args:
            authorization: the header `Authorization: Bearer KEY`.

        Raises:
            Refused: there are keys and this is none of them.
        """
        keys = self.all()
        if not keys:
            return LOCAL
        scheme, _, given = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not given:
            raise Refused("this needs a key: Authorization: Bearer sl-…")
        digest = _hash(given.strip())
        for key in keys:
            if secrets.compare_digest(key.sha256, digest):
                return key.id
        raise Refused("this key opens nothing here")

    def _write(self, keys: list[Key]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_suffix(".part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump([key.model_dump() for key in keys], file, indent=2)
        part.replace(self._path)


class Quotas:
    """What each owner has used: requests of the last minute, runs now, run seconds today."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._tokens: dict[str, float] = defaultdict(lambda: limits.requests_per_minute)
        self._seen: dict[str, float] = {}
        self._seconds: dict[tuple[str, int], float] = defaultdict(float)
        self._inside: dict[str, int] = defaultdict(int)

    def request(self, owner: str) -> None:
        """Count a request.

        Raises:
            TooMuch: too many in too short a time.
        """
        now, rate = time.monotonic(), self._limits.requests_per_minute / 60
        more = (now - self._seen.get(owner, now)) * rate
        tokens = min(self._limits.requests_per_minute, self._tokens[owner] + more)
        self._seen[owner] = now
        if tokens < 1:
            self._tokens[owner] = tokens
            raise TooMuch("too many requests", (1 - tokens) / rate)
        self._tokens[owner] = tokens - 1

    def enter(self, owner: str) -> None:
        """Take a place for a run.

        Raises:
            TooMuch: all places are taken, or today's seconds are used up.
        """
        if self._seconds[owner, int(time.time() // DAY)] >= self._limits.seconds_per_day:
            raise TooMuch("today's seconds are used up", DAY - time.time() % DAY)
        places = self._limits.running + self._limits.waiting
        if self._inside[owner] >= places:
            raise TooMuch(f"{places} runs are under way or waiting; ask again later", 2.0)
        self.take(owner)

    def take(self, owner: str) -> None:
        """Take a place for a run that was promised before, whether or not one is free."""
        self._inside[owner] += 1

    def inside(self, owner: str) -> int:
        """Runs that are under way or waiting."""
        return self._inside[owner]

    def leave(self, owner: str, seconds: float) -> None:
        """Give the place back and count what the run used."""
        self._inside[owner] -= 1
        self._seconds[owner, int(time.time() // DAY)] += seconds


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
