"""BLIP: one captioner that also answers questions (Li et al. 2022, arXiv:2201.12086).

`BlipForConditionalGeneration`; a question is the prefix "question: ... answer:" and the answer is
what it goes on with.

The image tower starts as the trained detector's, which knows what is where: with CLIP's, which has
little use for places, the captioner learnt no sides in hours that it now learns in minutes.

Each picture is read once and gives one caption and several questions. They stand in one row of
tokens, each blind to the others: so the picture's keys and values are computed once for all.

To compare sides, a network must first know places. After the decoder's first layer a small head,
thrown away in the end, must read off each noun where its thing is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import (
    BlipConfig,
    BlipForConditionalGeneration,
    BlipImageProcessor,
    BlipProcessor,
    Owlv2ForObjectDetection,
)

from miniature.train.blip_lessons import Lesson, lessons
from miniature.train.data import MEAN_STD, bert_tokenizer, pixels, scenes, turned
from miniature.train.painted import gallery
from miniature.train.run import arguments, fit, save_half
from miniature.train.shown import shown
from miniature.world.language import describe
from miniature.world.scene import CANVAS, Scene
from miniature.world.splits import FIRST_SEED

BATCH = 24
TURNED = 6  # pictures of a batch whose colours are turned
PAINTED = 8  # that the U-Net has painted
UNTOLD = -100  # label of a token that nobody must foretell


def network(words: int, start: int, end: int, eyes: nn.Module) -> BlipForConditionalGeneration:
    """A captioner with `words` tokens that begins with `eyes`, an OWLv2 vision transformer."""
    vision: Any = eyes.config
    shared = {
        "hidden_size": vision.hidden_size,
        "intermediate_size": vision.intermediate_size,
        "num_attention_heads": vision.num_attention_heads,
        "projection_dim": vision.hidden_size,
    }
    config = BlipConfig(
        vision_config={
            **shared,
            "num_hidden_layers": vision.num_hidden_layers,
            "hidden_act": vision.hidden_act,
            "image_size": vision.image_size,
            "patch_size": vision.patch_size,
        },
        text_config={
            **shared,
            "num_hidden_layers": 3,
            "encoder_hidden_size": vision.hidden_size,
            "vocab_size": words,
            "max_position_embeddings": 64,
            "bos_token_id": start,
            "sep_token_id": end,
            "eos_token_id": end,
            "pad_token_id": 0,
        },
        projection_dim=vision.hidden_size,
    )
    model = BlipForConditionalGeneration(config)
    _copy_tower(eyes, model)
    return model


@torch.no_grad()
def _copy_tower(theirs: Any, blip: BlipForConditionalGeneration) -> None:
    """The detector's image tower into BLIP's, which has no norm before its first layer.

    That norm is folded into the patch embedding: its centring and scale exactly, its division by
    each token's deviation by the mean deviation.
    """
    ours: Any = blip.vision_model
    norm, patches = theirs.pre_layernorm, theirs.embeddings.patch_embedding.weight
    places = theirs.embeddings.position_embedding.weight
    probe = pixels(scenes(0, 32))
    spread = theirs.embeddings(probe).std(-1).mean()
    gain: Tensor = (norm.weight / spread)[:, None]

    def centred(columns: Tensor) -> Tensor:
        moved: Tensor = gain * (columns - columns.mean(0))
        return moved

    flat = centred(patches.flatten(1))
    ours.embeddings.patch_embedding.weight.copy_(flat.view_as(patches))
    ours.embeddings.patch_embedding.bias.zero_()
    ours.embeddings.class_embedding.copy_(
        centred(theirs.embeddings.class_embedding[:, None])[:, 0].view(1, 1, -1)
    )
    ours.embeddings.position_embedding.copy_((centred(places.T).T + norm.bias)[None])
    for mine, yours in zip(ours.encoder.layers, theirs.encoder.layers, strict=True):
        a = yours.self_attn
        mine.self_attn.qkv.weight.copy_(
            torch.cat([a.q_proj.weight, a.k_proj.weight, a.v_proj.weight])
        )
        mine.self_attn.qkv.bias.copy_(torch.cat([a.q_proj.bias, a.k_proj.bias, a.v_proj.bias]))
        mine.self_attn.projection.load_state_dict(a.out_proj.state_dict())
        for part in ("layer_norm1", "layer_norm2", "mlp"):
            getattr(mine, part).load_state_dict(getattr(yours, part).state_dict())
    ours.post_layernorm.load_state_dict(theirs.post_layernorm.state_dict())


@dataclass
class Row:
    """All texts about one picture, one after the other.

    Attributes:
        tokens: of all texts.
        labels: the tokens to foretell, UNTOLD for the rest.
        places: of each token in its own text.
        texts: of each token, which text it is in.
        nouns: index of a token that ends a thing's name, and the thing's centre, 0..1.
    """

    tokens: list[int] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    texts: list[int] = field(default_factory=list)
    nouns: list[tuple[int, tuple[float, float]]] = field(default_factory=list)

    def add(self, tokens: list[int], known: int) -> None:
        """Append a text whose first `known` tokens are given."""
        self.tokens += tokens
        self.labels += [UNTOLD] * known + tokens[known:]
        self.places += range(len(tokens))
        self.texts += [1 + max(self.texts, default=0)] * len(tokens)

    def ask(self, tokenizer: Any, lesson: Lesson) -> None:
        """Append a question with its answer."""
        start, prompt = len(self.tokens), f"question: {lesson.text} answer:"
        known = tokenizer(prompt).input_ids[:-1]
        self.add([*known, *tokenizer(lesson.answer).input_ids[1:]], len(known))
        for one in lesson.about:
            name = tokenizer(one.words, add_special_tokens=False).input_ids
            ends = [i + len(name) for i in range(len(known)) if known[i : i + len(name)] == name]
            if len(ends) == 1:  # "dog" is also in "red dog": then it is not clear which is meant
                self.nouns.append((start + ends[0] - 1, one.centre))


@dataclass(frozen=True)
class Packed:
    """Rows of a batch as the decoder takes them: tensors of (B, T), short rows filled up.

    Attributes:
        tokens, labels, places: int64.
        mask: float32, (B, 1, T, T), added to attention: 0 for what came before in the same text.
        nouns: int64, (N, 2), row and token of each noun.
        centres: float32, (N, 2), x, y in 0..1.
    """

    tokens: Tensor
    labels: Tensor
    places: Tensor
    mask: Tensor
    nouns: Tensor
    centres: Tensor


def packed(rows: list[Row]) -> Packed:
    """Rows beside each other."""

    def filled(lists: list[list[int]], empty: int) -> Tensor:
        return nn.utils.rnn.pad_sequence([torch.tensor(x) for x in lists], True, float(empty))

    texts = filled([row.texts for row in rows], 0)
    before = torch.ones(texts.shape[1], texts.shape[1], dtype=torch.bool).tril()
    visible = (texts[:, :, None] == texts[:, None, :]) & before
    nouns = [(i, token, centre) for i, row in enumerate(rows) for token, centre in row.nouns]
    return Packed(
        filled([row.tokens for row in rows], 0),
        filled([row.labels for row in rows], UNTOLD),
        filled([row.places for row in rows], 0),
        torch.zeros(visible.shape).masked_fill(~visible, -1e4)[:, None],
        torch.tensor([(i, token) for i, token, _ in nouns]).reshape(-1, 2),
        torch.tensor([centre for *_, centre in nouns]).reshape(-1, 2),
    )


def batch_of(seed: int, rng: np.random.Generator) -> list[Scene]:
    """Scenes to be drawn, most of several things, things standing both ways."""
    found = scenes(seed, 2 * BATCH, composed=bool(rng.random() < 0.5))
    found.sort(key=lambda scene: len(scene.things) < 2 and rng.random() < 0.7)
    return found[: BATCH - PAINTED]


def told(model: Any, place: nn.Linear, x: Tensor, rows: Packed) -> dict[str, Tensor]:
    """Losses of the texts about pictures (B, 3, 128, 128), and of where their nouns are."""
    device = x.device
    said = model.text_decoder(
        input_ids=rows.tokens.to(device),
        attention_mask=rows.mask.to(device),
        position_ids=rows.places.to(device),
        encoder_hidden_states=model.vision_model(x).last_hidden_state,
        output_hidden_states=True,
    )
    wrong = F.cross_entropy(
        said.logits[:, :-1].flatten(0, 1).float(), rows.labels[:, 1:].flatten().to(device)
    )
    early = said.hidden_states[1][rows.nouns[:, 0], rows.nouns[:, 1]]
    return {
        "words": wrong,
        "places": 3 * F.l1_loss(place(early).float(), rows.centres.to(device)),
    }


def main() -> None:
    options = arguments(__doc__, minutes=35)
    folder = options.out / "blip"
    if (folder / "config.json").exists():
        processor = BlipProcessor.from_pretrained(folder)
        model = BlipForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    else:
        owl = Owlv2ForObjectDetection.from_pretrained(options.out / "owl", dtype=torch.float32)
        tokenizer = bert_tokenizer()
        picture = BlipImageProcessor(
            size={"height": CANVAS, "width": CANVAS}, image_mean=MEAN_STD, image_std=MEAN_STD
        )
        processor = BlipProcessor(picture, tokenizer)
        processor.save_pretrained(folder)
        model = network(
            len(tokenizer), tokenizer.cls_token_id, tokenizer.sep_token_id, owl.owlv2.vision_model
        )
    tokenizer = processor.tokenizer
    model.to(options.device).train()
    pool = gallery(options.device)
    place = nn.Linear(model.config.text_config.hidden_size, 2, device=options.device)

    def loss(step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng((options.seed, step))
        first = (300_000_000 + (options.seed * 1_000_000 + step) * 2 * BATCH) % FIRST_SEED["judge"]
        drawn = batch_of(first, rng)
        others = [pool[i] for i in rng.integers(len(pool), size=PAINTED)]
        batch = [*drawn, *(one.scene for one in others)]
        seen = shown(drawn, rng, others)
        x = torch.cat([turned(seen.pixels[:TURNED], rng), seen.pixels[TURNED:]])
        rows = [Row() for _ in batch]
        for i, (row, scene) in enumerate(zip(rows, batch, strict=True)):
            if i >= TURNED:
                row.add(tokenizer(describe(scene)).input_ids, 1)
            for lesson in lessons(scene, seen.boxes[i], rng, coloured=i >= TURNED):
                row.ask(tokenizer, lesson)
        return told(model, place, x.to(options.device), packed(rows))

    fit(
        [*model.parameters(), *place.parameters()],
        loss,
        lambda: save_half(model, folder),
        options=options,
        log=folder / "train.jsonl",
        batch=BATCH,
        rate=4e-4,
        decay=0.05,
    )


if __name__ == "__main__":
    main()
