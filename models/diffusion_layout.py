"""Layout: things and their places, told to a U-Net with gated attention.

GLIGEN, Li et al. 2023 (arXiv:2301.07093): each thing is a token made of its pooled words and the
Fourier features of its box; gated layers beside the attention read these tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

MOST = 30  # things; what public checkpoints were trained with


class Place(NamedTuple):
    """A thing and where it goes."""

    phrase: str
    box: tuple[float, float, float, float]
    """x0, y0, x1, y1 as shares of width and height, 0..1."""


def is_gated(unet: Any) -> bool:
    """Whether a U-Net takes layouts."""
    return str(unet.config.attention_type).startswith("gated")


@torch.inference_mode()
def tokens(pipeline: Any, things: Sequence[Place], *, guided: bool) -> dict[str, torch.Tensor]:
    """What `cross_attention_kwargs={"gligen": ...}` wants for one picture.

    Args:
        pipeline: whose text encoder and device to use.
        things: at most MOST.
        guided: with classifier-free guidance, whose first half sees no layout.

    Returns:
        boxes (B, 30, 4) 0..1, positive_embeddings (B, 30, width), masks (B, 30); B is 2 if guided.
    """
    tower, read = pipeline.text_encoder, pipeline.tokenizer
    ids = read(
        [thing.phrase for thing in things],
        padding="max_length",
        max_length=read.model_max_length,
        truncation=True,
        return_tensors="pt",
    ).input_ids
    pooled = tower(ids.to(pipeline._execution_device)).pooler_output
    boxes = pooled.new_zeros(1, MOST, 4)
    words = pooled.new_zeros(1, MOST, pooled.shape[-1])
    there = pooled.new_zeros(1, MOST)
    boxes[0, : len(things)] = pooled.new_tensor([thing.box for thing in things])
    words[0, : len(things)] = pooled
    there[0, : len(things)] = 1
    if guided:
        boxes, words = boxes.repeat(2, 1, 1), words.repeat(2, 1, 1)
        there = torch.cat([torch.zeros_like(there), there])
    return {"boxes": boxes, "positive_embeddings": words, "masks": there}
