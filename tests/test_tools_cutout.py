"""A thing cut out of its plain ground and laid into a picture."""

from __future__ import annotations

import numpy as np

from tools import cutout
from tools.generate import GenerateOutput
from tools.ground import GroundOutput
from tools.toolbox import LocalToolbox
from tools.values import Image

GROUND, OUTLINE = (180, 180, 190), (0, 0, 0)


def ring() -> Image:
    """A black ring on grey; the grey inside it is its own."""
    y, x = np.mgrid[:64, :64]
    away = np.hypot(x - 32, y - 32)
    pixels = np.full((64, 64, 3), GROUND, np.uint8)
    pixels[(away > 12) & (away < 18)] = OUTLINE
    return Image.from_pixels(pixels)


def test_what_a_thing_encloses_belongs_to_it() -> None:
    thing = cutout.cut(ring().pixels)
    assert thing is not None
    height, width = thing.solid.shape
    assert 34 < height < 40
    assert thing.solid[height // 2, width // 2] == 1, "the hole has the ground's colour"
    assert thing.solid[0, 0] == 0


def test_a_thing_fills_its_box_and_no_byte_outside_changes() -> None:
    thing = cutout.cut(ring().pixels)
    assert thing is not None
    white = Image.from_pixels(np.full((96, 128, 3), 255, np.uint8))
    made = cutout.lay(white, thing, (10, 20, 70, 60))
    changed = (made.pixels != white.pixels).any(2)
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    assert rows[0] >= 20
    assert rows[-1] < 60
    assert 34 <= rows[-1] - rows[0] + 1 <= 40
    assert abs((columns[0] + columns[-1] + 1) / 2 - 40) <= 1, "in the middle"


def test_where_there_is_nothing_or_no_ground_nothing_is_cut() -> None:
    plain = np.full((64, 64, 3), GROUND, np.uint8)
    assert cutout.cut(plain) is None
    cropped = ring().pixels[16:, :]
    assert cutout.cut(cropped) is None, "it goes on beyond the border"


async def test_things_lie_in_the_boxes_given_for_them(miniature: LocalToolbox) -> None:
    layout, ground = miniature.tool("layout"), miniature.tool("ground")
    wanted = {"a panda": (8.0, 32.0, 60.0, 96.0), "a red apple": (70.0, 36.0, 122.0, 92.0)}
    things = [{"phrase": phrase, "box": box} for phrase, box in wanted.items()]
    drawn = await miniature.call("layout", layout.parse({"prompt": "a panda", "things": things}))
    assert isinstance(drawn, GenerateOutput)
    image = drawn.images[0]
    phrases = list(wanted)
    found = await miniature.call("ground", ground.parse({"image": image, "phrases": phrases}))
    assert isinstance(found, GroundOutput)
    for phrase, (x0, _, x1, _) in wanted.items():
        (box,) = [one.box for one in found.boxes if one.phrase == phrase]
        assert box[0] >= x0 - 4
        assert box[2] <= x1 + 4
