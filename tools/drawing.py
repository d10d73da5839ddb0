"""Drawing: what the tools share that change or draw one picture at a time with one network."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import Field

from tools import concepts
from tools.base import Progress, Record, Tool
from tools.errors import InvalidInput, ToolError
from tools.values import Image, Pixels

if TYPE_CHECKING:
    from models.diffusion import Diffusion, Manner, OnStep, Order

LAST_SEED = 2**53 - 1  # what every JSON reader keeps exact

Scheduler = Literal[
    "checkpoint", "dpm++", "dpm++ karras", "unipc", "euler", "euler ancestral", "ddim", "lcm"
]


class DrawOptions(Record):
    """Set in the profile."""

    steps: int = Field(25, ge=1, le=150, description="when a request names none")
    guidance: float = Field(7.5, ge=0, le=30, description="when a request names none")
    scheduler: Scheduler = Field("dpm++", description="when a request names none")


class PaintOptions(DrawOptions):
    """Set in the profile of a tool that paints into a part of a picture."""

    share: float | None = Field(
        None,
        gt=0,
        le=1,
        description="of its window's side that the part takes; none: the network's own scale",
    )
    alone: str | None = Field(
        None,
        pattern=r"\{phrase\}",
        description="words for a thing by itself on a plain ground, to be cut out of it and laid "
        "into its place: for networks that know plain grounds only",
    )
    empty: str = Field(
        "", max_length=200, description="words for a place that nothing stands in, before it is"
    )


class DrawInput(Record):
    """How to draw; every drawing tool takes these."""

    seed: int = Field(0, ge=0, le=LAST_SEED - 16, description="the same one draws the same")
    steps: int | None = Field(None, ge=1, le=150, description="denoising steps; more is slower")
    guidance: float | None = Field(
        None, ge=0, le=30, description="how hard words pull; 1 and below not at all"
    )
    scheduler: Scheduler | None = Field(
        None, description="way through the noise; checkpoint: the one saved with the network"
    )

    def manner(self, options: DrawOptions) -> Manner:
        """Steps, guidance and scheduler, the request's or else the profile's."""
        from models.diffusion import Manner

        return Manner(
            options.steps if self.steps is None else self.steps,
            options.guidance if self.guidance is None else self.guidance,
            self.scheduler or options.scheduler,
        )


Wanted = TypeVar("Wanted", bound=DrawInput)
Made = TypeVar("Made", bound=Record)


class Hand(Tool[Wanted, Made]):
    """A tool that runs a diffusion network; one picture at a time.

    Float kernels round by the size of a batch: alone, a picture is the same bytes whatever is
    asked beside it.
    """

    options_type = DrawOptions
    options: DrawOptions
    _model: Diffusion

    def load(self, checkpoint: str, device: str, dtype: str) -> None:
        from models import diffusion

        self._model = diffusion.load(checkpoint, device, dtype)

    def answer(
        self, requests: Sequence[Wanted], progress: Progress | None
    ) -> list[Made | ToolError]:
        rounds = [self.rounds(request) for request in requests]
        total = sum(
            count * self.manner(request).steps
            for count, request in zip(rounds, requests, strict=True)
        )
        made: list[Made | ToolError] = []
        before = 0
        for count, request in zip(rounds, requests, strict=True):
            steps = self.manner(request).steps
            reports = [reporter(progress, before + i * steps, total) for i in range(count)]
            try:
                made.append(self.one(request, reports))
            except InvalidInput as error:  # such as: nothing of that name is in the picture
                made.append(error)
            before += count * steps
        return made

    def rounds(self, request: Wanted) -> int:
        """How many pictures are drawn for a request."""
        return 1

    def manner(self, request: Wanted) -> Manner:
        return request.manner(self.options)

    def facts(self, request: Wanted) -> dict[str, Any]:
        return concepts.facts(request)

    def order(self, prompt: str, negative: str, seed: int) -> Order:
        """What the network is told; see `concepts.order`."""
        return concepts.order(prompt, negative, seed, kin=self._model.kin)

    @abstractmethod
    def one(self, request: Wanted, reports: Sequence[OnStep | None]) -> Made:
        """Answer a request that passed `check`; `reports[i]` is told of the i-th drawing.

        Raises:
            InvalidInput: the network found out that the request cannot be answered.
        """


def reporter(progress: Progress | None, before: int, total: int) -> OnStep | None:
    """Turns the steps of one drawing into those of the whole run, `before` of which are done."""
    if progress is None:
        return None

    def on_step(step: int, preview: Pixels | None) -> None:
        progress(before + step, total, None if preview is None else Image.from_pixels(preview))

    return on_step
