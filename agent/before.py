"""Before: claims that are told beside the picture that was changed.

Whether all else is still the same, and whether a thing is bigger or smaller than it was. No
network is asked here: boxes and pixels of both pictures are compared.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from agent.checklist import Claim
from agent.state import Check, Verdict, Witness
from agent.verify import agreed
from tools.errors import InvalidInput
from tools.ground import Detection
from tools.values import Box, Image, Mask

SEEN = 24  # levels of 255 by which a pixel must differ to be another
FEW, MANY = 0.015, 0.06  # shares of the outside that differ: at most, and at least, to decide
LARGE = 0.6  # share of a picture from which a mask says nothing about where the change is
AROUND = 3.0  # px around a box that may differ too
ALIKE, OTHER = 1.05, 1.1  # times as long: up to the one it is the same size, from the other on not


def region_of(
    image: Image, mask: object, boxes: Sequence[Box], *, told: bool
) -> NDArray[np.bool_] | None:
    """Where a change may show, bool (H, W); None if nobody knows.

    What a tool painted is no measure of what it should have painted: its mask counts where it was
    told to paint there, or where nothing else is known.

    Args:
        mask: COCO run-length encoding as a tool gave it, or None.
        told: whether the mask is where the tool was told to paint.
        boxes: of the things that the change is about, in both pictures, px.
    """
    region = np.zeros(image.pixels.shape[:2], np.bool_)
    for box in boxes:
        region[_inside(box)] = True
    if told or not boxes:
        region |= _painted(mask, region.shape)
    return region if region.any() else None


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


def check_resized(
    claim: Claim,
    before: tuple[Image, Sequence[Detection]],
    after: tuple[Image, Sequence[Detection]],
) -> Check:
    """Compare the size of a thing in two pictures, each with what was found in it.

    One witness is its box, the other what is painted there unlike the ground behind.
    """
    evidence: dict[str, JsonValue] = {"before": before[0].id, "image": after[0].id}
    then, now = (_surest(claim.subject, found) for _, found in (before, after))
    if then is None or now is None:  # what is gone is not bigger
        says: Verdict = "unsure" if then is None else "fail"
        detail = f"no {claim.subject} found {'before' if then is None else 'now'}"
        support = 0.5 if then is None else 0.0
        witness = Witness(name="ground", says=says, support=support, detail=detail)
        return Check(claim=claim, verdict=says, witnesses=(witness,), evidence=evidence)
    evidence["boxes"] = [{"phrase": now.phrase, "box": list(now.box), "score": now.score}]
    long = [max(x1 - x0, y1 - y0) for x0, y0, x1, y1 in (then.box, now.box)]
    areas = [
        _drawn(image, one.box, [each.box for each in found])
        for (image, found), one in zip((before, after), (then, now), strict=True)
    ]
    said = (
        _compared(claim, "ground", long[1] / long[0], f"{long[0]:.0f} px long, now {long[1]:.0f}"),
        _compared(
            claim,
            "pixels",
            (areas[1] / max(1, areas[0])) ** 0.5,
            f"{areas[0]} px painted, now {areas[1]}",
        ),
    )
    return Check(claim=claim, verdict=agreed(said), witnesses=said, evidence=evidence)


def _compared(claim: Claim, name: str, times: float, detail: str) -> Witness:
    """What a witness says that saw a thing so many times as long as before."""
    grown = times if claim.size == "large" else 1 / max(times, 0.01)
    says: Verdict = "pass" if grown >= OTHER else "fail" if grown <= ALIKE else "unsure"
    support = {"pass": 0.9, "unsure": 0.5, "fail": 0.1}[says]
    return Witness(name=name, says=says, support=support, detail=detail)


def _surest(noun: str, found: Sequence[Detection]) -> Detection | None:
    mine = [one for one in found if one.phrase == noun]
    return max(mine, key=lambda one: one.score, default=None)


def _drawn(image: Image, box: Box, boxes: Sequence[Box]) -> int:
    """Pixels in a box that are unlike the ground around all boxes."""
    outside = np.ones(image.pixels.shape[:2], np.bool_)
    for each in boxes:
        outside[_inside(each)] = False
    if not outside.any():
        return 0
    ground = np.median(image.pixels[outside], axis=0)  # (3,)
    unlike = np.abs(image.pixels[_inside(box)] - ground).max(axis=-1) > SEEN
    return int(unlike.sum())


def _inside(box: Box) -> tuple[slice, slice]:
    """Rows and columns of a box and a little around it."""
    x0, y0, x1, y1 = box
    rows = slice(max(0, int(y0 - AROUND)), int(np.ceil(y1 + AROUND)))
    return rows, slice(max(0, int(x0 - AROUND)), int(np.ceil(x1 + AROUND)))


def _painted(mask: object, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """A tool's mask, bool (H, W); empty where it fits no picture of this shape or says nothing."""
    nothing = np.zeros(shape, np.bool_)
    if not isinstance(mask, dict):
        return nothing
    try:
        painted = Mask.from_rle(mask).pixels
    except InvalidInput:
        return nothing
    return painted if painted.shape == shape and painted.mean() < LARGE else nothing
