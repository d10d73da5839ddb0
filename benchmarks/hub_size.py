"""Hub size: checkpoints of public architectures with random weights, as their libraries save them.

Full size as published: Stable Diffusion 1.5 (Rombach et al. 2022), SAM ViT-H (Kirillov et al.
2023), CLIP ViT-L/14 (Radford et al. 2021). Tiny: the same classes and files with few weights, to
try the benchmark itself out on a CPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import transformers
from tokenizers.pre_tokenizers import ByteLevel

_DIFFUSERS: Any = diffusers  # untyped
_TRANSFORMERS: Any = transformers
LETTERS = sorted(ByteLevel.alphabet())
SPECIALS = ("<|startoftext|>", "<|endoftext|>")
TOKENS = 2 * len(LETTERS) + len(SPECIALS)  # of a vocabulary of single letters


@dataclass(frozen=True)
class Size:
    """The numbers in which full size and tiny differ.

    Attributes:
        text: width, layers, heads and inner width of CLIP's text half.
        clip: the same of its picture half; then its patch, its side and the shared width.
        sam: the same of SAM's encoder; its side and the layers that look at the whole picture.
        unet: widths of its levels, layers a level, heads.
        vae: widths of its levels.
        side: of a drawn picture, px.
    """

    text: tuple[int, int, int, int]
    clip: tuple[int, int, int, int]
    clip_patch: int
    clip_side: int
    shared: int
    sam: tuple[int, int, int, int]
    sam_side: int
    sam_global: tuple[int, ...]
    unet: tuple[int, ...]
    unet_layers: int
    unet_heads: int
    vae: tuple[int, ...]
    side: int


SIZES = {
    "hub": Size(
        text=(768, 12, 12, 3072),
        clip=(1024, 24, 16, 4096),
        clip_patch=14,
        clip_side=224,
        shared=768,
        sam=(1280, 32, 16, 5120),
        sam_side=1024,
        sam_global=(7, 15, 23, 31),
        unet=(320, 640, 1280, 1280),
        unet_layers=2,
        unet_heads=8,
        vae=(128, 256, 512, 512),
        side=512,
    ),
    "tiny": Size(
        text=(32, 2, 2, 64),
        clip=(32, 2, 2, 64),
        clip_patch=8,
        clip_side=32,
        shared=32,
        sam=(32, 2, 2, 64),
        sam_side=64,
        sam_global=(1,),
        unet=(32, 64),
        unet_layers=1,
        unet_heads=2,
        vae=(32, 32, 32, 32),
        side=64,
    ),
}


def _tokenizer() -> Any:
    words = (*LETTERS, *(letter + "</w>" for letter in LETTERS), *SPECIALS)
    vocabulary = {word: number for number, word in enumerate(words)}
    return _TRANSFORMERS.CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77)


def _layers(numbers: tuple[int, int, int, int]) -> dict[str, int]:
    width, layers, heads, inner = numbers
    return {
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": inner,
    }


def _text(size: Size) -> dict[str, Any]:
    return {
        **_layers(size.text),
        "vocab_size": max(49408, TOKENS) if size.side == 512 else TOKENS,
        "max_position_embeddings": 77,
        "bos_token_id": TOKENS - 2,
        "eos_token_id": TOKENS - 1,
        "pad_token_id": TOKENS - 1,
        "projection_dim": size.shared,
    }


def save_clip(folder: Path, size: Size) -> None:
    """A CLIPModel with its processor."""
    vision = {
        **_layers(size.clip),
        "patch_size": size.clip_patch,
        "image_size": size.clip_side,
        "projection_dim": size.shared,
    }
    config = _TRANSFORMERS.CLIPConfig(
        text_config=_text(size), vision_config=vision, projection_dim=size.shared
    )
    _TRANSFORMERS.CLIPModel(config).save_pretrained(folder)
    square = {"height": size.clip_side, "width": size.clip_side}
    images = _TRANSFORMERS.CLIPImageProcessor(
        size={"shortest_edge": size.clip_side}, crop_size=square
    )
    _TRANSFORMERS.CLIPProcessor(images, _tokenizer()).save_pretrained(folder)


def save_sam(folder: Path, size: Size) -> None:
    """A SamModel with its image processor."""
    width, layers, heads, inner = size.sam
    grid = {"image_size": size.sam_side, "patch_size": 16}
    config = _TRANSFORMERS.SamConfig(
        vision_config={
            **grid,
            "hidden_size": width,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "mlp_dim": inner,
            "window_size": 14 if size.sam_side == 1024 else 2,
            "global_attn_indexes": list(size.sam_global),
            "output_channels": 256,
        },
        prompt_encoder_config=grid,
    )
    _TRANSFORMERS.SamModel(config).save_pretrained(folder)
    square = {"height": size.sam_side, "width": size.sam_side}
    _TRANSFORMERS.SamImageProcessor(
        size={"longest_edge": size.sam_side}, pad_size=square
    ).save_pretrained(folder)


def save_diffusion(folder: Path, size: Size) -> None:
    """A StableDiffusionPipeline; its U-Net has attention at all levels but the last."""
    levels = len(size.unet)
    unet = _DIFFUSERS.UNet2DConditionModel(
        sample_size=size.side // 8,
        block_out_channels=size.unet,
        layers_per_block=size.unet_layers,
        down_block_types=("CrossAttnDownBlock2D",) * (levels - 1) + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * (levels - 1),
        cross_attention_dim=size.text[0],
        attention_head_dim=size.unet_heads,
    )
    vae = _DIFFUSERS.AutoencoderKL(
        block_out_channels=size.vae,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        sample_size=size.side,
    )
    _DIFFUSERS.StableDiffusionPipeline(
        vae=vae,
        unet=unet,
        text_encoder=_TRANSFORMERS.CLIPTextModel(_TRANSFORMERS.CLIPTextConfig(**_text(size))),
        tokenizer=_tokenizer(),
        scheduler=_DIFFUSERS.DPMSolverMultistepScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)
