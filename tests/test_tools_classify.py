"""What classify looks at when it is given a box."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tools.classify import Classify, ClassifyInput, ClassifyOutput
from tools.values import Box, Image

LABELS = ("dog", "cat", "red apple")


def ask(tool: Classify, image: Image, box: Box | None) -> ClassifyOutput:
    (result,) = tool.run([ClassifyInput(image=image, labels=LABELS, box=box)])
    assert isinstance(result, ClassifyOutput)
    return result


@pytest.mark.parametrize("outside", ["cut", "plain"])
def test_what_lies_outside_a_box_does_not_count(outside: str, tiny: Path) -> None:
    tool = Classify({"outside": outside})
    tool.load(str(tiny / "clip"), "cpu", "auto")
    pixels = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    other = pixels.copy()
    other[:, 45:] = pixels[:, 45:][::-1]  # the same colours elsewhere: the same plain surround
    box = (4.0, 6.5, 29.5, 33.0)
    images = Image.from_pixels(pixels), Image.from_pixels(other)
    first, second = (ask(tool, image, box) for image in images)
    assert first == second
    assert ask(tool, images[0], None) != ask(tool, images[1], None)


def test_a_plain_surround_is_the_colour_of_most_of_it(tiny: Path) -> None:
    tool = Classify({"outside": "plain"})
    tool.load(str(tiny / "clip"), "cpu", "auto")
    pixels = np.full((40, 60, 3), (200, 90, 10), np.uint8)
    pixels[10:20, 10:20] = 0
    alone = Image.from_pixels(pixels)
    pixels[25:40, 30:60] = 255
    assert ask(tool, Image.from_pixels(pixels), (5, 5, 25, 25)) == ask(tool, alone, None)
