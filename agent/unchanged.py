"""Unchanged: whether a changed picture is still the same outside of what was to be changed.

No network is asked: pixels are compared. The region that may differ is what the tool says it
painted, or, where that is nearly everything, the boxes of the things that the change is about.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agent.checklist import Claim
from agent.state import Check, Verdict, Witness
from tools.errors import InvalidInput
from tools.values import Box, Image, Mask

SEEN = 24  # levels of 255 by which a pixel must differ to be another
FEW, MANY = 0.015, 0.06  # shares of the outside that differ: at most, and at least, to decide
LARGE = 0.6  # share of a picture from which a mask says nothing about where the change is
AROUND = 3.0  # px around a box that may differ too


def region_of(image: Image, mask: object, boxes: Sequence[Box]) -> NDArray[np.bool_] | None:
    """Where a change may show, bool (H, W); None if nobody knows.

    Args:
        mask: COCO run-length encoding as a tool gave it, or None.
        boxes: of the things that the change is about, px.
    """
    height, width = image.pixels.shape[:2]
    if isinstance(mask, dict):
        try:
            painted = Mask.from_rle(mask).pixels
        except InvalidInput:
            painted = np.zeros((1, 1), np.bool_)
        if painted.shape == (height, width) and painted.mean() < LARGE:
            return painted
    if not boxes:
        return None
    region = np.zeros((height, width), np.bool_)
    for x0, y0, x1, y1 in boxes:
        rows = slice(max(0, int(y0 - AROUND)), int(np.ceil(y1 + AROUND)))
        region[rows, max(0, int(x0 - AROUND)) : int(np.ceil(x1 + AROUND))] = True
    return region


def check_unchanged(
    claim: Claim, before: Image, after: Image, region: NDArray[np.bool_] | None
) -> Check:
    """Compare two pictures of one size outside a region."""
    evidence = {"before": before.id, "image": after.id}
    if before.size_wh != after.size_wh or region is None:
        why = "the size differs" if region is not None else "what may differ is not known"
        witness = Witness(name="pixels", says="unsure", support=0.5, detail=why)
        return Check(claim=claim, verdict="unsure", witnesses=(witness,), evidence=dict(evidence))
    apart = np.abs(before.pixels.astype(np.int16) - after.pixels.astype(np.int16)).max(axis=-1)
    outside = ~region
    share = float((apart[outside] > SEEN).mean()) if outside.any() else 0.0
    says: Verdict = "pass" if share <= FEW else "fail" if share >= MANY else "unsure"
    support = min(1.0, max(0.0, 1 - share / (2 * FEW)))
    detail = f"{share:.1%} of the pixels outside differ"
    witness = Witness(name="pixels", says=says, support=round(support, 4), detail=detail)
    return Check(claim=claim, verdict=says, witnesses=(witness,), evidence=dict(evidence))
