"""Inpaint: a part of a picture painted anew, the rest kept byte for byte."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from tools import cutout, region
from tools.base import Record, Text
from tools.drawing import DrawInput, Hand, PaintOptions
from tools.values import Box, Image, Mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.diffusion import Diffusion, Manner, OnStep, Order


class InpaintInput(DrawInput):
    """Where to paint what."""

    image: Image = Field(description="the picture")
    prompt: Text = Field(description="what to paint there")
    mask: Mask | None = Field(None, description="where; of the picture's size")
    boxes: tuple[Box, ...] = Field((), max_length=32, description="where, instead of a mask")


class ChangeOutput(Record):
    """The picture after a change, and how local the change is."""

    image: Image = Field(description="of the same size; outside the mask of the same bytes")
    mask: Mask = Field(description="where it was allowed to change, the seam included")
    outside_change: float = Field(ge=0, le=1, description="share of pixels outside that differ: 0")
    inside_change: float = Field(ge=0, le=1, description="mean difference inside")


class Inpaint(Hand[InpaintInput, ChangeOutput]):
    """Paint something into a part of a picture, given by a mask or boxes.

    Latent diffusion, Rombach et al. 2022 (arXiv:2112.10752). A large picture is worked on in a
    window around the part, at the network's own scale.

    Raises:
        InvalidInput: the mask is empty or of another size, or a box leaves the picture.
        Unavailable: the checkpoint is not on this machine, or cannot paint under a mask.
    """

    name = "inpaint"
    input = InpaintInput
    output = ChangeOutput
    options_type = PaintOptions
    options: PaintOptions

    def check(self, request: InpaintInput) -> None:
        region.wanted(request.image, request.mask, request.boxes)

    def one(self, request: InpaintInput, reports: Sequence[OnStep | None]) -> ChangeOutput:
        where = region.wanted(request.image, request.mask, request.boxes)
        order = self.order(request.prompt, "", request.seed)
        manner = self.manner(request)
        return put(self._model, request.image, where, order, manner, reports[0], self.options)


def put(
    model: Diffusion,
    image: Image,
    where: NDArray[np.bool_],
    order: Order,
    manner: Manner,
    on_step: OnStep | None,
    options: PaintOptions,
) -> ChangeOutput:
    """Put a thing into a region, bool (H, W), of a picture, in the way that the options name."""
    words = options.alone if order.prompt != options.empty else None
    thing = cutout.drawn(model, order, manner, words, on_step)
    if thing is None:
        return painted(model, image, where, order, manner, on_step, share=options.share)
    blank = order._replace(prompt=options.empty)
    empty = painted(model, image, where, blank, manner, None).image
    rows, columns = np.flatnonzero(where.any(1)), np.flatnonzero(where.any(0))
    box = (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
    laid = cutout.lay(empty, thing, box).pixels
    after = Image.from_pixels(np.where(where[..., None], laid, empty.pixels))
    changed = Mask((after.pixels != image.pixels).any(2) | where)
    return ChangeOutput(**region.measured(image, after, changed)._asdict())


def painted(
    model: Diffusion,
    image: Image,
    where: NDArray[np.bool_],
    order: Order,
    manner: Manner,
    on_step: OnStep | None,
    *,
    share: float | None = None,
) -> ChangeOutput:
    """Paint a region, bool (H, W), of a picture; what every tool does that changes a part.

    Args:
        share: as in PaintOptions.
    """
    side = model.size_wh[0]
    window = region.around(where, share) if share else region.window(where, side)
    seen, painted_over = (
        region.cut(image.pixels, window, side),
        region.cut_mask(where, window, side),
    )
    made = model.paint(order, seen, painted_over, manner=manner, on_step=on_step)
    made = region.matched(made, seen, painted_over)
    return ChangeOutput(**region.lay(image, made, window, where)._asdict())


TOOL = Inpaint
