"""Remove: what goes, and what stays though it is near."""

from __future__ import annotations

from miniature.world.scene import Scene, Thing, draw, masks
from tools.inpaint import ChangeOutput
from tools.remove import Remove
from tools.values import Image

SCENE = Scene("blue", (Thing("key", "red", "large", 32, 32),))  # slanted: half its box is empty


def removed(parts: dict[str, str]) -> ChangeOutput:
    tool = Remove({"threshold": 0.5, "overlap": 0.2, "prompt": "an empty background"}, parts)
    tool.load("miniature/weights/stable-diffusion", "cpu", "auto")
    picture = Image.from_pixels(draw(SCENE))
    (made,) = tool.run([tool.parse({"image": picture, "phrase": "key", "steps": 4})])
    assert isinstance(made, ChangeOutput)
    return made


def test_with_a_sam_only_what_the_thing_covers_is_painted_over() -> None:
    detector = {"ground": "miniature/weights/owl"}
    box = removed(detector)
    outline = removed({**detector, "segment": "miniature/weights/sam"})
    (thing,) = masks(SCENE)
    for made in (box, outline):
        assert made.outside_change == 0
        assert made.mask.pixels[thing].mean() > 0.97
    assert outline.mask.pixels.sum() < 0.7 * box.mask.pixels.sum()
