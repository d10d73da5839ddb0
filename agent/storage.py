"""Storage: where stores lie: in the home folder, or where the environment says.

SIGHTLOOP_DATABASE=postgresql://… holds everything but pixels, SIGHTLOOP_PICTURES=s3://… the
pixels; either may be set alone. The home folder then keeps copies of pictures, keys and traces.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from agent.database import Database, Sqlite
from agent.store import Store
from tools.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    from agent.bucket import Bucket


def open_store(home: Path, owner: str = "") -> Store:
    """The store of an owner; what belongs to others is not in it.

    Args:
        home: the person's folder, see tools/home.py.
        owner: letters, digits and underscores; empty where one person uses the home.

    Raises:
        InvalidInput: a URL in the environment is none that is understood.
        Unavailable: the folder, the database or the picture storage cannot be used.
    """
    root = home / "owners" / owner / "store" if owner else home / "store"
    return Store(root, open_database(root / "store.sqlite", owner), open_bucket(owner))


def open_database(path: Path, name: str = "") -> Database:
    """A database of its own in the one that SIGHTLOOP_DATABASE names, else the SQLite file.

    Raises:
        InvalidInput: the URL is none of Postgres.
        Unavailable: the database cannot be used.
    """
    url = os.environ.get("SIGHTLOOP_DATABASE")
    if not url:
        return Sqlite(path)
    if not url.startswith(("postgresql://", "postgres://")):
        raise InvalidInput(
            "SIGHTLOOP_DATABASE is postgresql://NAME:PASSWORD@HOST:5432/DATABASE; unset it to use "
            "SQLite in the home folder"
        )
    try:
        from agent.postgres import Postgres
    except ImportError as error:
        raise Unavailable(
            "SIGHTLOOP_DATABASE needs psycopg: pip install 'sightloop[postgres]'"
        ) from error
    return Postgres(url, f"sightloop_{name}" if name else "sightloop")


def open_bucket(owner: str = "") -> Bucket | None:
    """The pictures of an owner where SIGHTLOOP_PICTURES says, or None: in the home folder.

    Raises:
        InvalidInput: the URL is none of S3-type storage.
        Unavailable: boto3 is not installed.
    """
    url = os.environ.get("SIGHTLOOP_PICTURES")
    if not url:
        return None
    try:
        from agent.bucket import Bucket
    except ImportError as error:
        raise Unavailable("SIGHTLOOP_PICTURES needs boto3: pip install 'sightloop[s3]'") from error
    return Bucket(url, f"owners/{owner}" if owner else "store")
