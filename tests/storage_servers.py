"""Storage servers: a real PostgreSQL, and S3-type storage behind HTTP, on ports of this machine."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

PASSWORD = "a%40secret"  # noqa: S105 - of a server that lives for a moment; as a URL has it
NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")


class Postgres:
    """A PostgreSQL server in a folder of its own; root may not run one, so nobody does then."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self._folder = programs, folder
        self._user = NOBODY if os.geteuid() == 0 else ()
        self.port = free_port()

    def make(self) -> None:
        """Make the empty database files."""
        password = self._folder / "password"
        password.write_text(PASSWORD.replace("%40", "@"))
        if self._user:
            for path in (self._folder, password):
                shutil.chown(path, "nobody", "nogroup")
        self._run("initdb", "-U", "tester", "-A", "scram-sha-256", f"--pwfile={password}", "-N")

    def start(self) -> None:
        """Start; returns when it answers."""
        settings = f"-p {self.port} -k {self._folder} -h 127.0.0.1 -c fsync=off"
        log = str(self._folder / "log")
        self._run("pg_ctl", "-w", "-t", "60", "-l", log, "-o", settings, "start")

    def stop(self) -> None:
        """End at once, as a crash does; connections break."""
        self._run("pg_ctl", "-w", "-m", "immediate", "stop")

    def fresh(self) -> str:
        """Forget all stores; returns the address of the database."""
        import psycopg

        url = f"postgresql://tester:{PASSWORD}@127.0.0.1:{self.port}/postgres"
        with psycopg.connect(url, autocommit=True) as connection:
            query = "SELECT nspname FROM pg_namespace WHERE starts_with(nspname, 'sightloop')"
            for (schema,) in connection.execute(query).fetchall():
                connection.execute(f'DROP SCHEMA "{schema}" CASCADE')
        return url

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [*self._user, self._programs / program, "-D", self._folder / "data", *arguments],
            check=True, cwd=self._folder, stdout=subprocess.DEVNULL,
        )  # fmt: skip


class S3:
    """S3-type storage in a process of its own; what it holds ends with it."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start; returns when it answers."""
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(600):
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            time.sleep(0.1)
        raise TimeoutError("moto's server did not start")

    def stop(self) -> None:
        """End at once."""
        self._process.kill()
        self._process.wait()

    def make(self, bucket: str) -> None:
        """Make a bucket."""
        from agent.bucket import _client

        _client(self.url).create_bucket(Bucket=bucket)

    def fresh(self) -> str:
        """Make a bucket; returns the URL of a prefix in it."""
        name = f"b{uuid.uuid4().hex[:12]}"
        self.make(name)
        return f"s3://{name}/some/where"


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """A server that runs; skips where there is none to start."""
    found = shutil.which("initdb") or max(
        map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")), default=None
    )
    if found is None:
        pytest.skip("no initdb: install a PostgreSQL server, such as Debian's postgresql")
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip("no psycopg: pip install '.[postgres]'")
    # Not pytest's folder: nobody may not enter that.
    with tempfile.TemporaryDirectory(prefix="sightloop-postgres-") as folder:
        server = Postgres(Path(found).parent, Path(folder))
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextlib.contextmanager
def s3() -> Iterator[S3]:
    """A storage that runs; skips where there is none to start."""
    for name in ("boto3", "moto"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"no {name}: pip install '.[dev]'")
    server = S3()
    server.start()
    try:
        yield server
    finally:
        server.stop()


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
