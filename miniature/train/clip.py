"""CLIP: image and text towers trained to agree (Radford et al. 2021, arXiv:2103.00020).

Two helps make minutes enough on a CPU. Every name of the world, without its colour, is matched
with the pictures that hold it (image, text and label in one space, as in UniCL, Yang et al. 2022,
arXiv:2204.03610): else a colour word says so much that the tower never learns the noun. And the
image tower gets StickerWorld's exact labels patch by patch; the heads of that are thrown away,
and the tower then starts the detector's and the captioner's. Once there is a U-Net that starts
from this text tower, later runs are shown its pictures too.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor

from miniature.train.data import (
    MEAN_STD,
    TEXT_LENGTH,
    clip_tokenizer,
    pixels,
    scenes,
)
from miniature.train.painted import gallery
from miniature.train.run import WEIGHTS, arguments, fit, save_half
from miniature.train.shown import Shown, shown
from miniature.world.language import article, caption
from miniature.world.scene import CANVAS, Scene
from miniature.world.splits import FIRST_SEED
from miniature.world.vocabulary import BACKGROUNDS, COLOURS, OBJECTS

BATCH = 64
PAINTED = 20  # of a batch, once there is a U-Net to paint them
PATCH = 16
GRID = CANVAS // PATCH
WIDTH = 256
NAMES, TONES, GROUNDS = list(OBJECTS), list(COLOURS), list(BACKGROUNDS)


def processor() -> CLIPProcessor:
    """What prepares pictures and StickerWorld's words."""
    square = {"height": CANVAS, "width": CANVAS}
    images = CLIPImageProcessor(
        size=square, do_center_crop=False, image_mean=MEAN_STD, image_std=MEAN_STD
    )
    return CLIPProcessor(images, clip_tokenizer())


def network(words: int, start: int, end: int, width: int = WIDTH) -> CLIPModel:
    """An untrained CLIP with `words` tokens; `start` and `end` are its special ids."""
    shared = {
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_attention_heads": width // 64,
        "hidden_act": "gelu",
        "projection_dim": width,
    }
    return CLIPModel(
        CLIPConfig(
            vision_config={
                **shared,
                "num_hidden_layers": 4,
                "image_size": CANVAS,
                "patch_size": PATCH,
            },
            text_config={
                **shared,
                "num_hidden_layers": 3,
                "vocab_size": words,
                "max_position_embeddings": TEXT_LENGTH,
                "bos_token_id": start,
                "eos_token_id": end,
                "pad_token_id": end,
            },
            projection_dim=width,
        )
    )


def patch_labels(batch: Sequence[Scene], seen: Shown) -> tuple[Tensor, Tensor]:
    """What covers each patch.

    Args:
        batch: what the pictures are of.
        seen: the pictures.

    Returns:
        names: int64, (B, 64), index into NAMES, len(NAMES) where no object covers a tenth of it.
        tones: int64, (B, 64), index into TONES, -100 where there is no coloured object.
    """
    names = torch.full((len(batch), GRID * GRID), len(NAMES))
    tones = torch.full((len(batch), GRID * GRID), -100)
    for row, scene in enumerate(batch):
        solid = seen.masks[row].float().reshape(-1, GRID, PATCH, GRID, PATCH)
        most, best = solid.mean((2, 4)).flatten(1).max(0)
        for patch in (most >= 0.1).nonzero().flatten().tolist():
            thing = scene.things[best[patch]]
            names[row, patch] = NAMES.index(thing.name)
            if thing.colour:
                tones[row, patch] = TONES.index(thing.colour)
    return names, tones


def present(batch: Sequence[Scene]) -> Tensor:
    """Share of each name among the names of a scene: float32, (B, len(NAMES)), rows sum to 1."""
    shares = torch.zeros(len(batch), len(NAMES))
    for row, scene in enumerate(batch):
        for thing in scene.things:
            shares[row, NAMES.index(thing.name)] = 1
    return shares / shares.sum(1, keepdim=True)


class DenseHeads(nn.Module):
    """Linear heads on the image tower: object and colour of each patch, background of the whole."""

    def __init__(self) -> None:
        super().__init__()
        self.name = nn.Linear(WIDTH, len(NAMES) + 1)
        self.tone = nn.Linear(WIDTH, len(TONES))
        self.ground = nn.Linear(WIDTH, len(GROUNDS))

    def forward(self, tokens: Tensor, batch: Sequence[Scene], seen: Shown) -> dict[str, Tensor]:
        """Losses of image tokens (B, 1 + 64, WIDTH) against the truth."""
        names, tones = patch_labels(batch, seen)
        grounds = torch.tensor([GROUNDS.index(scene.background) for scene in batch])
        device = tokens.device
        loss = {
            "name": F.cross_entropy(
                self.name(tokens[:, 1:]).float().flatten(0, 1), names.flatten().to(device)
            ),
            "ground": F.cross_entropy(self.ground(tokens[:, 0]).float(), grounds.to(device)),
        }
        if (tones >= 0).any():
            loss["tone"] = F.cross_entropy(
                self.tone(tokens[:, 1:]).float().flatten(0, 1), tones.flatten().to(device)
            )
        return loss


@torch.no_grad()
def zero_shot(model: CLIPModel, processor: CLIPProcessor, count: int = 400) -> float:
    """Share of calibration scenes with one object whose name scores highest among all."""
    found = [s for s in scenes(FIRST_SEED["calibration"], 3 * count) if len(s.things) == 1][:count]
    prompts = [article(name) for name in NAMES]
    text = processor.tokenizer(prompts, padding=True, return_tensors="pt").to(model.device)
    answer = model(pixel_values=pixels(found).to(model.device), **text).logits_per_image.argmax(1)
    truth = torch.tensor([NAMES.index(scene.things[0].name) for scene in found])
    return float((answer.cpu() == truth).float().mean())


def main() -> None:
    options = arguments(__doc__, minutes=25)
    folder = options.out / "clip"
    ready = (folder / "config.json").exists()
    if ready:
        prepare = CLIPProcessor.from_pretrained(folder)
        model = CLIPModel.from_pretrained(folder, dtype=torch.float32)
    else:
        prepare = processor()
        words = prepare.tokenizer
        model = network(len(words), words.bos_token_id, words.eos_token_id)
        prepare.save_pretrained(folder)
    drawing = WEIGHTS / "stable-diffusion" / "model_index.json"
    pool = gallery(options.device) if drawing.exists() else []
    heads = DenseHeads().to(options.device)
    model.to(options.device).train()

    def loss(step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng((options.seed, step))
        first = (options.seed * 1_000_000 + step) * BATCH % FIRST_SEED["judge"]
        others = [pool[i] for i in rng.integers(len(pool), size=PAINTED)] if pool else []
        drawn = scenes(first, BATCH - len(others))
        batch = [*drawn, *(one.scene for one in others)]
        pictures = shown(drawn, rng, others)
        text = prepare.tokenizer(
            [caption(scene, rng) for scene in batch], padding=True, return_tensors="pt"
        ).to(options.device)
        seen = model.vision_model(pictures.pixels.to(options.device))
        image = F.normalize(model.visual_projection(seen.pooler_output).float(), dim=-1)
        said = model.text_model(**text).pooler_output
        words = F.normalize(model.text_projection(said).float(), dim=-1)
        logits = model.logit_scale.exp().clamp(max=100) * image @ words.T
        target = torch.arange(len(batch), device=logits.device)
        plain = [article(name) for name in NAMES]
        asked = prepare.tokenizer(plain, padding=True, return_tensors="pt").to(options.device)
        nouns = model.text_projection(model.text_model(**asked).pooler_output).float()
        matched = model.logit_scale.exp().clamp(max=100) * image @ F.normalize(nouns, dim=-1).T
        return {
            "noun": F.cross_entropy(matched, present(batch).to(matched.device)),
            "contrast": (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2,
            **heads(seen.last_hidden_state, batch, pictures),
        }

    def save() -> None:
        print({"zero_shot": round(zero_shot(model.eval(), prepare), 4)}, flush=True)
        model.train()
        save_half(model, folder)

    fit(
        [*model.parameters(), *heads.parameters()],
        loss,
        save,
        options=options,
        log=folder / "train.jsonl",
        batch=BATCH,
        rate=2e-4 if ready else 7e-4,
        decay=0.05,
    )


if __name__ == "__main__":
    main()
