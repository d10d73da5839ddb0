"""Masked: towers taught by pictures alone, to foretell what lies under hidden patches.

They differ in what is foretold: tokens of the patch's own colours (BEiT), tokens of CLIP's features
(BEiT v2), or those features themselves (MVP, EVA). Tokens come from k-means, which takes seconds
where the papers train a quantizer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import BeitConfig, BeitForMaskedImageModeling, BeitModel

from miniature.train.data import MEAN_STD, pixels, scenes
from miniature.train.encoders.trunk import (
    HEADS,
    LAYERS,
    PATCH,
    PATCHES,
    WIDTH,
    Batch,
    Learner,
    Teacher,
    codes,
    keep,
    masked,
    nearest,
    shape,
)
from miniature.world.scene import CANVAS

TOKENS = 512
PROBE = 320  # scenes that k-means sees
COARSE = 4  # px of a patch that make one of its colours


def _config() -> BeitConfig:
    return BeitConfig(
        **shape(),
        vocab_size=TOKENS,
        use_mask_token=True,
        use_absolute_position_embeddings=True,
        use_mean_pooling=False,
    )


def _foretell(device: str, told: Any) -> Learner:
    """BEiT with tokens to foretell; `told`: pictures -> vectors of patches (B, 64, D)."""
    with torch.no_grad():
        centres = codes(told(pixels(scenes(0, PROBE)).to(device)).flatten(0, 1).cpu(), TOKENS)
    centres = centres.to(device)
    model = BeitForMaskedImageModeling(_config()).to(device).train()

    def loss(batch: Batch) -> dict[str, Tensor]:
        hidden = masked(len(batch.pictures), batch.rng).to(device)
        with torch.no_grad():
            wanted = nearest(told(batch.pictures), centres)
        logits = model(pixel_values=batch.pictures, bool_masked_pos=hidden).logits
        return {"token": F.cross_entropy(logits[hidden].float(), wanted[hidden])}

    return Learner([model], loss, lambda folder: keep(model, folder, "BeitImageProcessor"))


def beit(device: str) -> Learner:
    """Tokens of what the patch looks like (Bao et al. 2022, arXiv:2106.08254)."""

    def told(x: Tensor) -> Tensor:
        small = F.avg_pool2d(x, COARSE)
        side = PATCH // COARSE
        return F.unfold(small, side, stride=side).transpose(1, 2)  # (B, 64, 3 side side)

    return _foretell(device, told)


def beitv2(device: str) -> Learner:
    """Tokens of what CLIP makes of the patch (Peng et al. 2022, arXiv:2208.06366)."""
    return _foretell(device, Teacher(device).patches)


def mvp(device: str) -> Learner:
    """CLIP's own features of the patch (MVP; Wei et al. 2022, arXiv:2203.05175)."""
    teacher = Teacher(device)
    model = BeitModel(_config(), add_pooling_layer=False).to(device).train()
    head = nn.Linear(WIDTH, teacher.width).to(device)

    def loss(batch: Batch) -> dict[str, Tensor]:
        hidden = masked(len(batch.pictures), batch.rng).to(device)
        tokens = model(pixel_values=batch.pictures, bool_masked_pos=hidden).last_hidden_state
        return _unlike(head(tokens[:, 1:]), teacher.patches(batch.pictures), hidden)

    return Learner([model, head], loss, lambda folder: keep(model, folder, "BeitImageProcessor"))


def eva(device: str) -> Learner:
    """The same by EVA's tower, with rotary places (Fang et al. 2023, arXiv:2303.11331).

    timm's tower has no mask token: hidden patches are shown grey.
    """
    import timm

    library: Any = timm
    teacher = Teacher(device)
    small = {
        "embed_dim": WIDTH, "depth": LAYERS, "num_heads": HEADS, "img_size": CANVAS,
        "patch_size": PATCH,
    }  # fmt: skip
    model = library.create_model("eva02_tiny_patch14_224", num_classes=0, **small)
    model.to(device).train()
    model.pretrained_cfg = {
        **model.pretrained_cfg, "input_size": (3, CANVAS, CANVAS), "mean": MEAN_STD,
        "std": MEAN_STD, "crop_pct": 1.0,
    }  # fmt: skip
    head = nn.Linear(WIDTH, teacher.width).to(device)

    def loss(batch: Batch) -> dict[str, Tensor]:
        hidden = masked(len(batch.pictures), batch.rng).to(device)
        side = CANVAS // PATCH
        grey = (
            hidden.view(-1, 1, side, side).repeat_interleave(PATCH, 2).repeat_interleave(PATCH, 3)
        )
        tokens = model.forward_features(batch.pictures.masked_fill(grey, 0))
        return _unlike(head(tokens[:, -PATCHES:]), teacher.patches(batch.pictures), hidden)

    def save(folder: Path) -> None:
        library.models.save_for_hf(model, folder, model_args=small, safe_serialization=True)

    return Learner([model, head], loss, save)


def _unlike(said: Tensor, wanted: Tensor, hidden: Tensor) -> dict[str, Tensor]:
    """1 - cosine under the mask; (B, 64, D) each, hidden bool, (B, 64)."""
    return {"unlike": 1 - F.cosine_similarity(said[hidden].float(), wanted[hidden], -1).mean()}
