"""Upscale: a picture enlarged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from tools import region
from tools.base import Record
from tools.drawing import DrawInput, DrawOptions, Hand
from tools.errors import InvalidInput
from tools.values import MAX_PIXELS, Image

if TYPE_CHECKING:
    from models.diffusion import OnStep

MOST = 1024  # px; above it a picture is resampled only


class UpscaleOptions(DrawOptions):
    """Set in the profile."""

    strength: float = Field(0.0, ge=0, le=0.5, description="how much detail is drawn; 0 is none")


class UpscaleInput(DrawInput):
    """How far to enlarge what."""

    image: Image = Field(description="the picture")
    factor: int = Field(2, ge=2, le=4, description="how many times as wide and as high")


class UpscaleOutput(Record):
    """The larger picture."""

    image: Image = Field(description="factor times as wide and as high")


class Upscale(Hand[UpscaleInput, UpscaleOutput]):
    """Enlarge a picture two to four times.

    Lanczos resampling, then, where the profile gives a strength and the network's size allows,
    SDEdit (Meng et al. 2021, arXiv:2108.01073) for detail.

    Raises:
        InvalidInput: the picture would become too large.
        Unavailable: the checkpoint is not on this machine.
    """

    name = "upscale"
    input = UpscaleInput
    output = UpscaleOutput
    options_type = UpscaleOptions
    options: UpscaleOptions

    def check(self, request: UpscaleInput) -> None:
        width, height = (side * request.factor for side in request.image.size_wh)
        if width * height > MAX_PIXELS:
            raise InvalidInput(
                f"{width}x{height} is more than {MAX_PIXELS // 1_000_000} megapixels"
            )

    def one(self, request: UpscaleInput, reports: Sequence[OnStep | None]) -> UpscaleOutput:
        width, height = (side * request.factor for side in request.image.size_wh)
        large = region.resized(request.image.pixels, width, height)
        if self.options.strength > 0 and max(width, height) <= MOST:
            cells = region.resized(large, width // 8 * 8 or 8, height // 8 * 8 or 8)
            made = self._model.restyle(
                self.order("", "", request.seed),
                cells,
                manner=self.manner(request),
                strength=self.options.strength,
                on_step=reports[0],
            )
            large = region.resized(made, width, height)
        return UpscaleOutput(image=Image.from_pixels(large))


TOOL = Upscale
