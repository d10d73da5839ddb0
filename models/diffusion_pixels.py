"""Pixels: pictures to the latents of a pipeline's autoencoder, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]


@torch.inference_mode()
def encode(pipeline: Any, picture: Pixels) -> torch.Tensor:
    """A picture's scaled latents, (1, 4, H / 8, W / 8).

    Args:
        pipeline: whose autoencoder to use.
        picture: RGB, uint8, (H, W, 3), sides multiples of 8.
    """
    vae = _autoencoder(pipeline)
    values = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None]
    values = values.to(pipeline._execution_device, vae.dtype)  # parts may wait on the CPU
    found = vae.encode(values / 127.5 - 1)
    latents = found.latent_dist.mode() if hasattr(found, "latent_dist") else found.latents
    scaled: torch.Tensor = latents * vae.config.scaling_factor
    return scaled


@torch.inference_mode()
def decode(pipeline: Any, latents: torch.Tensor) -> list[Pixels]:
    """Scaled latents (B, 4, h, w) to pictures, one at a time to bound memory."""
    vae = _autoencoder(pipeline)
    made = []
    for one in torch.split(latents.to(pipeline._execution_device, vae.dtype), 1):
        picture = vae.decode(one / vae.config.scaling_factor, return_dict=False)[0][0]
        values = (picture.float().clamp(-1, 1) + 1) * 127.5  # (3, H, W)
        made.append(values.round().to(torch.uint8).permute(1, 2, 0).cpu().numpy())
    return made


@torch.inference_mode()
def safe(pipeline: Any, pictures: list[Pixels]) -> list[Pixels]:
    """The pictures; black in place of those that the checkpoint's safety checker refuses."""
    checker = getattr(pipeline, "safety_checker", None)
    if checker is None:
        return pictures
    seen = pipeline.feature_extractor(
        [Image.fromarray(picture) for picture in pictures], return_tensors="pt"
    ).pixel_values.to(pipeline._execution_device, checker.dtype)
    _, refused = checker(images=[picture.copy() for picture in pictures], clip_input=seen)
    return [
        np.zeros_like(picture) if bad else picture
        for picture, bad in zip(pictures, refused, strict=True)
    ]


def _autoencoder(pipeline: Any) -> Any:
    """A pipeline's autoencoder; that of Stable Diffusion XL overflows in float16: in float32."""
    vae, large = pipeline.vae, hasattr(pipeline, "text_encoder_2")
    overflows = large and vae.dtype == torch.float16 and vae.config.force_upcast
    return vae.float() if overflows else vae
