"""Views: towers taught by pictures alone, that two looks at one picture are of one thing."""

from __future__ import annotations

import copy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from miniature.train.encoders.trunk import WIDTH, Batch, Learner, keep, views, vit

HEAT = 0.2  # SimCLR's temperature
SEEN, TAUGHT = 0.1, 0.04  # DINO's temperatures: of the student and the teacher
PROTOTYPES = 1024
SLOW = 0.99  # momentum of DINO's teacher
CENTRE = 0.9  # and of what is taken from its logits


def simclr(device: str) -> Learner:
    """Two views of a picture agree, those of others do not (Chen et al. 2020, arXiv:2002.05709)."""
    model = vit("ViTModel", add_pooling_layer=False).to(device).train()
    head = _head(128).to(device)

    def loss(batch: Batch) -> dict[str, Tensor]:
        half = batch.pictures[: len(batch.pictures) // 2]  # two views of each: as many pictures
        both = torch.cat([views(half, batch.rng), views(half, batch.rng)])
        seen = F.normalize(head(_first(model, both)).float(), dim=-1)
        likeness = (seen @ seen.T / HEAT).fill_diagonal_(float("-inf"))
        partner = torch.arange(len(both), device=likeness.device).roll(len(half))
        return {"contrast": F.cross_entropy(likeness, partner)}

    return Learner([model, head], loss, lambda folder: keep(model, folder))


class _Slow(nn.Module):
    """A copy of a tower and its head that follows them."""

    def __init__(self, model: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self._fast = [*model.parameters(), *head.parameters()]
        self.model, self.head = copy.deepcopy(model), copy.deepcopy(head)
        self.requires_grad_(False).eval()

    @torch.no_grad()
    def update(self) -> None:
        """Move towards the present weights."""
        for slow, fast in zip(self.parameters(), self._fast, strict=True):
            slow.lerp_(fast, 1 - SLOW)


def dino(device: str) -> Learner:
    """A student foretells what its own slow copy says of another view of the picture.

    Caron et al. 2021, arXiv:2104.14294; with two views and no small ones.
    """
    model = vit("ViTModel", add_pooling_layer=False).to(device).train()
    head = _head(PROTOTYPES).to(device)
    teacher = _Slow(model, head)
    centre = torch.zeros(PROTOTYPES, device=device)

    def loss(batch: Batch) -> dict[str, Tensor]:
        half = batch.pictures[: len(batch.pictures) // 2]
        pair = torch.cat([views(half, batch.rng), views(half, batch.rng)])
        with torch.no_grad():
            told = teacher.head(_first(teacher.model, pair)).float()
            wanted = ((told - centre) / TAUGHT).softmax(-1).roll(len(half), 0)
            centre.lerp_(told.mean(0), 1 - CENTRE)
        said = head(_first(model, pair)).float() / SEEN
        return {"agree": F.cross_entropy(said, wanted)}

    return Learner([model, head], loss, lambda folder: keep(teacher.model, folder), teacher)


def _first(model: Any, x: Tensor) -> Tensor:
    found: Tensor = model(pixel_values=x).last_hidden_state[:, 0]
    return found


def _head(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, width))
