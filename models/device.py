"""Device: where networks run, in what number format, and how their loading fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from transformers.utils import logging

from models import weights
from models.errors import Unavailable

_DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}

_VOCABULARIES = ("tokenizer.json", "vocab.json", "vocab.txt")

Item = TypeVar("Item")


def place(device: str, dtype: str) -> tuple[torch.device, torch.dtype]:
    """Turn the words of a profile into torch's.

    Args:
        device: "auto" is the first CUDA device, else the CPU.
        dtype: "auto" is float16 on CUDA and float32 elsewhere.

    Raises:
        Unavailable: the device is not on this machine, or computes in this format too slowly.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda"):
        number = int(device.partition(":")[2] or 0)
        if number >= torch.cuda.device_count():
            raise Unavailable(
                f"device {device!r} is not on this machine; it has {torch.cuda.device_count()} "
                "CUDA devices: take device 'auto' or 'cpu' in the profile"
            )
    if device == "cpu" and dtype == "float16":
        raise Unavailable(
            "float16 on a CPU takes thirty times as long; "
            "take dtype 'auto', 'float32' or 'bfloat16' in the profile"
        )
    if dtype == "auto":
        return torch.device(device), torch.float16 if device.startswith("cuda") else torch.float32
    return torch.device(device), _DTYPES[dtype]


def network(kind: Any, checkpoint: str, device: str, dtype: str) -> Any:
    """Load a transformers network from a folder of safetensors, ready to answer.

    Args:
        kind: its class.
        checkpoint: as in `weights.locate`.
        device: as in `place`.
        dtype: as in `place`.

    Raises:
        Unavailable: some weights are missing or have another shape; from_pretrained alone would
            fill such holes with random numbers.
    """
    where, number = place(device, dtype)
    with loading(checkpoint):
        model, info = kind.from_pretrained(
            weights.locate(checkpoint),
            dtype=number,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
        )
    holes = sorted(str(key) for key in (*info["missing_keys"], *info["mismatched_keys"]))
    if holes:
        raise Unavailable(
            f"checkpoint {checkpoint!r} lacks {len(holes)} weights, {holes[0]!r} first; "
            "it is of another class or not whole: fetch or train it again"
        )
    return model.eval().to(where)


def processor(kind: Any, checkpoint: str) -> Any:
    """Load the transformers processor that lies beside a network.

    Raises:
        Unavailable: its files are missing or damaged.
    """
    folder = weights.locate(checkpoint)
    tokenizer(checkpoint, folder)
    with loading(checkpoint):
        return kind.from_pretrained(folder, local_files_only=True)


def tokenizer(checkpoint: str, folder: Path) -> None:
    """Refuse a folder without a vocabulary; transformers would go on with an empty one.

    Raises:
        Unavailable: none of the files that hold one is there.
    """
    if not any((folder / name).is_file() for name in _VOCABULARIES):
        raise Unavailable(
            f"checkpoint {checkpoint!r} has no tokenizer ({' or '.join(_VOCABULARIES)}); "
            "fetch or train it again"
        )


@contextmanager
def loading(checkpoint: str) -> Iterator[None]:
    """Read a checkpoint without chatter; what goes wrong is the checkpoint's fault.

    Raises:
        Unavailable: the folder does not hold what its name promises.
    """
    quiet: Any = logging  # untyped
    quiet.disable_progress_bar()
    quiet.set_verbosity_error()
    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise Unavailable(
            f"checkpoint {checkpoint!r} cannot be loaded: {first}; fetch or train it again"
        ) from error


def copies(pictures: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    """Pictures that torch may wrap: it takes no read-only arrays."""
    return [np.array(picture) for picture in pictures]


def parts(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Cut a batch into pieces that memory holds."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
