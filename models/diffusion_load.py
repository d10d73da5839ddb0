"""Pipelines: a saved diffusers pipeline brought into memory, whole or not at all."""

from __future__ import annotations

from math import inf
from typing import Any

import diffusers
import torch
from diffusers.utils import logging
from transformers import CLIPTextModel

from models import weights
from models.device import loading, network, place, tokenizer
from models.errors import Unavailable

TO_DRAW = 2 * 2**30  # bytes that a U-Net's step takes beside the weights
TO_DECODE = 6 * 2**30  # and that a 1024x1024 picture takes to decode
_STOCK: Any = diffusers  # untyped
KINDS: dict[str, Any] = {
    "StableDiffusionPipeline": _STOCK.StableDiffusionPipeline,
    "StableDiffusionInpaintPipeline": _STOCK.StableDiffusionInpaintPipeline,
    "StableDiffusionInstructPix2PixPipeline": _STOCK.StableDiffusionInstructPix2PixPipeline,
    # diffusers no longer keeps its GLIGEN pipeline up; the U-Net is the same
    "StableDiffusionGLIGENPipeline": _STOCK.StableDiffusionPipeline,
    "StableDiffusionXLPipeline": _STOCK.StableDiffusionXLPipeline,
    "StableDiffusionXLInpaintPipeline": _STOCK.StableDiffusionXLInpaintPipeline,
}
"""Class named in model_index.json to the stock class that reads it."""


def pipeline(checkpoint: str, device: str, dtype: str) -> Any:
    """Load a pipeline folder; a safety checker comes along where the checkpoint has one.

    Raises:
        Unavailable: it is missing, damaged, or of another class.
    """
    folder = weights.expect(checkpoint, *KINDS)
    kind = KINDS[weights.architecture(folder)]
    where, number = place(device, dtype)
    tokenizer(checkpoint, folder / "tokenizer")
    _hush()
    parts: dict[str, Any] = {}
    if not weights.architecture(folder).startswith("StableDiffusionXL"):
        encoder = network(CLIPTextModel, str(folder / "text_encoder"), device, dtype)
        parts = {"text_encoder": encoder}
        if not (folder / "safety_checker" / "config.json").is_file():
            parts |= {"safety_checker": None, "requires_safety_checker": False}
            if kind is KINDS["StableDiffusionInstructPix2PixPipeline"]:
                parts |= {"feature_extractor": None}
    with loading(checkpoint):
        found = kind.from_pretrained(
            folder, dtype=number, use_safetensors=True, local_files_only=True, **parts
        )
    for name in ("unet", "vae"):
        whole(getattr(found, name), f"checkpoint {checkpoint!r}, part {name!r}")
    found.set_progress_bar_config(disable=True)
    found.unet.to(memory_format=torch.channels_last)
    return settle(found, where, free(where))


def free(where: torch.device) -> float:
    """Bytes that a device has left; without end where nobody counts them."""
    return torch.cuda.mem_get_info(where)[0] if where.type == "cuda" else inf


def settle(pipeline: Any, where: torch.device, room: float) -> Any:
    """Bring a pipeline onto its device, in less memory and more time where room is short.

    Args:
        pipeline: on the CPU.
        where: the device.
        room: bytes. Above the weights by TO_DECODE, pictures are decoded whole, else large ones
            tile by tile; above by TO_DRAW all networks stay there, else they take turns.
    """
    networks = [part for part in pipeline.components.values() if isinstance(part, torch.nn.Module)]
    weights = sum(value.nbytes for part in networks for value in part.parameters())
    if room < weights + TO_DECODE:
        pipeline.vae.enable_tiling()
    if room >= weights + TO_DRAW:
        return pipeline.to(where)
    pipeline.enable_model_cpu_offload(device=where)
    return pipeline


def control(checkpoint: str, device: str, dtype: str) -> Any:
    """Load a ControlNetModel folder (Zhang et al. 2023, arXiv:2302.05543).

    Raises:
        Unavailable: it is missing, damaged, or of another class.
    """
    folder = weights.expect(checkpoint, "ControlNetModel")
    where, number = place(device, dtype)
    _hush()
    with loading(checkpoint):
        found = _STOCK.ControlNetModel.from_pretrained(
            folder, dtype=number, use_safetensors=True, local_files_only=True
        )
    whole(found, f"checkpoint {checkpoint!r}")
    return found.eval().to(where)


def whole(part: Any, name: str) -> None:
    """Refuse a network with weights that its files did not hold.

    Raises:
        Unavailable: there are such holes.
    """
    holes = [key for key, value in part.state_dict().items() if value.is_meta]
    if holes:
        raise Unavailable(
            f"{name}, lacks {len(holes)} weights, {holes[0]!r} first; fetch or train it again"
        )


def _hush() -> None:
    quiet: Any = logging  # untyped
    quiet.disable_progress_bar()
    quiet.set_verbosity_error()
