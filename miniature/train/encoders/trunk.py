"""Trunk: the image tower that all ways of teaching share, its files, and the pictures it sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
import transformers
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import CLIPModel, ViTConfig

from miniature.train.data import MEAN_STD
from miniature.train.run import WEIGHTS, Follower
from miniature.world.scene import CANVAS, Scene

WIDTH, LAYERS, HEADS, PATCH = 192, 4, 3, 16
PATCHES = (CANVAS // PATCH) ** 2
ZOOM = 0.5, 1.0  # share of a picture's side that a view shows
LIGHT = 0.25  # by which a view's brightness and contrast may differ
BATCH = 64
LIBRARY: Any = transformers  # untyped


class Batch(NamedTuple):
    """What a step learns from.

    Attributes:
        pictures: float32, (B, 3, 128, 128), in [-1, 1].
        scenes: what they show; image-only ways do not look.
        rng: decides whatever is left to chance.
    """

    pictures: Tensor
    scenes: list[Scene]
    rng: np.random.Generator


@dataclass
class Learner:
    """A network and how it learns.

    Attributes:
        networks: all that the optimizer moves.
        loss: named terms of a batch.
        save: writes the encoder as a folder that `models.encoders` loads.
        follower: moved after each step.
    """

    networks: list[nn.Module]
    loss: Callable[[Batch], dict[str, Tensor]]
    save: Callable[[Path], None]
    follower: Follower | None = None


def vit(kind: str, **more: Any) -> Any:
    """An untrained tower of a ViT class of transformers."""
    return getattr(LIBRARY, kind)(ViTConfig(**shape(), **more))


def shape() -> dict[str, Any]:
    """Arguments that the configurations of ViT and BEiT share."""
    return {
        "hidden_size": WIDTH,
        "intermediate_size": 4 * WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "image_size": CANVAS,
        "patch_size": PATCH,
    }


def keep(model: Any, folder: Path, images: str = "ViTImageProcessor") -> None:
    """Write a network of transformers with what prepares pictures for it."""
    model.save_pretrained(folder)
    square = {"height": CANVAS, "width": CANVAS}
    prepare = getattr(LIBRARY, images)(
        size=square, do_center_crop=False, image_mean=MEAN_STD, image_std=MEAN_STD
    )
    prepare.save_pretrained(folder)


def views(x: Tensor, rng: np.random.Generator) -> Tensor:
    """Another look at each picture: a part of it, mirrored half the time, lighter or darker.

    Hues stay: here a colour is what a thing is, not the light it stands in.

    Args:
        x: (B, 3, H, W) in [-1, 1]; not changed.
        rng: decides.
    """
    side = rng.uniform(*ZOOM, len(x))
    turn = np.zeros((len(x), 2, 3), np.float32)
    turn[:, 0, 0] = side * rng.choice((-1, 1), len(x))
    turn[:, 1, 1] = side
    turn[:, :, 2] = rng.uniform(-1, 1, (len(x), 2)) * (1 - side)[:, None]
    grid = F.affine_grid(torch.from_numpy(turn), list(x.shape), align_corners=False)
    seen = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
    light = rng.uniform(-LIGHT, LIGHT, (2, len(x), 1, 1, 1)).astype(np.float32)
    return (seen * torch.from_numpy(1 + light[0]) + torch.from_numpy(light[1])).clamp(-1, 1)


def masked(count: int, rng: np.random.Generator, share: float = 0.4) -> Tensor:
    """Which patches of each picture are hidden: bool, (count, 64), equally many in each."""
    order = torch.from_numpy(rng.random((count, PATCHES)).argsort(1))
    return order < round(share * PATCHES)


class Teacher:
    """The miniature CLIP, whose features of patches masked networks learn to foretell."""

    def __init__(self, device: str) -> None:
        clip = CLIPModel.from_pretrained(WEIGHTS / "clip", dtype=torch.float32)
        self._clip = clip.eval().requires_grad_(False).to(device)
        self.width: int = clip.config.projection_dim

    @torch.no_grad()
    def patches(self, x: Tensor) -> Tensor:
        """Unit features of the patches of pictures (B, 3, 128, 128): float32, (B, 64, D)."""
        tower = self._clip.vision_model
        tokens = tower.post_layernorm(tower(x).last_hidden_state[:, 1:])
        return F.normalize(self._clip.visual_projection(tokens).float(), dim=-1)


def codes(vectors: Tensor, count: int) -> Tensor:
    """Centres of k-means: float32, (count, D), of vectors (N, D)."""
    import faiss

    found = faiss.Kmeans(vectors.shape[1], count, niter=15, seed=0, verbose=False)
    found.train(np.ascontiguousarray(vectors.numpy()))
    centres: NDArray[np.float32] = np.array(found.centroids)
    return torch.from_numpy(centres)


def nearest(vectors: Tensor, centres: Tensor) -> Tensor:
    """Index of the centre nearest to each vector (…, D): int64, (…)."""
    return torch.cdist(vectors.flatten(0, -2), centres).argmin(1).view(vectors.shape[:-1])
