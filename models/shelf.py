"""Shelf: the networks in memory; each is loaded once and stays until its checkpoint is dropped."""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import torch

Network = TypeVar("Network")
Load = Callable[[str, str, str], Network]

_held: dict[tuple[str, str, str, str], Any] = {}


def kept(load: Load[Network]) -> Load[Network]:
    """A loader, of checkpoint, device and dtype, that loads once and gives the same again."""

    @wraps(load)
    def once(checkpoint: str, device: str, dtype: str) -> Network:
        key = (f"{load.__module__}.{load.__name__}", checkpoint, device, dtype)
        if key not in _held:
            _held[key] = load(checkpoint, device, dtype)
        found: Network = _held[key]
        return found

    return once


def drop(checkpoint: str) -> None:
    """Let go of all networks of a checkpoint; memory is free once nobody else holds them."""
    for key in [key for key in _held if key[1] == checkpoint]:
        del _held[key]
    gc.collect()  # pipelines and their hooks refer to each other
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
