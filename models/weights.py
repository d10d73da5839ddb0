"""Weights: where each checkpoint lies, whether it is whole, whose it is. Imports no torch."""

from __future__ import annotations

import hashlib
import json
import re
from functools import lru_cache
from importlib import metadata
from math import prod
from pathlib import Path
from typing import NamedTuple

from models.errors import Unavailable

ROOT = Path(__file__).resolve().parent.parent
SUMS = ROOT / "miniature" / "weights" / "SHA256SUMS"
PACKAGE = "package:"  # what an installed Python package brings, networks or plain algorithms

_HUB_ID = re.compile(r"^[A-Za-z0-9][\w.-]*/[\w.-]+(@[\w./-]+)?$")
_DESCRIBED = ("config.json", "model_index.json", "open_clip_config.json")
_READ = (".safetensors", ".json", ".txt")  # what from_pretrained reads, and the digest covers


class Card(NamedTuple):
    """Where weights come from."""

    what: str
    licence: str
    paper: str


_OURS = "Apache-2.0; trained on pictures drawn from OpenMoji (CC BY-SA 4.0)"
_CLIP = "Radford et al. 2021, arXiv:2103.00020"
_OWL = "Minderer et al. 2023, arXiv:2306.09683"
_SAM = "Kirillov et al. 2023, arXiv:2304.02643"
_BLIP = "Li et al. 2022, arXiv:2201.12086"
_LLAVA = "Liu et al. 2023, arXiv:2304.08485"
_MINIGPT4 = "Zhu et al. 2023, arXiv:2304.10592"
_DIFFUSION = "Rombach et al. 2022, arXiv:2112.10752"
_INSTRUCT = "Brooks et al. 2022, arXiv:2211.09800"
_GLIGEN = "Li et al. 2023, arXiv:2301.07093"
_CONTROL = "Zhang et al. 2023, arXiv:2302.05543"

CARDS: dict[str, Card] = {
    "miniature/weights/stable-diffusion": Card("text to picture", _OURS, _DIFFUSION),
    "miniature/weights/clip": Card("picture-text similarity", _OURS, _CLIP),
    "miniature/weights/owl": Card("open-vocabulary detection", _OURS, _OWL),
    "miniature/weights/blip": Card("captions and answers", _OURS, _BLIP),
    "miniature/weights/llava": Card("captions and answers", _OURS, _LLAVA),
    "miniature/weights/minigpt4": Card("captions and answers", _OURS, _MINIGPT4),
    "miniature/weights/sam": Card("masks", _OURS, _SAM),
    "miniature/weights/control": Card("drawing along edges and regions", _OURS, _CONTROL),
    "stable-diffusion-v1-5/stable-diffusion-v1-5": Card(
        "text to picture", "CreativeML OpenRAIL-M", _DIFFUSION
    ),
    "stable-diffusion-v1-5/stable-diffusion-inpainting": Card(
        "painting under a mask", "CreativeML OpenRAIL-M", _DIFFUSION
    ),
    "timbrooks/instruct-pix2pix": Card("edits by instruction", "MIT", _INSTRUCT),
    "masterful/gligen-1-4-generation-text-box": Card(
        "text and boxes to picture", "CreativeML OpenRAIL-M", _GLIGEN
    ),
    "lllyasviel/sd-controlnet-canny": Card("drawing along edges", "OpenRAIL", _CONTROL),
    "lllyasviel/sd-controlnet-seg": Card("drawing along regions", "OpenRAIL", _CONTROL),
    "lllyasviel/sd-controlnet-depth": Card("drawing along depth", "OpenRAIL", _CONTROL),
    "lllyasviel/sd-controlnet-openpose": Card("drawing along joints", "OpenRAIL", _CONTROL),
    "stabilityai/stable-diffusion-xl-base-1.0": Card(
        "text to picture", "CreativeML Open RAIL++-M", "Podell et al. 2023, arXiv:2307.01952"
    ),
    "openai/clip-vit-base-patch32": Card(
        "picture-text similarity", "code MIT; none stated for the weights", _CLIP
    ),
    "google/owlv2-base-patch16-ensemble": Card("open-vocabulary detection", "Apache-2.0", _OWL),
    "facebook/sam-vit-base": Card("masks", "Apache-2.0", _SAM),
    "depth-anything/Depth-Anything-V2-Small-hf": Card(
        "depth", "Apache-2.0", "Yang et al. 2024, arXiv:2406.09414"
    ),
    "usyd-community/vitpose-base-simple": Card(
        "joints of people", "Apache-2.0", "Xu et al. 2022, arXiv:2204.12484"
    ),
    "Salesforce/blip-image-captioning-base": Card("captions", "BSD-3-Clause", _BLIP),
    "Salesforce/blip-vqa-base": Card("answers", "BSD-3-Clause", _BLIP),
    "package:rapidocr": Card(
        "text in pictures", "Apache-2.0", "Cui et al. 2025, arXiv:2507.05595; PP-OCR in ONNX"
    ),
    "package:opencv-python-headless": Card(
        "edges", "Apache-2.0", "Canny 1986, doi:10.1109/TPAMI.1986.4767851"
    ),
}


def card(checkpoint: str) -> Card:
    """What is known of a checkpoint; of one that is not ours, that its own card must be read."""
    return CARDS.get(checkpoint.partition("@")[0], Card("see its card", "see its card", ""))


def locate(checkpoint: str) -> Path:
    """The folder of a checkpoint on this machine.

    Args:
        checkpoint: a folder relative to the install root, an absolute folder, or a hub id,
            "owner/name" or "owner/name@revision", which is looked up in the local hub cache,
            or "package:NAME", an installed Python package: the folder that it lies in.

    Raises:
        Unavailable: it is not here; says how to get it.
    """
    if checkpoint.startswith(PACKAGE):
        return Path(str(_package(checkpoint).locate_file("")))
    folder = ROOT / Path(checkpoint).expanduser()
    if folder.is_dir():
        if not any((folder / name).is_file() for name in _DESCRIBED):
            raise Unavailable(
                f"checkpoint folder {checkpoint!r} has neither config.json nor model_index.json; "
                "it is not a model folder or not whole: fetch or train it again"
            )
        return folder
    if is_hub_id(checkpoint):
        return _snapshot(checkpoint)
    raise Unavailable(
        f"checkpoint folder {checkpoint!r} is missing; install again, train it with "
        "its recipe in miniature/train, or name another checkpoint in the profile"
    )


def is_hub_id(checkpoint: str) -> bool:
    """Whether a checkpoint that is no folder here names a repository on the Hugging Face hub."""
    return bool(_HUB_ID.match(checkpoint)) and not checkpoint.startswith("miniature/")


def architecture(folder: Path) -> str:
    """The class that a checkpoint folder was saved from; "" where it does not say."""
    try:
        if (index := folder / "model_index.json").is_file():
            return str(json.loads(index.read_text(encoding="utf-8"))["_class_name"])
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return str(config.get("_class_name") or config["architectures"][0])
    except (OSError, ValueError, LookupError, TypeError):
        return ""


def expect(checkpoint: str, *classes: str) -> Path:
    """The folder of a checkpoint of one of these classes, or one of these packages.

    Raises:
        Unavailable: it is not here, or of another class.
    """
    folder = locate(checkpoint)
    found = checkpoint if checkpoint.startswith(PACKAGE) else architecture(folder)
    if found not in classes:
        raise Unavailable(
            f"checkpoint {checkpoint!r} is {'a ' + found if found else 'of no known class'}; "
            f"this tool needs {' or '.join(classes)}: name another one in the profile"
        )
    return folder


def digest(checkpoint: str) -> str:
    """What tells these weights from all others, 64 hex characters.

    Of a folder, SHA-256 over the names and contents of its safetensors, JSON and text files;
    of a hub snapshot, SHA-256 of its id and commit; of a package, of its name and version.

    Raises:
        Unavailable: it is not here.
    """
    if checkpoint.startswith(PACKAGE):
        return hashlib.sha256(f"{checkpoint}@{_package(checkpoint).version}".encode()).hexdigest()
    folder = locate(checkpoint)
    if folder.parent.name == "snapshots":
        return hashlib.sha256(f"{checkpoint.partition('@')[0]}@{folder.name}".encode()).hexdigest()
    lines = [
        f"{file_digest(path)}  {path.relative_to(folder).as_posix()}" for path in _files(folder)
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def parameters(checkpoint: str) -> int:
    """How many numbers the safetensors of a checkpoint hold; 0 of a package.

    Raises:
        Unavailable: it is not here.
    """
    if checkpoint.startswith(PACKAGE):
        return 0
    total = 0
    for path in locate(checkpoint).rglob("*.safetensors"):
        with path.open("rb") as file:  # the header: its length, then JSON
            head = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        shapes = [value["shape"] for key, value in head.items() if key != "__metadata__"]
        total += sum(prod(shape) for shape in shapes)
    return total


def verify(checkpoint: str, sha256: str | None = None) -> str:
    """The digest, once the weights are known to be the ones that were meant.

    Args:
        checkpoint: as in `locate`.
        sha256: the digest that the profile expects, if it names one. Files that are listed in
            miniature/weights/SHA256SUMS are compared with it in any case.

    Raises:
        Unavailable: missing, or changed since it was listed; says what to do.
    """
    folder = locate(checkpoint)
    for path, expected in _listed(folder):
        name = f"{checkpoint}/{path.relative_to(folder).as_posix()}"
        if not path.is_file():
            raise Unavailable(f"{name!r} is missing from the checkpoint; install again")
        if (found := file_digest(path)) != expected:
            raise Unavailable(
                f"{name!r} has SHA-256 {found[:12]}…, expected {expected[:12]}…; it is damaged "
                "or was changed: install again, or list its new digest in SHA256SUMS"
            )
    found = digest(checkpoint)
    if sha256 is not None and found != sha256:
        raise Unavailable(
            f"checkpoint {checkpoint!r} has digest {found[:12]}…, the profile expects "
            f"{sha256[:12]}…; fetch it again, or pin the new digest in the profile"
        )
    return found


def _package(checkpoint: str) -> metadata.Distribution:
    name = checkpoint.removeprefix(PACKAGE)
    try:
        return metadata.distribution(name)
    except (metadata.PackageNotFoundError, ValueError) as error:
        raise Unavailable(
            f"the Python package {name!r} is not installed; `pip install {name}` brings it"
        ) from error


def _snapshot(checkpoint: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    repository, _, revision = checkpoint.partition("@")
    try:
        path = snapshot_download(repository, revision=revision or None, local_files_only=True)
    except (LocalEntryNotFoundError, OSError) as error:
        raise Unavailable(
            f"checkpoint {checkpoint!r} is not on this machine; "
            f"`sightloop models pull {checkpoint}` fetches it, or take `--profile miniature`"
        ) from error
    return Path(path)


def _files(folder: Path) -> list[Path]:
    found = (path for path in folder.rglob("*") if path.suffix in _READ and path.is_file())
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def _listed(folder: Path) -> list[tuple[Path, str]]:
    """The files inside a folder that SHA256SUMS lists, `sha256sum` format, with their digests."""
    if not folder.is_relative_to(SUMS.parent) or not SUMS.is_file():
        return []
    entries = []
    for line in SUMS.read_text(encoding="utf-8").splitlines():
        expected, _, name = line.partition(" ")
        path = SUMS.parent / name.strip().removeprefix("*").removeprefix("./")
        if name and path.is_relative_to(folder):
            entries.append((path, expected))
    return entries


def file_digest(path: Path) -> str:
    """SHA-256 of a file, 64 hex characters."""
    facts = path.stat()
    return _hash(path, facts.st_size, facts.st_mtime_ns)


@lru_cache(maxsize=1024)
def _hash(path: Path, size: int, mtime_ns: int) -> str:
    """Hash a file once for as long as its size and time of change stay the same."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
