"""What every test stands on: no network, fixed seeds, a home of its own, one thread."""

from __future__ import annotations

import os

# Before numpy or torch are imported anywhere: they read these once. Two threads on a
# shared two-core machine are several times slower than one.
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"
os.environ["COLUMNS"] = "100"
for variable in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2", "FORCE_COLOR"):
    os.environ.pop(variable, None)
for variable in ("SIGHTLOOP_HOME", "SIGHTLOOP_DATABASE", "SIGHTLOOP_PICTURES"):
    os.environ.pop(variable, None)

import ipaddress
import random
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image as PIL

from agent.storage import open_store
from agent.store import Store
from tests import storage_servers
from tests.storage_servers import S3, Postgres
from tools.profile import load_profile
from tools.toolbox import LocalToolbox

_connect = socket.socket.connect


def _loopback_only(self: socket.socket, address: Any) -> None:
    """Refuse to leave this machine, whatever a library tries."""
    if self.family in (socket.AF_INET, socket.AF_INET6):
        host = str(address[0])
        try:
            inside = host == "localhost" or ipaddress.ip_address(host.split("%")[0]).is_loopback
        except ValueError:
            inside = False
        if not inside:
            raise PermissionError(f"a test tried to reach {host!r}; tests talk to loopback only")
    _connect(self, address)


@pytest.fixture(autouse=True, scope="session")
def _no_network() -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", _loopback_only)
    yield
    patch.undo()


@pytest.fixture(autouse=True)
def _fixed_seeds() -> None:
    random.seed(0)
    np.random.seed(0)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A SIGHTLOOP_HOME that only this test sees."""
    folder = tmp_path / "home"
    monkeypatch.setenv("SIGHTLOOP_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """A PostgreSQL server of this session; skips where there is none to start."""
    with storage_servers.postgres() as server:
        yield server


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3]:
    """S3-type storage of this session, behind HTTP."""
    with storage_servers.s3() as server:
        yield server


@pytest.fixture
def postgres(postgres_server: Postgres, monkeypatch: pytest.MonkeyPatch) -> Postgres:
    """Stores that are opened have an empty database on the server."""
    monkeypatch.setenv("SIGHTLOOP_DATABASE", postgres_server.fresh())
    return postgres_server


@pytest.fixture
def s3(s3_server: S3, monkeypatch: pytest.MonkeyPatch) -> S3:
    """Stores that are opened have a fresh bucket."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("SIGHTLOOP_PICTURES", s3_server.fresh())
    return s3_server


@pytest.fixture(params=["here", "shared"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], Store]:
    """Opens stores by name: in a folder alone, or on Postgres and S3-type storage."""
    if request.param == "shared":
        request.getfixturevalue("postgres")
        request.getfixturevalue("s3")
    return lambda name: open_store(tmp_path, name)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A PNG of 64x48 pixels: a red disc-like square on white."""
    pixels = np.full((48, 64, 3), 255, np.uint8)
    pixels[12:36, 20:44] = (220, 30, 30)
    path = tmp_path / "photo.png"
    PIL.fromarray(pixels).save(path)
    return path


@pytest.fixture(scope="session")
def miniature() -> Iterator[LocalToolbox]:
    """The miniature tools, each loaded at its first call and shared by all tests; no cache."""
    toolbox = LocalToolbox(load_profile("miniature"))
    yield toolbox
    toolbox.close()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained checkpoints of the public classes, one folder each; see tests/tiny.py."""
    from tests.tiny import save_family

    folder = tmp_path_factory.mktemp("tiny")
    save_family(folder)
    return folder


@pytest.fixture(scope="session")
def profile(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A profile over the untrained networks."""
    path = tmp_path_factory.mktemp("profile") / "tiny.yaml"
    path.write_text(
        "tools:\n"
        f"  generate: {{checkpoint: {tiny}/diffusion-tiny, options: {{steps: 4}}}}\n"
        f"  caption: {{checkpoint: {tiny}/blip}}\n"
        f"  vqa: {{checkpoint: {tiny}/blip-vqa}}\n"
        f"  ground: {{checkpoint: {tiny}/owl}}\n"
        f"  classify: {{checkpoint: {tiny}/clip}}\n"
    )
    return path


class Ended(NamedTuple):
    """How a command line ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def sightloop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ended]:
    """Runs the command `sightloop` in this process, in an empty folder."""
    from ui.cli import call

    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Ended:
        capsys.readouterr()
        code = call([str(each) for each in arguments])
        return Ended(code, *capsys.readouterr())

    return run
