"""Original ImageReward: the .pt file of its authors (Xu et al. 2023, arXiv:2304.05977).

It becomes a folder that `models/reward.py` loads. The network's shape is read off the weights;
the words that it knows are not in the file: they are those of every BLIP.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import (
    BertTokenizer,
    BlipConfig,
    BlipForImageTextRetrieval,
    BlipImageProcessor,
    BlipProcessor,
)

from models import weights
from models.reward import Head, ImageReward

PREFIX = "blip.visual_encoder."
WORDS = "Salesforce/blip-image-captioning-base"  # a checkpoint with BLIP's vocabulary
HEAD_WIDTH = 64  # of attention, in all that were published; no weight tells
MEAN_STD = 0.16717362830052426, 1.0333394966054072  # of rewards, as its authors measured them
PIXELS = {  # as for CLIP
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}

# Names there and in transformers, applied in this order.
_RENAMED = (
    (r"^blip\.visual_encoder\.cls_token", "vision_model.embeddings.class_embedding"),
    (r"^blip\.visual_encoder\.pos_embed", "vision_model.embeddings.position_embedding"),
    (r"^blip\.visual_encoder\.patch_embed\.proj", "vision_model.embeddings.patch_embedding"),
    (r"^blip\.visual_encoder\.norm", "vision_model.post_layernorm"),
    (r"^blip\.visual_encoder\.blocks", "vision_model.encoder.layers"),
    (r"\.norm([12])\.", r".layer_norm\1."),
    (r"\.attn\.qkv", ".self_attn.qkv"),
    (r"\.attn\.proj", ".self_attn.projection"),
    (r"^blip\.", ""),
)


def write(held: dict[str, Tensor], folder: Path) -> None:
    """Write an ImageReward folder with safetensors.

    Raises:
        LookupError, ValueError, RuntimeError: weights are missing, or of another network.
        Unavailable: the checkpoint with BLIP's vocabulary is not on this machine.
    """
    config = _config(held)
    words = BertTokenizer.from_pretrained(weights.locate(WORDS), local_files_only=True)
    blip = BlipForImageTextRetrieval(config)
    blip.itm_head.requires_grad_(False).weight.zero_()  # the file has none, and none is asked
    renamed = {
        _name(old): value
        for old, value in held.items()
        if old.startswith("blip.") and not old.endswith(".position_ids")
    }
    itm = {f"itm_head.{name}": value for name, value in blip.itm_head.state_dict().items()}
    blip.load_state_dict({**renamed, **itm})
    head = Head(config.text_config.hidden_size)
    layers = {
        name.removeprefix("mlp."): value
        for name, value in held.items()
        if name.startswith("mlp.layers.")
    }
    mean, std = MEAN_STD
    head.load_state_dict({**layers, "mean": torch.tensor(mean), "std": torch.tensor(std)})
    ImageReward(blip, head).save(folder)
    side = config.vision_config.image_size
    pictures = BlipImageProcessor(size={"height": side, "width": side}, **PIXELS)
    BlipProcessor(pictures, words).save_pretrained(folder)


def _name(old: str) -> str:
    """The name in transformers."""
    for pattern, new in _RENAMED:
        old = re.sub(pattern, new, old)
    return old


def _config(held: dict[str, Tensor]) -> BlipConfig:
    """The shape of the network, read off its weights."""
    seen, read = "blip.visual_encoder", "blip.text_encoder"
    width, _, patch, _ = held[f"{seen}.patch_embed.proj.weight"].shape
    grid = round((held[f"{seen}.pos_embed"].shape[1] - 1) ** 0.5)
    words, depth = held[f"{read}.embeddings.word_embeddings.weight"].shape
    vision: dict[str, Any] = {
        "hidden_size": width,
        "intermediate_size": held[f"{seen}.blocks.0.mlp.fc1.weight"].shape[0],
        "num_hidden_layers": _count(held, rf"{re.escape(seen)}\.blocks\.(\d+)\."),
        "num_attention_heads": width // HEAD_WIDTH,
        "image_size": grid * patch,
        "patch_size": patch,
        "layer_norm_eps": 1e-6,
    }
    text: dict[str, Any] = {
        "vocab_size": words,
        "hidden_size": depth,
        "encoder_hidden_size": width,
        "intermediate_size": held[f"{read}.encoder.layer.0.intermediate.dense.weight"].shape[0],
        "num_hidden_layers": _count(held, rf"{re.escape(read)}\.encoder\.layer\.(\d+)\."),
        "num_attention_heads": depth // HEAD_WIDTH,
        "max_position_embeddings": len(held[f"{read}.embeddings.position_embeddings.weight"]),
    }
    shared = len(held["blip.vision_proj.weight"])
    return BlipConfig(vision_config=vision, text_config=text, image_text_hidden_size=shared)


def _count(held: dict[str, Tensor], pattern: str) -> int:
    """How many layers there are whose number is in the names of weights."""
    return 1 + max(int(found[1]) for name in held if (found := re.match(pattern, name)))
