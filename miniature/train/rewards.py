"""Rewards: two ways to learn which picture is preferred, each from pairs of pictures.

    python -m miniature.train.rewards
    python -m miniature.train.rewards imagereward --minutes 30

PickScore (Kirstain et al. 2023, arXiv:2305.01569) is the shipped CLIP taught on: a `CLIPModel`.
ImageReward (Xu et al. 2023, arXiv:2304.05977) begins with the shipped BLIP, whose decoder becomes
an encoder that looks at the picture, under a new head. They learn from the same pairs, each read
both ways, by the same loss: cross entropy over the scores of two pictures is -log sigmoid of
their difference.

They are there to align the U-Net (`miniature/train/align.py`) and to be compared
(`python -m benchmarks.alignment`), not to be shipped: folders under build/rewards, any of which a
profile can name for the tool `score`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import (
    BlipForConditionalGeneration,
    BlipForImageTextRetrieval,
    BlipProcessor,
    CLIPModel,
    CLIPProcessor,
)

from miniature.train import preferences
from miniature.train.painted import gallery
from miniature.train.run import WEIGHTS, arguments, fit, save_half
from models.reward import Head, ImageReward

BATCH = 16  # pairs
PAINTED = 4  # of these, with a picture that the U-Net has painted
SPREAD = 8  # batches by whose rewards the head is standardised
OUT = Path("build/rewards")

Words = Any  # input_ids and attention_mask of the tokenizer, each int64, (B, T)


class Learner(NamedTuple):
    """A reward to be taught.

    Attributes:
        network: whose parameters learn.
        see: pictures, float32, (B, 3, 128, 128) in [-1, 1], to what is seen on them, (B, …).
        rate: what is seen by requests, one for each: float32, (B,).
        tokenizer: reads requests.
        save: writes a folder; told rewards that the network gave, by which to standardise.
    """

    network: nn.Module
    see: Callable[[Tensor], Tensor]
    rate: Callable[[Tensor, Words], Tensor]
    tokenizer: Any
    save: Callable[[Path, Tensor], None]


def pickscore(device: str) -> Learner:
    """Cosine of picture and request, times the learnt scale."""
    model = CLIPModel.from_pretrained(WEIGHTS / "clip", dtype=torch.float32).to(device)
    processor = CLIPProcessor.from_pretrained(WEIGHTS / "clip")

    def see(x: Tensor) -> Tensor:
        pictures: Tensor = model.get_image_features(pixel_values=x).pooler_output.float()
        return pictures

    def rate(seen: Tensor, words: Words) -> Tensor:
        texts = model.get_text_features(**words).pooler_output.float()
        scores: Tensor = model.logit_scale.exp() * F.cosine_similarity(seen, texts)
        return scores

    def save(folder: Path, _: Tensor) -> None:
        save_half(model, folder)
        processor.save_pretrained(folder)

    return Learner(model, see, rate, processor.tokenizer, save)


def imagereward(device: str) -> Learner:
    """A number that the text encoder makes while it looks at the picture."""
    theirs = BlipForConditionalGeneration.from_pretrained(WEIGHTS / "blip", dtype=torch.float32)
    processor = BlipProcessor.from_pretrained(WEIGHTS / "blip")
    blip = BlipForImageTextRetrieval(theirs.config)
    blip.vision_model.load_state_dict(theirs.vision_model.state_dict())
    blip.text_encoder.load_state_dict(theirs.text_decoder.bert.state_dict())
    head = Head(blip.config.text_config.hidden_size)
    model = ImageReward(blip, head).to(device)

    def save(folder: Path, rewards: Tensor) -> None:
        head.mean.copy_(rewards.mean())
        head.std.copy_(rewards.std())
        copy.deepcopy(model).half().save(folder)
        head.mean.zero_()  # it goes on learning on the scale it has
        head.std.fill_(1)
        processor.save_pretrained(folder)

    return Learner(model, model.see, model.rate, processor.tokenizer, save)


RECIPES: dict[str, Callable[[str], Learner]] = {
    "imagereward": imagereward,
    "pickscore": pickscore,
}


def compared(learner: Learner, batch: preferences.Batch, device: str) -> tuple[Tensor, Tensor]:
    """Scores of the pictures that fit their requests, and of the others: each (2 B,)."""
    read = learner.tokenizer(
        batch.words * 2 + batch.against * 2, padding=True, return_tensors="pt"
    ).to(device)
    words = {name: read[name] for name in ("input_ids", "attention_mask")}
    seen = learner.see(torch.cat([batch.better, batch.worse]).to(device))
    asked, against = learner.rate(torch.cat([seen, seen]), words).view(2, 2, -1)
    return torch.cat([asked[0], against[1]]), torch.cat([asked[1], against[0]])


def main() -> None:
    options = arguments(__doc__, minutes=12, out=OUT, names=tuple(RECIPES))
    pool = gallery(options.device)

    def batch(step: int) -> preferences.Batch:
        rng = np.random.default_rng((options.seed, step))
        first = preferences.FIRST + (options.seed * 100_000 + step) * BATCH
        others = [pool[i] for i in rng.integers(len(pool), size=PAINTED)]
        return preferences.batch(first, BATCH - PAINTED, rng, others)

    for name in options.names:
        torch.manual_seed(options.seed)
        learner = RECIPES[name](options.device)
        learner.network.train()

        def loss(step: int, learner: Learner = learner) -> dict[str, Tensor]:
            right, wrong = compared(learner, batch(step), options.device)
            return {"preference": -F.logsigmoid(right - wrong).mean()}

        @torch.no_grad()
        def save(folder: Path, learner: Learner = learner) -> None:
            learner.network.eval()
            seen = [
                one for i in range(SPREAD) for one in compared(learner, batch(i), options.device)
            ]
            learner.save(folder, torch.cat(seen))
            learner.network.train()

        folder = options.out / name
        log = folder / "train.jsonl"
        log.unlink(missing_ok=True)  # each begins anew
        fit(
            learner.network.parameters(),
            loss,
            partial(save, folder),
            options=options,
            log=log,
            batch=BATCH,
            rate=2e-4,
            decay=0.05,
            warm_up=50,
        )


if __name__ == "__main__":
    main()
