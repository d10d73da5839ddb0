"""`control` in the miniature: what is drawn stands where the map has it."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from miniature.train.control import outlines, regions
from miniature.world.scene import Scene, Thing, draw, masks
from models import edges
from tools.control import ControlInput
from tools.cutout import standing_out
from tools.errors import InvalidInput
from tools.toolbox import LocalToolbox
from tools.values import Image

FOX = Scene("blue", (Thing("fox", None, "large", 16, 48),))


@pytest.mark.parametrize("kind", ["edges", "segmentation"])
def test_what_is_drawn_stands_where_the_map_has_it(kind: str, miniature: LocalToolbox) -> None:
    if kind == "edges":
        shown = outlines(draw(FOX), edges.load(edges.CHECKPOINT, "cpu", "float32"))
    else:
        shown = regions(FOX, np.random.default_rng(0))
    asked = {"prompt": "a fox on a blue background", "kind": kind}
    request = ControlInput.model_validate({**asked, "condition": Image.from_pixels(shown)})
    output = asyncio.run(miniature.call("control", request))
    (made,) = output.images  # type: ignore[attr-defined]
    out, wanted = standing_out(made.pixels), masks(FOX).any(0)
    assert (out & wanted).sum() / (out | wanted).sum() > 0.7


def test_a_map_that_no_part_follows_is_refused(miniature: LocalToolbox) -> None:
    blank = Image.from_pixels(np.zeros((128, 128, 3), np.uint8))
    request = ControlInput(prompt="a fox", kind="depth", condition=blank)
    with pytest.raises(InvalidInput, match="maps it follows: edges, segmentation"):
        asyncio.run(miniature.call("control", request))
