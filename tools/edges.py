"""Edges: the outlines of a picture as a map, for `control`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from tools.base import Progress, Record, Tool
from tools.errors import InvalidInput
from tools.values import Image

if TYPE_CHECKING:
    from models import edges


class EdgesInput(Record):
    """What to outline, and how finely."""

    image: Image = Field(description="the picture")
    low: int = Field(100, ge=0, le=1000, description="step in brightness that prolongs an edge")
    high: int = Field(200, ge=1, le=1000, description="step in brightness that begins an edge")


class EdgesOutput(Record):
    """The map."""

    image: Image = Field(description="white edges on black, of the picture's size")


class Edges(Tool[EdgesInput, EdgesOutput]):
    """Draw the edges of a picture as a map, white on black.

    Canny 1986 (doi:10.1109/TPAMI.1986.4767851); the default steps are those of
    ControlNet's examples.

    Raises:
        InvalidInput: `low` is not below `high`.
        Unavailable: the package opencv-python-headless is not installed.
    """

    name = "edges"
    input = EdgesInput
    output = EdgesOutput
    _model: edges.Edges

    def load(self, checkpoint: str, device: str, dtype: str) -> None:
        from models import edges

        self._model = edges.load(checkpoint, device, dtype)

    def check(self, request: EdgesInput) -> None:
        if request.low >= request.high:
            raise InvalidInput(
                f"low is {request.low} and high {request.high}; low must be below high"
            )

    def answer(
        self, requests: Sequence[EdgesInput], progress: Progress | None
    ) -> list[EdgesOutput]:
        return [
            EdgesOutput(
                image=Image.from_pixels(
                    self._model.map(request.image.pixels, low=request.low, high=request.high)
                )
            )
            for request in requests
        ]


TOOL = Edges
