"""Hub: public checkpoints fetched into the local hub cache, no more of each than is read."""

from __future__ import annotations

import pickle
from collections import defaultdict
from collections.abc import Iterable
from glob import escape
from pathlib import Path, PurePosixPath

from models import weights
from models.errors import Unavailable

_TOLD = (".json", ".txt", ".jinja")  # configurations, vocabularies, chat templates
_PICKLES = {  # and what their safetensors are called
    "pytorch_model.bin": "model.safetensors",
    "diffusion_pytorch_model.bin": "diffusion_pytorch_model.safetensors",
}


def pull(checkpoint: str) -> Path:
    """Fetch a hub checkpoint; one that is a folder here already is left as it is.

    Weights that a repository has as pickles only are read as tensors and nothing else, and written
    beside them as safetensors.

    Raises:
        Unavailable: it is no hub id, there is no network, the hub refuses, or it holds no weights
            that can be read.
    """
    folder = weights.ROOT / Path(checkpoint).expanduser()
    if folder.is_dir() or not weights.is_hub_id(checkpoint):
        return weights.locate(checkpoint)
    from httpx import HTTPError
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    repository, _, revision = checkpoint.partition("@")
    try:
        names = wanted(HfApi().list_repo_files(repository, revision=revision or None))
        path = snapshot_download(
            repository, revision=revision or None, allow_patterns=[escape(name) for name in names]
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, HTTPError, OSError) as error:
        first = (str(error).strip().splitlines() or ["no reason given"])[0]
        raise Unavailable(
            f"checkpoint {checkpoint!r} could not be fetched: {first}; check the network and the id"
        ) from error
    for name in names:
        if PurePosixPath(name).name in _PICKLES:
            _convert(Path(path) / name, checkpoint)
    return Path(path)


def wanted(names: Iterable[str]) -> list[str]:
    """Which files of a repository are read.

    Of the weights in a folder the whole ones in safetensors: no half-precision doubles
    (`model.fp16.safetensors`), and no single-file copies beside the parts of a pipeline. Where a
    folder has none, its pickle.

    Args:
        names: of all files, with "/" between folders.
    """
    folders: dict[PurePosixPath, list[PurePosixPath]] = defaultdict(list)
    for path in map(PurePosixPath, names):
        folders[path.parent].append(path)
    top = PurePosixPath()
    in_parts = any(path.name == "model_index.json" for path in folders[top])
    found: list[PurePosixPath] = []
    for folder, paths in folders.items():
        found += [path for path in paths if path.suffix in _TOLD]
        if in_parts and folder == top:
            continue
        whole = [path for path in paths if path.suffix == ".safetensors" and "." not in path.stem]
        found += whole or [path for path in paths if path.name in _PICKLES]
    return sorted(map(str, found))


def _convert(source: Path, checkpoint: str) -> None:
    """Write a pickle's tensors as safetensors beside it, all or nothing.

    Raises:
        Unavailable: it holds anything but tensors, or is damaged.
    """
    import torch
    from safetensors.torch import save_file

    target = source.with_name(_PICKLES[source.name])
    if target.is_file():
        return
    try:
        held = torch.load(source, map_location="cpu", weights_only=True)
        tensors = {key: value.contiguous().clone() for key, value in held.items()}
    except (pickle.UnpicklingError, RuntimeError, EOFError, AttributeError) as error:
        raise Unavailable(
            f"checkpoint {checkpoint!r} has no safetensors, and its {source.name} holds more than "
            "tensors or is damaged; name another checkpoint in the profile"
        ) from error
    part = target.with_suffix(".part")
    save_file(tensors, part, metadata={"format": "pt"})
    part.replace(target)
