"""Ocr: the text that stands on a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from tools.base import Progress, Record, Tool, share
from tools.values import Box, Image

if TYPE_CHECKING:
    from models.ocr import Line
    from models.ocr import Ocr as Reader


class OcrOptions(Record):
    """Set in the profile: what is believed."""

    threshold: float = Field(0.5, ge=0, le=1, description="lines below it are left out")


class OcrInput(Record):
    """What to read."""

    image: Image = Field(description="the picture")


class TextLine(Record):
    """One piece of text that stands in one line."""

    text: str = Field(description="what it says")
    box: Box = Field(description="x0, y0, x1, y1 in pixels")
    confidence: float = Field(ge=0, le=1, description="mean probability of its characters")


class OcrOutput(Record):
    """What stands there; a picture without text gives no lines."""

    lines: tuple[TextLine, ...] = Field(description="row by row from the top, each from the left")
    text: str = Field(description="all of it, a row a line")


class Ocr(Tool[OcrInput, OcrOutput]):
    """Read the text on a picture, and where each line stands.

    PP-OCR, Cui et al. 2025 (arXiv:2507.05595), through RapidOCR.

    Raises:
        Unavailable: the package rapidocr is not installed.
    """

    name = "ocr"
    input = OcrInput
    output = OcrOutput
    options_type = OcrOptions
    options: OcrOptions
    _model: Reader

    def load(self, checkpoint: str, device: str, dtype: str) -> None:
        from models import ocr

        self._model = ocr.load(checkpoint, device, dtype)

    def answer(self, requests: Sequence[OcrInput], progress: Progress | None) -> list[OcrOutput]:
        pictures = [request.image.pixels for request in requests]
        read = self._model.read(pictures, threshold=self.options.threshold)
        return [_output(found) for found in read]


def rows(lines: Sequence[Line]) -> list[list[Line]]:
    """Lines in reading order: those that stand beside each other make a row.

    A line belongs to the row above it if its middle is higher than the foot of the row's first.
    """
    ordered: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: (line.box[1] + line.box[3], line.box[0])):
        middle = (line.box[1] + line.box[3]) / 2
        if ordered and middle < ordered[-1][0].box[3]:
            ordered[-1].append(line)
        else:
            ordered.append([line])
    return [sorted(row, key=lambda line: line.box[0]) for row in ordered]


def _output(found: Sequence[Line]) -> OcrOutput:
    read = rows(found)
    return OcrOutput(
        lines=tuple(
            TextLine(text=line.text, box=line.box, confidence=share(line.confidence))
            for row in read
            for line in row
        ),
        text="\n".join(" ".join(line.text for line in row) for row in read),
    )


TOOL = Ocr
