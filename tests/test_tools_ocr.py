"""Ocr: the networks that come with the package read what Pillow writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image as PIL
from PIL import ImageDraw, ImageFont

from models import ocr as network
from models.ocr import Line
from tools.errors import InvalidInput, Unavailable
from tools.ocr import Ocr, OcrOutput, rows
from tools.values import Image


def written(*lines: tuple[int, int, str], size: tuple[int, int] = (320, 120)) -> Image:
    """A white picture with texts, 28 px high, each at its x, y."""
    picture = PIL.new("RGB", size, "white")
    pen = ImageDraw.Draw(picture)
    for x, y, text in lines:
        pen.text((x, y), text, "black", ImageFont.load_default(28))
    return Image.from_pil(picture)


BILL = written((10, 10, "Hello world"), (10, 64, "Price: 42.50"), (230, 62, "total"))
BLANK = written(size=(64, 48))


@pytest.fixture(scope="module")
def ocr() -> Ocr:
    tool = Ocr()
    tool.load(network.CHECKPOINT, "auto", "auto")
    return tool


def test_text_is_read_row_by_row_with_its_places(ocr: Ocr) -> None:
    bill, blank = ocr.run([ocr.parse({"image": BILL}), ocr.parse({"image": BLANK})])
    assert isinstance(bill, OcrOutput)
    assert bill.text == "Hello world\nPrice: 42.50 total"
    assert [line.text for line in bill.lines] == ["Hello world", "Price: 42.50", "total"]
    assert all(line.confidence > 0.9 for line in bill.lines)
    x0, y0, x1, y1 = bill.lines[2].box
    assert 220 <= x0 < 240 < 280 < x1 <= 300
    assert 55 <= y0 < y1 <= 100
    assert blank == OcrOutput(lines=(), text="")


def test_a_picture_of_one_pixel_has_no_text(ocr: Ocr) -> None:
    dot = Image.from_pixels(BILL.pixels[:1, :1])
    assert ocr.run([ocr.parse({"image": dot})]) == [OcrOutput(lines=(), text="")]


def test_lines_below_the_threshold_are_left_out(ocr: Ocr) -> None:
    strict = Ocr({"threshold": 1.0})
    strict._model = ocr._model
    assert strict.run([strict.parse({"image": BILL})]) == [OcrOutput(lines=(), text="")]


def test_what_stands_beside_each_other_is_a_row() -> None:
    at = {"c": (0, 30, 9, 40), "b": (50, 2, 60, 12), "a": (0, 0, 40, 10), "d": (20, 29, 40, 39)}
    lines = [Line(text, box, 1.0) for text, box in at.items()]
    assert [[line.text for line in row] for row in rows(lines)] == [["a", "b"], ["c", "d"]]
    assert rows([]) == []


@pytest.mark.parametrize(
    "arguments",
    [{}, {"image": None}, {"image": "img1"}, {"image": [BILL]}, {"image": BILL, "language": "en"}],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=r"^ocr: "):
        Ocr().parse(arguments)


@pytest.mark.parametrize(
    ("checkpoint", "device", "says"),
    [
        (network.CHECKPOINT, "cuda", "take device 'cpu'"),
        ("package:pillow", "cpu", "needs package:rapidocr"),
        ("package:no-such-thing", "cpu", "pip install no-such-thing"),
    ],
)
def test_what_it_cannot_work_with_is_said(checkpoint: str, device: str, says: str) -> None:
    with pytest.raises(Unavailable, match=says):
        Ocr().load(checkpoint, device, "auto")


def test_networks_that_are_gone_are_not_fetched_in_silence(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"lacks its network 'Det'.*reinstall"):
        network.Ocr(tmp_path)
