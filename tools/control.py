"""Control: a picture drawn along a map of edges, regions, depth or joints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from tools import region
from tools.base import Text
from tools.drawing import DrawInput, Hand
from tools.errors import InvalidInput
from tools.generate import GenerateOutput
from tools.values import Image

if TYPE_CHECKING:
    from models.diffusion import OnStep


class ControlInput(DrawInput):
    """What to draw along which map."""

    prompt: Text = Field(description="what the picture shows")
    kind: Literal["edges", "segmentation", "depth", "pose"] = Field(description="of the map")
    condition: Image = Field(description="the map, such as `edges` makes; the picture has its size")
    negative_prompt: str = Field("", max_length=1000, description="what it must not show")
    n: int = Field(1, ge=1, le=16, description="how many pictures; i is drawn from seed + i")
    scale: float = Field(1.0, ge=0, le=2, description="how hard the map pulls")


class Control(Hand[ControlInput, GenerateOutput]):
    """Draw a picture along a map of edges, segmentation, depth or pose.

    ControlNet, Zhang et al. 2023 (arXiv:2302.05543); one part for each kind of map.

    Raises:
        InvalidInput: the profile has no part for this kind of map.
        Unavailable: a checkpoint is not on this machine, or cannot follow maps.
    """

    name = "control"
    input = ControlInput
    output = GenerateOutput
    needs = ("edges", "segmentation", "depth", "pose")
    _nets: dict[str, Any]

    def load(self, checkpoint: str, device: str, dtype: str) -> None:
        from models import diffusion

        super().load(checkpoint, device, dtype)
        self._nets = {
            kind: diffusion.load_control(part, device, dtype) for kind, part in self.parts.items()
        }

    def rounds(self, request: ControlInput) -> int:
        return request.n

    def check(self, request: ControlInput) -> None:
        if request.kind not in self.parts:
            known = ", ".join(self.parts) or "none"
            raise InvalidInput(f"this profile follows no {request.kind}; maps it follows: {known}")

    def one(self, request: ControlInput, reports: Sequence[OnStep | None]) -> GenerateOutput:
        width, height = self._model.size_wh
        seeds = tuple(request.seed + i for i in range(request.n))
        images = [
            self._model.follow(
                self.order(request.prompt, request.negative_prompt, seed),
                region.resized(request.condition.pixels, width, height),
                net=self._nets[request.kind],
                manner=self.manner(request),
                scale=request.scale,
                on_step=on_step,
            )
            for seed, on_step in zip(seeds, reports, strict=True)
        ]
        sized = [region.resized(image, *request.condition.size_wh) for image in images]
        return GenerateOutput(images=tuple(map(Image.from_pixels, sized)), seeds=seeds)


TOOL = Control
