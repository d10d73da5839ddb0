"""Remove: things taken out of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from tools import region
from tools.base import Text
from tools.drawing import DrawInput, DrawOptions, Hand
from tools.errors import InvalidInput, Unavailable
from tools.inpaint import ChangeOutput, painted
from tools.values import Box, Image, Mask

if TYPE_CHECKING:
    from models.diffusion import OnStep
    from models.owl import Owl


class FindOptions(DrawOptions):
    """Set in the profile; threshold and overlap as for `ground`."""

    threshold: float = Field(0.25, ge=0, le=1, description="least score of a thing found")
    overlap: float = Field(0.5, gt=0, le=1, description="IoU above which two boxes are one")
    margin: float = Field(0.08, ge=0, le=1, description="a box grows by this share on each side")


class RemoveOptions(FindOptions):
    """Set in the profile."""

    prompt: str = Field("", max_length=200, description="what to paint where things were")


class RemoveInput(DrawInput):
    """What to take out."""

    image: Image = Field(description="the picture")
    phrase: Text | None = Field(None, description="what to take out, all there are of it")
    mask: Mask | None = Field(None, description="where it is, instead of a phrase")
    boxes: tuple[Box, ...] = Field((), max_length=32, description="where, instead of a phrase")


class Remove(Hand[RemoveInput, ChangeOutput]):
    """Take things out of a picture, named in words or given by a mask or boxes.

    Found by the part `ground` (OWLv2, Minderer et al. 2023, arXiv:2306.09683), painted over by
    latent diffusion (Rombach et al. 2022, arXiv:2112.10752).

    Raises:
        InvalidInput: nothing of that name is found; the mask is empty or of another size.
        Unavailable: a checkpoint is not on this machine, or cannot paint under a mask.
    """

    name = "remove"
    input = RemoveInput
    output = ChangeOutput
    needs = ("ground",)
    options_type = RemoveOptions
    options: RemoveOptions
    _eyes: Owl

    def load(self, checkpoint: str, device: str, dtype: str) -> None:
        super().load(checkpoint, device, dtype)
        self._eyes = eyes(self.parts, device, dtype)

    def check(self, request: RemoveInput) -> None:
        given = [request.phrase is not None, request.mask is not None, bool(request.boxes)]
        if sum(given) != 1:
            raise InvalidInput("give one of phrase, mask or boxes: what to take out")
        if request.phrase is None:
            region.wanted(request.image, request.mask, request.boxes)

    def one(self, request: RemoveInput, reports: Sequence[OnStep | None]) -> ChangeOutput:
        where = (
            region.wanted(request.image, request.mask, request.boxes)
            if request.phrase is None
            else region.filled(
                request.image.size_wh,
                found(self._eyes, request.image, request.phrase, self.options),
            )
        )
        order = self.order(self.options.prompt, request.phrase or "", request.seed)
        return painted(self._model, request.image, where, order, self.manner(request), reports[0])


def eyes(parts: dict[str, str], device: str, dtype: str) -> Owl:
    """The detector that a tool holds as its part `ground`.

    Raises:
        Unavailable: the profile names none, or it is not on this machine.
    """
    from models import owl

    if "ground" not in parts:
        raise Unavailable("this tool holds a detector; name one in the profile: parts: {ground: …}")
    return owl.load(parts["ground"], device, dtype)


def found(owl: Owl, image: Image, phrase: str, options: FindOptions) -> list[Box]:
    """The boxes of a phrase, the surest first, grown by the margin.

    Raises:
        InvalidInput: there is none.
    """
    boxes = owl.boxes(
        [image.pixels], [(phrase,)], thresholds=[options.threshold], overlap=options.overlap
    )[0]
    if not boxes:
        raise InvalidInput(f"no {phrase!r} is found in the picture; name what it shows, or a box")
    grown: list[Box] = []
    for one in boxes:
        x0, y0, x1, y1 = one.box
        dx, dy = (x1 - x0) * options.margin, (y1 - y0) * options.margin
        grown.append(
            (
                max(0, x0 - dx),
                max(0, y0 - dy),
                min(image.width, x1 + dx),
                min(image.height, y1 + dy),
            )
        )
    return grown


TOOL = Remove
