"""Edit: a picture changed as an instruction says, and only where it says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tools import region
from tools.base import Record, Text
from tools.drawing import DrawInput, Hand
from tools.inpaint import ChangeOutput
from tools.remove import FindOptions, eyes, grown
from tools.values import Box, Image, Mask, Pixels

if TYPE_CHECKING:
    from models.diffusion import OnStep
    from models.owl import Owl

NEAR = 0.25  # of its size on each side of a thing, that an edit of it may change
_ENDS = "to into with of from by on in at and left right above below under next behind"
_NAMED = re.compile(
    rf"\b(?:the|a|an|all|every) ([a-z][a-z -]*?)(?= (?:{_ENDS.replace(' ', '|')})\b|[,.;!?]|$)"
)
_MADE = re.compile(r"^(?:make|turn|paint|colou?r) ")  # "make the apple blue": the last word is new


class EditOptions(FindOptions):
    """Set in the profile."""

    fidelity: float = Field(1.5, ge=1, le=10, description="how hard the picture pulls")
    least: float = Field(0.06, ge=0, le=1, description="least difference that counts as a change")


class EditInput(DrawInput):
    """What to change."""

    image: Image = Field(description="the picture")
    instruction: Text = Field(description="such as: make the apple blue")
    mask: Mask | None = Field(None, description="where it may change; found out if left out")


class Moved(Record):
    """A thing that the instruction names, before and after."""

    phrase: str = Field(description="as the instruction says it")
    before: Box | None = Field(description="where it was found")
    after: Box | None = Field(description="where it is found now")


class EditOutput(ChangeOutput):
    """The picture after the edit, and what moved."""

    moved: tuple[Moved, ...] = Field(description="things named whose box is not what it was")


class Edit(Hand[EditInput, EditOutput]):
    """Change a picture as an instruction says, and nothing else in it.

    InstructPix2Pix, Brooks et al. 2022 (arXiv:2211.09800). Without a mask, what changed beyond
    what the autoencoder alone changes is taken, near the things that the instruction names where
    the part `ground` finds them; all else is kept byte for byte.

    Raises:
        InvalidInput: the mask is empty or of another size.
        Unavailable: a checkpoint is not on this machine, or follows no instructions.
    """

    name = "edit"
    input = EditInput
    output = EditOutput
    needs = ("ground",)
    options_type = EditOptions
    options: EditOptions
    _eyes: Owl

    def load(self, checkpoint: str, device: str, dtype: str) -> None:
        super().load(checkpoint, device, dtype)
        self._eyes = eyes(self.parts, device, dtype)

    def check(self, request: EditInput) -> None:
        if request.mask is not None:
            region.wanted(request.image, request.mask, ())

    def one(self, request: EditInput, reports: Sequence[OnStep | None]) -> EditOutput:
        image, side = request.image, self._model.size_wh[0]
        everything = np.ones(image.pixels.shape[:2], np.bool_)
        window = region.window(everything, side)
        seen = region.cut(image.pixels, window, side)
        made = self._model.edit(
            self.order(request.instruction, "", request.seed),
            seen,
            manner=self.manner(request),
            fidelity=self.options.fidelity,
            on_step=reports[0],
        )
        whole = region.lay(image, made, window, everything).image
        names = named(request.instruction)
        before, after = self._boxes(image, names), self._boxes(whole, names)
        if request.mask is None:
            plain = region.lay(image, self._model.rebuild(seen), window, everything).image
            where = self._changed(plain.pixels, whole.pixels)
            near = _near(image, [*before.values(), *after.values()])
            if near is not None and not any("background" in name for name in names):
                where &= near
        else:
            where = request.mask.pixels
        if where.any():
            made = region.matched(made, seen, region.cut_mask(where, window, side))
            laid = region.lay(image, made, window, where)
        else:  # the network changed nothing that counts
            laid = region.measured(image, image, Mask(where))
        moved = tuple(
            Moved(phrase=name, before=before.get(name), after=after.get(name))
            for name in names
            if _shifted(before.get(name), after.get(name))
        )
        return EditOutput(**laid._asdict(), moved=moved)

    def _boxes(self, image: Image, names: Sequence[str]) -> dict[str, Box]:
        """The surest box of each thing that is there."""
        if not names:
            return {}
        found = self._eyes.boxes(
            [image.pixels],
            [names],
            thresholds=[self.options.threshold],
            overlap=self.options.overlap,
        )[0]
        surest: dict[str, Box] = {}
        for one in found:
            x0, y0, x1, y1 = (round(float(edge), 2) for edge in one.box)
            surest.setdefault(names[one.phrase], (x0, y0, x1, y1))
        return surest

    def _changed(self, before: Pixels, after: Pixels) -> NDArray[np.bool_]:
        """Where two pictures differ by enough, specks dropped and holes closed: bool, (H, W)."""
        difference = np.abs(after.astype(np.float32) - before).max(2) / 255
        width = max(1, max(difference.shape) // region.SEAM)
        strong = (difference > self.options.least).astype(np.float32)
        return region.mean(region.mean(strong, width), width) > 0.3


def named(instruction: str) -> tuple[str, ...]:
    """The things that an instruction names: "make the red apple blue" gives "red apple"."""
    words = " ".join(instruction.lower().split())
    names = _NAMED.findall(words)
    if _MADE.match(words):
        names = [name.rpartition(" ")[0] or name for name in names[:1]] + names[1:]
    return tuple(dict.fromkeys(names))


def _near(image: Image, boxes: Sequence[Box]) -> NDArray[np.bool_] | None:
    """The boxes and what is near them: bool, (H, W); None where nothing was found."""
    if not boxes:
        return None
    return region.filled(image.size_wh, grown(boxes, image, NEAR))


def _shifted(before: Box | None, after: Box | None) -> bool:
    """Whether a thing came, went, or moved by more than a tenth of its size."""
    if before is None or after is None:
        return before is not after
    size = max(before[2] - before[0], before[3] - before[1])
    return max(abs(a - b) for a, b in zip(before, after, strict=True)) > 0.1 * size


TOOL = Edit
