"""Regions: what may change, the window a network sees, and that nothing else ever changes."""

from __future__ import annotations

import numpy as np
import pytest

from tools import region
from tools.errors import InvalidInput
from tools.values import Image, Mask


def picture(width: int, height: int, seed: int = 0) -> Image:
    rng = np.random.default_rng(seed)
    return Image.from_pixels(rng.integers(0, 255, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    ("size", "box"),
    [
        ((128, 128), (40, 40, 80, 90)),
        ((128, 128), (0, 0, 128, 128)),
        ((1, 1), (0, 0, 1, 1)),
        ((300, 20), (290, 0, 300, 20)),
        ((700, 900), (5, 800, 400, 900)),
        ((8000, 60), (7000, 1, 7900, 59)),
    ],
)
@pytest.mark.parametrize("soft", [True, False])
def test_outside_the_mask_every_byte_stays(
    size: tuple[int, int], box: tuple[int, int, int, int], soft: bool
) -> None:
    image = picture(*size)
    where = region.filled(size, [box])
    window = region.window(where, 128)
    made = np.full((128, 128, 3), 7, np.uint8)
    laid = region.lay(image, made, window, where, soft=soft)
    assert laid.image.size_wh == size
    outside = ~laid.mask.pixels
    assert np.array_equal(laid.image.pixels[outside], image.pixels[outside])
    assert (laid.image.pixels[where] == 7).all()
    assert laid.outside_change == 0.0
    assert laid.inside_change > 0
    assert not (where & outside).any()


def test_a_seam_is_full_inside_and_fades() -> None:
    where = region.filled((60, 40), [(20, 10, 30, 20)])
    weight = region.seam(where, 2)
    assert (weight[where] == 1).all()
    assert weight[15, 30] == pytest.approx(0.8)
    assert weight[15, 34] == 0
    assert weight.max() == 1


def test_a_window_of_the_networks_size_is_not_resampled() -> None:
    image = picture(200, 150)
    where = region.filled((200, 150), [(190, 140, 200, 150)])
    window = region.window(where, 128)
    assert window == (72, 22, 128)
    assert np.array_equal(region.cut(image.pixels, window, 128), image.pixels[22:150, 72:200])


def test_a_thin_mask_survives_shrinking() -> None:
    where = region.filled((2000, 2000), [(0, 999, 2000, 1000)])
    assert region.cut_mask(where, region.window(where, 64), 64).any(0).all()


def test_what_is_made_is_shifted_as_its_surroundings_are_off() -> None:
    seen = np.full((64, 64, 3), (200, 150, 100), np.uint8)
    where = region.filled((64, 64), [(20, 16, 44, 40)])
    made = np.full_like(seen, (212, 150, 90))
    made[24:32, 24:32] = (10, 20, 30)
    made[60:] = 0  # repainted, not copied: says nothing
    found = region.matched(made, seen, where)
    assert (found[where & (made[..., 0] == 212)] == (200, 150, 100)).all()
    assert (found[26, 26] == (0, 20, 40)).all()
    assert (found[~where][:, 0] <= 200).all(), "the seam is not lighter either"


def test_a_region_that_is_everything_is_not_shifted() -> None:
    made, seen = picture(32, 32, 1).pixels, picture(32, 32, 2).pixels
    assert np.array_equal(region.matched(made, seen, np.ones((32, 32), np.bool_)), made)


@pytest.mark.parametrize(
    ("mask", "boxes", "says"),
    [
        (None, [], "give either a mask or boxes"),
        (np.ones((10, 20), bool), [(0, 0, 1, 1)], "give either a mask or boxes"),
        (np.zeros((10, 20), bool), [], "the mask is empty"),
        (np.ones((20, 10), bool), [], "the mask is 10x20, the picture 20x10"),
        (None, [(0, 0, 21, 5)], "is not inside the picture of 20x10"),
        (None, [(5, 5, 5, 9)], "is not inside the picture of 20x10"),
        (None, [(float("nan"), 0, 5, 9)], "is not inside"),
    ],
)
def test_regions_that_make_no_sense_are_refused(
    mask: np.ndarray | None, boxes: list[tuple[float, float, float, float]], says: str
) -> None:
    given = None if mask is None else Mask(mask)
    with pytest.raises(InvalidInput, match=says):
        region.wanted(picture(20, 10), given, boxes)
