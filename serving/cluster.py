"""Cluster: Ray on this machine, begun with as little open and as little memory as it needs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tools.errors import InvalidInput, Unavailable

OBJECTS = 128 * 2**20  # bytes; pictures do not travel through Ray's object store
SPARE = 2.0  # logical cores for the front, beside those the groups ask for


@contextmanager
def processes(*, cores: float) -> Iterator[None]:
    """Ray on this machine, or on the cluster that RAY_ADDRESS names; ended at the end.

    Without dashboard and jobs interface. Ray's sockets listen on 127.0.0.1, but for one of each
    replica (gRPC) that listens wider and answers to nobody without the token.

    Args:
        cores: that actors may ask for together; logical, this machine may have fewer.

    Raises:
        InvalidInput: Ray's own guard, the token between its processes, is switched off.
        Unavailable: Ray does not start.
    """
    prepare()
    import ray

    _begin(int(cores + SPARE))
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def local(*, cores: float, host: str = "127.0.0.1", port: int = 8000) -> Iterator[None]:
    """Ray and Serve on this machine; see `processes`.

    Args:
        cores: that replicas may ask for together.
        host: where HTTP is served.
        port: where HTTP is served.

    Raises:
        InvalidInput: Ray's own guard, the token between its processes, is switched off.
        Unavailable: Ray does not start.
    """
    with processes(cores=cores):
        from ray import serve

        serve.start(
            proxy_location="HeadOnly",
            http_options={"host": host, "port": port, "keep_alive_timeout_s": 30},
        )
        try:
            yield
        finally:
            serve.shutdown()  # type: ignore[no-untyped-call]


def prepare() -> None:
    """See that the token between Ray's processes is there, and that no dashboard is.

    Raises:
        InvalidInput: see `processes`.
    """
    if os.environ.get("RAY_AUTH_MODE") == "disabled":
        raise InvalidInput(
            "RAY_AUTH_MODE=disabled lets anyone who reaches this machine run code; unset it"
        )
    _token()
    # What it imports would cost Ray half of the 15 s in which an agent of its must be up.
    sys.modules.setdefault("ray.dashboard.optional_deps", None)  # type: ignore[arg-type]


def _begin(cores: int) -> None:
    """Start Ray, or join the cluster that RAY_ADDRESS names.

    Raises:
        Unavailable: it is not up within the seconds that Ray gives itself; no setting changes them.
    """
    import ray

    where: dict[str, Any] = {}
    if "RAY_ADDRESS" not in os.environ:  # "local": else a Ray of somebody else here is joined
        where = {"address": "local", "num_cpus": cores, "object_store_memory": OBJECTS}
    try:
        ray.init(include_dashboard=False, log_to_driver=False, configure_logging=False, **where)
    except Exception as error:  # Ray raises no narrower one here
        raise Unavailable(
            f"Ray did not start; if this machine is busy, try again when it is not: {error}"
        ) from error


def _token() -> None:
    """Make the token of this person's clusters if there is none."""
    path = Path(os.environ.get("RAY_AUTH_TOKEN_PATH", Path.home() / ".ray" / "auth_token"))
    if "RAY_AUTH_TOKEN" not in os.environ and not path.exists():
        import secrets

        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(32))
