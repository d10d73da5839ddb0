"""Generate: pictures drawn from words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import Field

from tools import concepts
from tools.base import Progress, Record, Text, Tool
from tools.drawing import DrawInput, DrawOptions, reporter
from tools.values import Image, Pixels

if TYPE_CHECKING:
    from models.diffusion import Diffusion, Manner, OnStep


class GenerateOptions(DrawOptions):
    """Set in the profile."""

    together: int = Field(
        1, ge=1, le=16, description="pictures drawn at once; above 1 faster, last bits then vary"
    )
    size: tuple[int, int] | None = Field(
        None,
        description="width and height that the network draws by itself; lets the agent give "
        "things their places before the first picture",
    )


class GenerateInput(DrawInput):
    """What to draw."""

    prompt: Text = Field(description="what the picture shows")
    negative_prompt: str = Field("", max_length=1000, description="what it must not show")
    n: int = Field(1, ge=1, le=16, description="how many pictures; the i-th from seed + i")
    width: int | None = Field(None, ge=64, le=2048, multiple_of=8, description="pixels")
    height: int | None = Field(None, ge=64, le=2048, multiple_of=8, description="pixels")


class GenerateOutput(Record):
    """What was drawn."""

    images: tuple[Image, ...] = Field(description="n pictures")
    seeds: tuple[int, ...] = Field(description="the seed of each picture")


class _Settings(NamedTuple):
    """What pictures of one batch must share."""

    manner: Manner
    size_wh: tuple[int, int]
    named: frozenset[str]
    """Concepts, for a network wears them for a whole batch."""


class Generate(Tool[GenerateInput, GenerateOutput]):
    """Draw new pictures from a description in words.

    Latent diffusion, Rombach et al. 2022 (arXiv:2112.10752), with classifier-free guidance,
    Ho and Salimans 2022 (arXiv:2207.12598). Picture i of a request is drawn from noise of
    seed + i, by itself unless the profile says otherwise: float kernels round by the size of a
    batch, and the same seed shall give the same bytes in any company.

    Raises:
        Unavailable: the checkpoint is not on this machine.
    """

    name = "generate"
    version = "2"  # pictures are drawn by themselves
    input = GenerateInput
    output = GenerateOutput
    options_type = GenerateOptions
    options: GenerateOptions
    _model: Diffusion

    def load(self, checkpoint: str, device: str, dtype: str) -> None:
        from models import diffusion

        self._model = diffusion.load(checkpoint, device, dtype)

    def facts(self, request: GenerateInput) -> dict[str, Any]:
        return concepts.facts(request)

    def answer(
        self, requests: Sequence[GenerateInput], progress: Progress | None
    ) -> list[GenerateOutput]:
        """Draw all pictures of all requests, those with the same settings together."""
        wanted: dict[_Settings, list[tuple[int, int]]] = defaultdict(list)
        for index, request in enumerate(requests):
            wanted[self._settings(request)] += [(index, i) for i in range(request.n)]
        jobs = [
            (settings, pictures[start : start + self._room(settings)])
            for settings, pictures in wanted.items()
            for start in range(0, len(pictures), self._room(settings))
        ]
        total = sum(settings.manner.steps for settings, _ in jobs)
        drawn: dict[tuple[int, int], Image] = {}
        before = 0
        for settings, pictures in jobs:
            made = self._draw(requests, settings, pictures, reporter(progress, before, total))
            drawn.update(zip(pictures, map(Image.from_pixels, made), strict=True))
            before += settings.manner.steps
        return [
            GenerateOutput(
                images=tuple(drawn[index, i] for i in range(request.n)),
                seeds=tuple(request.seed + i for i in range(request.n)),
            )
            for index, request in enumerate(requests)
        ]

    def _room(self, settings: _Settings) -> int:
        return min(self.options.together, self._model.room(settings.size_wh))

    def _settings(self, request: GenerateInput) -> _Settings:
        width, height = self._model.size_wh
        return _Settings(
            request.manner(self.options),
            (request.width or width, request.height or height),
            frozenset(concept.name for concept in concepts.named(request.prompt)),
        )

    def _draw(
        self,
        requests: Sequence[GenerateInput],
        settings: _Settings,
        pictures: Sequence[tuple[int, int]],
        on_step: OnStep | None,
    ) -> list[Pixels]:
        orders = [
            concepts.order(
                requests[index].prompt,
                requests[index].negative_prompt,
                requests[index].seed + i,
                kin=self._model.kin,
            )
            for index, i in pictures
        ]
        return self._model.draw(
            orders,
            manner=settings.manner,
            size_wh=settings.size_wh,
            on_step=on_step,
        )


TOOL = Generate
