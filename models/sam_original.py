"""Original SAM: the .pth files of segment-anything (Kirillov et al. 2023, arXiv:2304.02643).

They become the folder of a `SamModel`, as `models/sam.py` loads it. The network's shape is read
off the weights: `sam_vit_b`, `l`, `h` and others trained with that code.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import (
    SamConfig,
    SamImageProcessor,
    SamMaskDecoderConfig,
    SamModel,
    SamPromptEncoderConfig,
    SamVisionConfig,
)

# Names there and in transformers, applied in this order.
_RENAMED = (
    (r"^image_encoder", "vision_encoder"),
    (r"patch_embed\.proj", "patch_embed.projection"),
    (r"\.blocks\.", ".layers."),
    (r"neck\.0", "neck.conv1"),
    (r"neck\.1", "neck.layer_norm1"),
    (r"neck\.2", "neck.conv2"),
    (r"neck\.3", "neck.layer_norm2"),
    (r"\.norm", ".layer_norm"),
    (r"(iou_prediction_head|output_hypernetworks_mlps\.\d)\.layers\.0", r"\1.proj_in"),
    (r"(iou_prediction_head|output_hypernetworks_mlps\.\d)\.layers\.2", r"\1.proj_out"),
    (r"(iou_prediction_head|output_hypernetworks_mlps\.\d)\.layers\.1", r"\1.layers.0"),
    (r"output_upscaling\.0", "upscale_conv1"),
    (r"output_upscaling\.1", "upscale_layer_norm"),
    (r"output_upscaling\.3", "upscale_conv2"),
    (r"mask_downscaling\.0", "mask_embed.conv1"),
    (r"mask_downscaling\.1", "mask_embed.layer_norm1"),
    (r"mask_downscaling\.3", "mask_embed.conv2"),
    (r"mask_downscaling\.4", "mask_embed.layer_norm2"),
    (r"mask_downscaling\.6", "mask_embed.conv3"),
    (r"\.point_embeddings", ".point_embed"),
    (
        r"pe_layer\.positional_encoding_gaussian_matrix",
        "shared_embedding.positional_embedding",
    ),
)
PREFIX = "image_encoder."
HEADS = 8  # of the mask decoder, which no weight tells; the same in all that were published


def write(held: dict[str, Tensor], folder: Path) -> None:
    """Write a SamModel folder with safetensors.

    Raises:
        LookupError, ValueError: weights are missing, or of another network.
    """
    config = _config(held)
    model = SamModel(config)
    renamed = {name: value for old, value in held.items() if (name := _name(old))}
    renamed["shared_image_embedding.positional_embedding"] = renamed[
        "prompt_encoder.shared_embedding.positional_embedding"
    ]
    missing = model.load_state_dict(renamed, strict=False)
    if holes := [*missing.missing_keys, *missing.unexpected_keys]:
        raise ValueError(f"{holes[0]!r} does not fit")
    model.save_pretrained(folder)
    _processor(config).save_pretrained(folder)


def _name(old: str) -> str:
    """The name in transformers; "" for the pixel statistics, which the processor holds."""
    if old in ("pixel_mean", "pixel_std"):
        return ""
    for pattern, new in _RENAMED:
        old = re.sub(pattern, new, old)
    return old


def _config(held: dict[str, Tensor]) -> SamConfig:
    """The shape of the network, read off its weights."""
    seen = "image_encoder"
    width, _, patch, _ = held[f"{seen}.patch_embed.proj.weight"].shape
    grid = held[f"{seen}.pos_embed"].shape[1]
    out = held[f"{seen}.neck.0.weight"].shape[0]
    layers = _count(held, rf"{seen}\.blocks\.(\d+)\.")
    # a row for each offset from -(side - 1) to side - 1 of the window that a block attends in
    offsets = [held[f"{seen}.blocks.{i}.attn.rel_pos_h"] for i in range(layers)]
    sides = [(len(rows) + 1) // 2 for rows in offsets]
    decoder = "mask_decoder.transformer.layers"
    shared: dict[str, Any] = {"image_size": grid * patch, "patch_size": patch}
    return SamConfig(
        vision_config=SamVisionConfig(
            **shared,
            hidden_size=width,
            output_channels=out,
            num_hidden_layers=layers,
            num_attention_heads=width // offsets[0].shape[1],
            mlp_dim=held[f"{seen}.blocks.0.mlp.lin1.weight"].shape[0],
            window_size=min(sides),
            global_attn_indexes=[i for i, side in enumerate(sides) if side == grid],
            num_pos_feats=out // 2,
        ).to_dict(),
        prompt_encoder_config=SamPromptEncoderConfig(
            **shared,
            hidden_size=out,
            mask_input_channels=held["prompt_encoder.mask_downscaling.3.weight"].shape[0],
        ).to_dict(),
        mask_decoder_config=SamMaskDecoderConfig(
            hidden_size=out,
            mlp_dim=held[f"{decoder}.0.mlp.lin1.weight"].shape[0],
            num_hidden_layers=_count(held, rf"{re.escape(decoder)}\.(\d+)\."),
            num_attention_heads=HEADS,
            num_multimask_outputs=len(held["mask_decoder.mask_tokens.weight"]) - 1,
            iou_head_hidden_dim=held["mask_decoder.iou_prediction_head.layers.0.weight"].shape[0],
        ).to_dict(),
    )


def _count(held: dict[str, Tensor], pattern: str) -> int:
    """How many layers there are whose number is in the names of weights."""
    return 1 + max(int(found[1]) for name in held if (found := re.match(pattern, name)))


def _processor(config: SamConfig) -> SamImageProcessor:
    """Pictures as the original code takes them: longest side first, padded right and below."""
    side = config.vision_config.image_size
    return SamImageProcessor(
        size={"longest_edge": side},
        pad_size={"height": side, "width": side},
        mask_size={"longest_edge": side // 4},
        mask_pad_size={"height": side // 4, "width": side // 4},
    )
