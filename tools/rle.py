"""RLE: run-length encoding of masks, column by column, as COCO and pycocotools write it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def encode(mask: NDArray[np.bool_]) -> str:
    """Write a bool (H, W) mask as COCO's `counts` text."""
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff(np.concatenate(([0], edges, [flat.size]))).tolist()
    if flat[0]:
        runs.insert(0, 0)  # the first run is always one of zeros
    text = []
    for index, run in enumerate(runs):
        value = run - runs[index - 2] if index > 2 else run
        more = True
        while more:
            digit = value & 0x1F
            value >>= 5
            more = value != -1 if digit & 0x10 else value != 0
            text.append(chr((digit | 0x20 if more else digit) + 48))
    return "".join(text)


def decode(counts: str, size_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """Read COCO's `counts` text as a bool (H, W) mask.

    Raises:
        ValueError: the text is damaged or its runs do not fill the size.
    """
    runs: list[int] = []
    value = shift = 0
    for character in counts:
        digit = ord(character) - 48
        if not 0 <= digit < 64:
            raise ValueError(f"{character!r} is no run-length digit")
        value |= (digit & 0x1F) << shift
        shift += 5
        if digit & 0x20:
            continue
        if digit & 0x10:
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value = shift = 0
    height, width = size_hw
    if shift or min(runs, default=-1) < 0 or sum(runs) != height * width:
        raise ValueError(f"the runs do not fill {height}x{width} pixels")
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return np.ascontiguousarray(flat.reshape((height, width), order="F"))
