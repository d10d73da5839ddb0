"""OWL: an open-vocabulary detector (OWLv2, Minderer et al. 2023, arXiv:2306.09683).

Both towers start from the trained CLIP, as in the paper. Every patch on an object answers for it
(dense assignment) instead of one patch chosen by bipartite matching: the same head learns many
times faster, and non-maximum suppression drops the repeats. Phrases of absent objects and of wrong
colours are in every batch: what is not there must give no box. Pictures are shown as a diffusion
model draws them, things in any size and place, and as the U-Net of this family has painted them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import box_convert, generalized_box_iou, sigmoid_focal_loss
from transformers import (
    CLIPModel,
    CLIPTokenizer,
    Owlv2Config,
    Owlv2ForObjectDetection,
    Owlv2ImageProcessor,
    Owlv2Processor,
)

from miniature.train.clip import GRID, PATCH
from miniature.train.data import MEAN_STD, scenes
from miniature.train.painted import gallery
from miniature.train.run import arguments, fit, save_half
from miniature.train.shown import Shown, shown
from miniature.world.scene import CANVAS, Scene
from miniature.world.splits import FIRST_SEED, held_out_colours
from miniature.world.vocabulary import COLOURS, KINDS

BATCH = 32
PAINTED = 12  # of a batch
COLOURED = 32  # phrases with a colour in each batch, beside all plain names
COVERED = 0.25  # of a patch, from which on it answers for the object
WORDINGS = ("{}", "a {}", "the {}", "a picture of a {}")

Phrase = tuple[str, str | None]  # name, colour


def network(clip: CLIPModel) -> Owlv2ForObjectDetection:
    """A detector whose towers are those of `clip`."""
    text, vision = clip.config.text_config.to_dict(), clip.config.vision_config.to_dict()
    text["pad_token_id"] = 0  # unused queries; end of text, the largest id, is where OWL pools
    for config in (text, vision):
        config.pop("model_type")
    model = Owlv2ForObjectDetection(
        Owlv2Config(
            text_config=text, vision_config=vision, projection_dim=clip.config.projection_dim
        )
    )
    parts = {
        name.replace("vision_model.pre_layrnorm", "vision_model.pre_layernorm"): value
        for name, value in clip.state_dict().items()
        if name.startswith(("vision_model", "text_model", "text_projection"))
    }
    missing = model.owlv2.load_state_dict(parts, strict=False)
    assert not missing.unexpected_keys, missing.unexpected_keys
    # as made, the heads' outputs span hundreds: every box saturates and never moves
    for part in (model.class_head, model.box_head, model.objectness_head):
        for layer in part.modules():
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)
    nn.init.zeros_(model.box_head.dense2.weight)  # a box begins as its patch
    head = model.class_head  # begins near cosine x 10 - 5
    for layer, bias in ((head.logit_scale, 9.0), (head.logit_shift, -0.5)):
        nn.init.zeros_(layer.weight)
        nn.init.constant_(layer.bias, bias)
    return model


def phrases(batch: Sequence[Scene], rng: np.random.Generator) -> list[Phrase]:
    """All plain names, then coloured ones: half from the batch, half with a colour at random."""
    seen = {thing.group for scene in batch for thing in scene.things if thing.colour}
    present = sorted(seen)
    chosen = {present[int(i)] for i in rng.integers(len(present), size=COLOURED // 2) if present}
    paintable = [kind.name for kind in KINDS if kind.recolourable]
    words = tuple(COLOURS)
    while len(chosen) < COLOURED:
        pair = (paintable[rng.integers(len(paintable))], words[rng.integers(len(words))])
        if pair not in held_out_colours():
            chosen.add(pair)
    return [*((kind.name, None) for kind in KINDS), *sorted(chosen)]


def targets(
    batch: Sequence[Scene], seen: Shown, asked: Sequence[Phrase]
) -> tuple[Tensor, Tensor, Tensor]:
    """What each patch should say.

    Args:
        batch: what the pictures are of.
        seen: the pictures.
        asked: the phrases.

    Returns:
        labels: float32, (B, 64, phrases), 1 where the patch's object fits the phrase.
        found: bool, (B, 64), whether it has an object.
        wanted: float32, (B, 64, 4), its object's box: centre x, y, width, height in [0, 1].
    """
    labels = torch.zeros(len(batch), GRID * GRID, len(asked))
    found = torch.zeros(len(batch), GRID * GRID, dtype=torch.bool)
    wanted = torch.zeros(len(batch), GRID * GRID, 4)
    for row, scene in enumerate(batch):
        solid = seen.masks[row].float().reshape(-1, GRID, PATCH, GRID, PATCH)
        covered = solid.mean((2, 4)).flatten(1)
        centre = seen.centre_boxes(row)
        most, best = covered.max(0)
        chosen = {
            patch: int(best[patch]) for patch in (most >= COVERED).nonzero().flatten().tolist()
        }
        for i in range(len(scene.things)):
            chosen[int(covered[i].argmax())] = i
        for patch, i in chosen.items():
            thing = scene.things[i]
            found[row, patch] = True
            wanted[row, patch] = centre[i]
            for column, (name, colour) in enumerate(asked):
                if name == thing.name and colour in (None, thing.colour):
                    labels[row, patch, column] = 1
    return labels, found, wanted


def crowded(found: list[Scene], rng: np.random.Generator) -> list[Scene]:
    """Half of some scenes, rather those of three things and four, of which there are few."""
    found.sort(key=lambda scene: len(scene.things) < 3 and rng.random() < 0.6)
    return found[: len(found) // 2]


def main() -> None:
    options = arguments(__doc__, minutes=30)
    folder, clip_folder = options.out / "owl", options.out / "clip"
    tokenizer = CLIPTokenizer.from_pretrained(clip_folder)
    if (folder / "config.json").exists():
        model = Owlv2ForObjectDetection.from_pretrained(folder, dtype=torch.float32)
    else:
        model = network(CLIPModel.from_pretrained(clip_folder, dtype=torch.float32))
        picture = Owlv2ImageProcessor(
            size={"height": CANVAS, "width": CANVAS}, image_mean=MEAN_STD, image_std=MEAN_STD
        )
        Owlv2Processor(picture, tokenizer).save_pretrained(folder)
    model.to(options.device).train()
    pool = gallery(options.device)
    crowds = np.array([len(one.scene.things) for one in pool])

    def loss(step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng((options.seed, step))
        first = (200_000_000 + (options.seed * 1_000_000 + step) * 2 * BATCH) % FIRST_SEED["judge"]
        drawn = crowded(scenes(first, 2 * (BATCH - PAINTED), composed=step % 2 == 0), rng)
        others = [pool[i] for i in rng.choice(len(pool), PAINTED, p=crowds / crowds.sum())]
        batch = [*drawn, *(one.scene for one in others)]
        asked = phrases(batch, rng)
        worded = [
            WORDINGS[rng.integers(len(WORDINGS))].format(" ".join(filter(None, (colour, name))))
            for name, colour in asked
        ]
        text = tokenizer(worded, padding=True, return_tensors="pt")
        ids = text.input_ids.masked_fill(text.attention_mask == 0, 0).to(options.device)
        said = model.owlv2.text_model(ids, text.attention_mask.to(options.device)).pooler_output
        queries = F.normalize(model.owlv2.text_projection(said), dim=-1)
        seen = shown(drawn, rng, others)
        grid = model.image_embedder(pixel_values=seen.pixels.to(options.device))[0]
        patches = grid.flatten(1, 2)
        logits = model.class_predictor(patches, queries.expand(len(batch), -1, -1))[0].float()
        placed = model.box_predictor(patches, grid).float()
        there = model.objectness_predictor(patches).float()
        labels, found, wanted = (t.to(options.device) for t in targets(batch, seen, asked))
        many = found.sum()
        ours, theirs = (box_convert(b[found], "cxcywh", "xyxy") for b in (placed, wanted))
        overlap = generalized_box_iou(ours, theirs).diagonal()
        return {
            "class": 2 * sigmoid_focal_loss(logits, labels, reduction="sum") / many,
            "box": 5 * F.l1_loss(placed[found], wanted[found], reduction="sum") / many,
            "overlap": 2 * (1 - overlap).mean(),
            "object": F.binary_cross_entropy_with_logits(there, found.float()),
        }

    fit(
        model.parameters(),
        loss,
        lambda: save_half(model, folder),
        options=options,
        log=folder / "train.jsonl",
        batch=BATCH,
        rate=3e-4,
        decay=0.05,
    )


if __name__ == "__main__":
    main()
