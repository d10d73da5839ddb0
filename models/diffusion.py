"""Diffusion: pictures out of words (latent diffusion, Rombach et al. 2022, arXiv:2112.10752)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from diffusers.utils import logging
from numpy.typing import NDArray
from transformers import CLIPTextModel

from models import weights
from models.device import loading, network, place, tokenizer
from models.errors import Unavailable

OnStep = Callable[[int, NDArray[np.uint8] | None], None]
_PREVIEWS = 4  # in a run; each costs one decoding


class Order(NamedTuple):
    """One picture to draw."""

    prompt: str
    negative: str
    seed: int


class Diffusion:
    """A loaded Stable Diffusion pipeline."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline
        self._alone = threading.Lock()  # the scheduler keeps the state of one run at a time
        side = pipeline.unet.config.sample_size * pipeline.vae_scale_factor
        self.size_wh: tuple[int, int] = (side, side)
        """What it was trained to draw, width and height in pixels."""

    def room(self, size_wh: tuple[int, int]) -> int:
        """How many pictures of a size are drawn at once: 16, fewer above 256x256."""
        return max(1, min(16, 16 * 256 * 256 // (size_wh[0] * size_wh[1])))

    def draw(
        self,
        orders: Sequence[Order],
        *,
        steps: int,
        guidance: float,
        size_wh: tuple[int, int],
        on_step: OnStep | None = None,
    ) -> list[NDArray[np.uint8]]:
        """Draw a batch; each picture from noise of its own seed.

        Args:
            orders: at most `room(size_wh)`.
            steps: of the scheduler that lies in the checkpoint.
            guidance: classifier-free guidance scale; 1 and below is none.
            size_wh: width and height in pixels, multiples of 8.
            on_step: called after each step with its number from 1 and sometimes a preview of the
                first picture, RGB, uint8, (H, W, 3). What it raises ends the run.

        Returns:
            For each order RGB, uint8, (H, W, 3).
        """
        with self._alone:
            made = self._pipeline(
                prompt=[order.prompt for order in orders],
                negative_prompt=[order.negative for order in orders],
                # On the CPU whatever the device: a seed means the same noise everywhere.
                generator=[torch.Generator("cpu").manual_seed(order.seed) for order in orders],
                num_inference_steps=steps,
                guidance_scale=guidance,
                width=size_wh[0],
                height=size_wh[1],
                output_type="latent",
                callback_on_step_end=None if on_step is None else self._reporter(on_step, steps),
            )
        return self._decode(made.images)

    def _reporter(self, on_step: OnStep, steps: int) -> Callable[..., dict[str, Any]]:
        every = max(1, steps // (_PREVIEWS + 1))

        def report(pipeline: Any, index: int, _: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            number = min(index + 1, steps)
            shown = number % every == 0 and number < steps
            on_step(number, self._decode(self._clean(tensors["latents"])[:1])[0] if shown else None)
            return {}

        return report

    def _clean(self, latents: torch.Tensor) -> torch.Tensor:
        """What the scheduler expects the end to be, where it keeps that; else the noisy latents."""
        kept = getattr(self._pipeline.scheduler, "model_outputs", None) or [None]
        kind = str(self._pipeline.scheduler.config.get("algorithm_type", ""))
        return kept[-1] if kind.startswith("dpmsolver++") and kept[-1] is not None else latents

    @torch.inference_mode()
    def _decode(self, latents: torch.Tensor) -> list[NDArray[np.uint8]]:
        """Latents (B, 4, h, w) to pictures, one at a time to bound memory."""
        vae = self._pipeline.vae
        made = []
        for one in torch.split(latents.to(vae.dtype), 1):
            picture = vae.decode(one / vae.config.scaling_factor, return_dict=False)[0][0]
            values = (picture.float().clamp(-1, 1) + 1) * 127.5  # (3, H, W)
            made.append(values.round().to(torch.uint8).permute(1, 2, 0).cpu().numpy())
        return made


@cache
def load(checkpoint: str, device: str, dtype: str) -> Diffusion:
    """Load a StableDiffusionPipeline folder; a second call gives the same networks.

    Raises:
        Unavailable: it is missing, damaged, or of another class.
    """
    folder = weights.expect(checkpoint, "StableDiffusionPipeline")
    where, number = place(device, dtype)
    tokenizer(checkpoint, folder / "tokenizer")
    quiet: Any = logging  # untyped
    quiet.disable_progress_bar()
    quiet.set_verbosity_error()
    kind: Any = StableDiffusionPipeline
    text_encoder = network(CLIPTextModel, str(folder / "text_encoder"), device, dtype)
    with loading(checkpoint):
        pipeline = kind.from_pretrained(
            folder,
            text_encoder=text_encoder,
            dtype=number,
            safety_checker=None,
            requires_safety_checker=False,
            use_safetensors=True,
            local_files_only=True,
        )
    for name in ("unet", "vae"):
        holes = [
            key for key, value in getattr(pipeline, name).state_dict().items() if value.is_meta
        ]
        if holes:
            raise Unavailable(
                f"checkpoint {checkpoint!r}, part {name!r}, lacks {len(holes)} weights, "
                f"{holes[0]!r} first; fetch or train it again"
            )
    pipeline.set_progress_bar_config(disable=True)
    pipeline.unet.to(memory_format=torch.channels_last)
    return Diffusion(pipeline.to(where))
