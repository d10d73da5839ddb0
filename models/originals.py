"""Originals: weights as their authors saved them, turned once into folders of safetensors.

Such files are pickles. They are read with `weights_only`, which builds tensors and nothing else;
what they hold is told by the names of the weights.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from models import moco_original, reward_original, sam_original
from models.errors import InvalidInput


def convert(source: Path, folder: Path) -> Path:
    """Write a folder that a profile can name from an original file.

    Args:
        source: of Segment Anything (sam_vit_b_01ec64.pth), MoCo v3 (vit-b-300ep.pth.tar) or
            ImageReward (ImageReward.pt).
        folder: where to; must be new.

    Returns:
        The folder.

    Raises:
        InvalidInput: the file is not there or holds none of them, or the folder is there already.
        Unavailable: ImageReward's vocabulary is not on this machine; says how to get it.
    """
    if folder.exists():
        raise InvalidInput(f"{folder} is there already; name a new folder")
    try:
        held: Any = torch.load(source, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InvalidInput(f"{source} cannot be read as weights: {first}") from error
    held = held.get("state_dict", held) if isinstance(held, dict) else {}
    for kind in (sam_original, moco_original, reward_original):
        if any(name.startswith(kind.PREFIX) for name in held):
            try:
                kind.write(held, folder)
            except (LookupError, ValueError, TypeError, RuntimeError) as error:
                first = (str(error).strip().splitlines() or [type(error).__name__])[0]
                raise InvalidInput(f"{source} holds no whole network: {first}") from error
            return folder
    raise InvalidInput(
        f"{source} holds neither Segment Anything nor MoCo v3 nor ImageReward; others come from "
        "the hub as safetensors: `sightloop models pull NAME`"
    )
