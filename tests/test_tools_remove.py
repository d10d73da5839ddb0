"""Remove: what goes, and what stays though it is near."""

from __future__ import annotations

import pytest

from miniature.world.scene import Scene, Thing, boxes, draw, masks
from tools.inpaint import ChangeOutput
from tools.remove import Remove
from tools.values import Image

SCENE = Scene("blue", (Thing("key", "red", "large", 32, 32),))  # slanted: half its box is empty


@pytest.mark.parametrize("with_scissors", [False, True], ids=["box", "outline"])
def test_with_a_sam_only_what_the_thing_covers_is_painted_over(with_scissors: bool) -> None:
    parts = {"ground": "miniature/weights/owl"}
    if with_scissors:
        parts["segment"] = "miniature/weights/sam"
    tool = Remove({"threshold": 0.5, "overlap": 0.2, "prompt": "an empty background"}, parts)
    tool.load("miniature/weights/stable-diffusion", "cpu", "auto")
    picture = Image.from_pixels(draw(SCENE))
    (made,) = tool.run([tool.parse({"image": picture, "phrase": "key", "steps": 4})])
    assert isinstance(made, ChangeOutput)
    assert made.outside_change == 0
    (thing,), (box,) = masks(SCENE), boxes(SCENE)
    covered = (made.mask.pixels & thing).sum() / thing.sum()
    spent = made.mask.pixels.sum() / ((box[2] - box[0]) * (box[3] - box[1]))
    assert covered > 0.97
    assert spent < 0.85 if with_scissors else spent > 1
