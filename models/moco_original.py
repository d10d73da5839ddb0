"""Original MoCo v3: a vision transformer trained by contrast alone (arXiv:2104.02057).

It becomes a folder of timm, which `models/encoders.py` loads: timm's network has the same names.
"""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

PREFIX = "module.base_encoder."
HEADS = 12  # of all that were published, the small one too; no weight tells


def write(held: dict[str, Tensor], folder: Path) -> None:
    """Write the encoder without the head that training threw away.

    Raises:
        KeyError: a weight is missing.
    """
    kept = {
        name.removeprefix(PREFIX): value.contiguous()
        for name, value in held.items()
        if name.startswith(PREFIX) and not name.startswith(PREFIX + "head.")
    }
    width, _, patch, _ = kept["patch_embed.proj.weight"].shape
    grid = round((kept["pos_embed"].shape[1] - 1) ** 0.5)
    layers = {int(name.split(".")[1]) for name in kept if name.startswith("blocks.")}
    side = grid * patch
    config = {
        "architecture": "vit_base_patch16_224",
        "num_classes": 0,
        "num_features": width,
        "model_args": {
            "embed_dim": width,
            "depth": len(layers),
            "num_heads": HEADS,
            "img_size": side,
            "patch_size": patch,
        },
        "pretrained_cfg": {
            "input_size": [3, side, side],
            "mean": [0.485, 0.456, 0.406],
            "std": [0.229, 0.224, 0.225],
            "interpolation": "bicubic",
            "crop_pct": 0.875,
            "num_classes": 0,
            "first_conv": "patch_embed.proj",
            "classifier": "head",
        },
    }
    folder.mkdir(parents=True)
    save_file(kept, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
