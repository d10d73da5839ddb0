"""Customize: a thing learnt from a few pictures, to be drawn by its name from then on."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tools import concepts, region
from tools.base import Progress, Record, Tool
from tools.drawing import LAST_SEED
from tools.errors import ToolError
from tools.values import Image, Pixels

if TYPE_CHECKING:
    from models.diffusion import Diffusion

SMOOTHED = 20  # losses that a report is the mean of
APART = 16  # of 255, from the colour of the border: less is ground


class CustomizeOptions(Record):
    """Set in the profile."""

    steps: int = Field(400, ge=1, le=5000, description="when a request names none")
    batch: int = Field(1, ge=1, le=64, description="pictures a step")
    rank: int = Field(4, ge=1, le=64, description="of the change of the U-Net")
    convolutions: bool = Field(False, description="change them beside the attention")
    word_rate: float = Field(5e-3, gt=0, le=1, description="learning rate of the word")
    change_rate: float = Field(1e-4, gt=0, le=1, description="learning rate of the change")


class CustomizeInput(Record):
    """What to learn."""

    images: tuple[Image, ...] = Field(
        min_length=1, max_length=16, description="three to five pictures of the thing"
    )
    name: concepts.Name = Field(description="one new word, such as: zorp; one known is replaced")
    kind: str = Field("", max_length=100, description="what it is, such as: dog")
    steps: int | None = Field(None, ge=1, le=5000, description="more is slower and closer")
    seed: int = Field(0, ge=0, le=LAST_SEED, description="the same one learns the same")


class CustomizeOutput(Record):
    """What was learnt."""

    name: str = Field(description="the word to use in prompts")
    first_loss: float = Field(description="how far off it was in the beginning")
    last_loss: float = Field(description="how far off it is now")
    bytes: int = Field(description="of its files")


class Customize(Tool[CustomizeInput, CustomizeOutput]):
    """Learn a person, pet or thing from a few pictures, to draw it by name in any prompt.

    Textual inversion, Gal et al. 2022 (arXiv:2208.01618), together with a LoRA of the U-Net (Hu
    et al. 2021, arXiv:2106.09685) as DreamBooth's, Ruiz et al. 2022 (arXiv:2208.12242). Where the
    ground of a picture is of one colour, only the thing on it is learnt.

    Raises:
        Unavailable: the checkpoint is not on this machine, or cannot learn.
    """

    name = "customize"
    cached = False
    input = CustomizeInput
    output = CustomizeOutput
    options_type = CustomizeOptions
    options: CustomizeOptions
    _model: Diffusion
    _checkpoint: str

    def load(self, checkpoint: str, device: str, dtype: str) -> None:
        from models import diffusion

        self._model = diffusion.load(checkpoint, device, dtype)
        self._checkpoint = checkpoint

    def answer(
        self, requests: Sequence[CustomizeInput], progress: Progress | None
    ) -> list[CustomizeOutput | ToolError]:
        return [self._learn(request, progress) for request in requests]

    def _learn(self, request: CustomizeInput, progress: Progress | None) -> CustomizeOutput:
        from models.diffusion import Lesson

        steps = request.steps or self.options.steps
        pictures = [_square(image, self._model.size_wh[0]) for image in request.images]
        losses: list[float] = []

        def on_lesson(step: int, loss: float) -> None:
            losses.append(loss)
            if progress is not None:
                progress(step, steps, None)

        set_in_profile = self.options.model_dump(exclude={"steps"})
        with tempfile.TemporaryDirectory() as made:
            files = Path(made) / request.name
            files.mkdir()
            self._model.learn(
                pictures,
                [subject(pixels) for pixels in pictures],
                files,
                kind=request.kind.strip(),
                lesson=Lesson(steps=steps, seed=request.seed, **set_in_profile),
                on_lesson=on_lesson,
            )
            size = sum(path.stat().st_size for path in files.iterdir())
            concepts.keep(self._card(request, steps, files, size), files)
        return CustomizeOutput(
            name=request.name,
            first_loss=_mean(losses[:SMOOTHED]),
            last_loss=_mean(losses[-SMOOTHED:]),
            bytes=size,
        )

    def _card(self, request: CustomizeInput, steps: int, files: Path, size: int) -> concepts.Kept:
        return concepts.Kept(
            name=request.name,
            kind=request.kind.strip(),
            kin=self._model.kin,
            checkpoint=self._checkpoint,
            digest=concepts.digest(files),
            pictures=len(request.images),
            steps=steps,
            bytes=size,
            made=datetime.now(UTC),
        )


def subject(pixels: Pixels) -> NDArray[np.bool_]:
    """Where the thing is: all that differs from a border of one colour, or everything.

    Args:
        pixels: RGB, uint8, (H, W, 3).

    Returns:
        bool, (H, W).
    """
    everything = np.ones(pixels.shape[:2], np.bool_)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]).astype(np.int16)
    colour = np.median(border, axis=0)
    if (np.abs(border - colour).max(1) > APART).mean() > 0.1:
        return everything
    differs = np.abs(pixels - colour).max(2) > APART
    grown = region.mean(differs.astype(np.float32), max(1, max(differs.shape) // region.SEAM)) > 0
    return grown if grown.any() else everything


def _square(image: Image, side: int) -> Pixels:
    """The picture as a network sees it, RGB, uint8, (side, side, 3), its border continued."""
    everything = np.ones(image.pixels.shape[:2], np.bool_)
    return region.cut(image.pixels, region.window(everything, side), side)


def _mean(losses: Sequence[float]) -> float:
    return round(sum(losses) / len(losses), 4)


TOOL = Customize
