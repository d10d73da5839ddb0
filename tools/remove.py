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
    import numpy as np
    from numpy.typing import NDArray

    from models.diffusion import OnStep
    from models.owl import Owl
    from models.sam import Sam


class FindOptions(DrawOptions):
    """Set in the profile; threshold and overlap as for `ground`."""

    threshold: float = Field(0.25, ge=0, le=1, description="least score of a thing found")
    overlap: float = Field(0.5, gt=0, le=1, description="IoU above which two boxes are one")
    margin: float = Field(
        0.08, ge=0, le=1, description="what is found grows by this share on each side"
    )


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

    Found by the part `ground` (OWLv2, Minderer et al. 2023, arXiv:2306.09683), cut out by the part
    `segment` where the profile names one (Segment Anything, Kirillov et al. 2023,
    arXiv:2304.02643), else taken with its whole box; painted over by latent diffusion (Rombach et
    al. 2022, arXiv:2112.10752).

    Raises:
        InvalidInput: nothing of that name is found; the mask is empty or of another size.
        Unavailable: a checkpoint is not on this machine, or cannot paint under a mask.
    """

    name = "remove"
    input = RemoveInput
    output = ChangeOutput
    needs = ("ground", "segment")
    options_type = RemoveOptions
    options: RemoveOptions
    _eyes: Owl
    _scissors: Sam | None = None

    def load(self, checkpoint: str, device: str, dtype: str) -> None:
        from models import sam

        super().load(checkpoint, device, dtype)
        self._eyes = eyes(self.parts, device, dtype)
        if "segment" in self.parts:
            self._scissors = sam.load(self.parts["segment"], device, dtype)

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
            else self._place(request.image, request.phrase)
        )
        order = self.order(self.options.prompt, request.phrase or "", request.seed)
        return painted(self._model, request.image, where, order, self.manner(request), reports[0])

    def _place(self, image: Image, phrase: str) -> NDArray[np.bool_]:
        """Where a thing is, and a little more: bool, (H, W)."""
        boxes, margin = found(self._eyes, image, phrase, self.options), self.options.margin
        if self._scissors is None:
            return region.filled(image.size_wh, grown(boxes, image, margin))
        cuts = self._scissors.in_boxes(image.pixels, image.id, boxes)
        return region.spread([cut.mask for cut in cuts], margin)


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
    """The boxes of a phrase, the surest first.

    Raises:
        InvalidInput: there is none.
    """
    boxes = owl.boxes(
        [image.pixels], [(phrase,)], thresholds=[options.threshold], overlap=options.overlap
    )[0]
    if not boxes:
        raise InvalidInput(f"no {phrase!r} is found in the picture; name what it shows, or a box")
    return [one.box for one in boxes]


def grown(boxes: Sequence[Box], image: Image, margin: float) -> list[Box]:
    """Boxes larger by a share of their size on each side, cut at the picture's border."""
    larger: list[Box] = []
    for x0, y0, x1, y1 in boxes:
        dx, dy = (x1 - x0) * margin, (y1 - y0) * margin
        x0, y0 = max(0, x0 - dx), max(0, y0 - dy)
        larger.append((x0, y0, min(image.width, x1 + dx), min(image.height, y1 + dy)))
    return larger


TOOL = Remove
