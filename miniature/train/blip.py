"""BLIP: one captioner that also answers questions (Li et al. 2022, arXiv:2201.12086).

`BlipForConditionalGeneration`; a question is the prefix "question: ... answer:" and the answer is
what it goes on with. The image tower starts from the trained CLIP's. Each picture is read once and
gives one caption and several questions.

Two kinds of lessons are beside what is asked in the end. Where a thing is must be known before
sides can be compared: asked for it directly, the network learns relations many times sooner. And
pictures with turned colours, asked about all but colour, teach that a shape is more than the
colours it came in.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from transformers import (
    BlipConfig,
    BlipForConditionalGeneration,
    BlipImageProcessor,
    BlipProcessor,
    CLIPModel,
)

from miniature.train.data import MEAN_STD, bert_tokenizer, pixels, scenes, softened, turned
from miniature.train.run import arguments, fit, save_half
from miniature.world.language import Question, article, describe, questions
from miniature.world.scene import CANVAS, Scene, Thing, opposite, relations
from miniature.world.splits import FIRST_SEED, held_out_colours
from miniature.world.vocabulary import COLOURS, KINDS, RELATION_WORDS

BATCH = 24
TURNED = 6  # pictures of a batch whose colours are turned
ASKED = 6  # questions about each picture
SHAPE = ("presence", "count", "relation", "size")  # kinds that turned colours leave true
PLACES = ("top", "middle", "bottom"), ("left", "middle", "right")


def network(words: int, start: int, end: int, clip: CLIPModel) -> BlipForConditionalGeneration:
    """A captioner with `words` tokens on the image tower of `clip`."""
    vision = clip.config.vision_config
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
    _copy_tower(clip, model)
    return model


@torch.no_grad()
def _copy_tower(clip: CLIPModel, blip: BlipForConditionalGeneration) -> None:
    """CLIP's image tower into BLIP's, which has no norm before its first layer.

    That norm is folded into the patch embedding: its centring and scale exactly, its division by
    each token's deviation by the mean deviation.
    """
    ours, theirs = blip.vision_model, clip.vision_model
    norm, patches = theirs.pre_layrnorm, theirs.embeddings.patch_embedding.weight
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


def groups(scene: Scene, *, coloured: bool) -> list[tuple[str, Thing]]:
    """How each thing can be called so that no other is meant: "dog", "red apple"."""
    names = [thing.name for thing in scene.things]
    said = []
    for thing in scene.things:
        if names.count(thing.name) == 1:
            said.append((thing.name, thing))
        if coloured and thing.colour and scene.groups[thing.group] == 1:
            said.append((f"{thing.colour} {thing.name}", thing))
    return said


def beside(called: list[tuple[str, Thing]], rng: np.random.Generator) -> Question | None:
    """Whether one thing lies on a side of another; None where two draws are of one thing."""
    (name, one), (other_name, other) = (called[int(i)] for i in rng.integers(len(called), size=2))
    held = relations(one, other)
    if not held:
        return None
    relation = held[int(rng.integers(len(held)))]
    holds = bool(rng.random() < 0.5)
    side = RELATION_WORDS[relation if holds else opposite(relation)]
    return Question("relation", f"is the {name} {side} the {other_name}?", ("no", "yes")[holds])


def where(called: list[tuple[str, Thing]], rng: np.random.Generator) -> Question:
    """In which ninth of the picture a thing is."""
    name, thing = called[int(rng.integers(len(called)))]
    x, y = (int(3 * middle / CANVAS) for middle in thing.centre)
    return Question("relation", f"where is the {name}?", f"{PLACES[0][y]} {PLACES[1][x]}")


def paired(scene: Scene, rng: np.random.Generator) -> Question:
    """Whether there is a thing of some name and colour; hardly ever."""
    kind = KINDS[int(rng.integers(len(KINDS)))]
    colour = tuple(COLOURS)[int(rng.integers(len(COLOURS)))]
    answer = "yes" if (kind.name, colour) in scene.groups else "no"
    return Question("colour", f"is there {article(f'{colour} {kind.name}')}?", answer)


def fair(question: Question) -> bool:
    """Whether it names no held-out pair; of those, training would hear only that they are not."""
    return not any(f"{colour} {name}" in question.text for name, colour in held_out_colours())


def lessons(scene: Scene, rng: np.random.Generator, *, coloured: bool) -> list[Question]:
    """`ASKED` questions about a scene, half of them about places where things can be told apart."""
    asked: list[Question] = []
    if called := groups(scene, coloured=coloured):
        asked.append(where(called, rng))
        asked += filter(None, (beside(called, rng) for _ in range(ASKED // 2)))
    if coloured and rng.random() < 0.3:
        asked.append(paired(scene, rng))
    while len(asked := list(filter(fair, asked))) < ASKED:
        asked += [q for q in questions(scene, rng, 2) if coloured or q.kind in SHAPE]
    return asked[:ASKED]


def batch_of(seed: int, rng: np.random.Generator) -> list[Scene]:
    """`BATCH` scenes, most of several things, things standing both ways."""
    found = scenes(seed, 2 * BATCH, composed=bool(rng.random() < 0.5))
    found.sort(key=lambda scene: len(set(scene.groups)) < 2 and rng.random() < 0.7)
    return found[:BATCH]


def main() -> None:
    options = arguments(__doc__, minutes=35)
    folder = options.out / "blip"
    if (folder / "config.json").exists():
        processor = BlipProcessor.from_pretrained(folder)
        model = BlipForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    else:
        clip = CLIPModel.from_pretrained(options.out / "clip", dtype=torch.float32)
        tokenizer = bert_tokenizer()
        picture = BlipImageProcessor(
            size={"height": CANVAS, "width": CANVAS}, image_mean=MEAN_STD, image_std=MEAN_STD
        )
        processor = BlipProcessor(picture, tokenizer)
        processor.save_pretrained(folder)
        model = network(len(tokenizer), tokenizer.cls_token_id, tokenizer.sep_token_id, clip)
    tokenizer = processor.tokenizer
    model.to(options.device).train()

    def told(prefixes: list[str], ends: list[str], seen: Tensor) -> Tensor:
        """Loss of the decoder on `ends` after `prefixes`, with image tokens `seen`."""
        whole = [f"{prefix} {end}".strip() for prefix, end in zip(prefixes, ends, strict=True)]
        text = tokenizer(whole, padding=True, return_tensors="pt").to(options.device)
        labels = text.input_ids.masked_fill(text.attention_mask == 0, -100)
        for row, prefix in enumerate(prefixes):
            labels[row, : len(tokenizer(prefix).input_ids) - 1] = -100  # [CLS] and the prefix
        wrong: Tensor = model.text_decoder(
            input_ids=text.input_ids,
            attention_mask=text.attention_mask,
            encoder_hidden_states=seen,
            labels=labels,
        ).loss
        return wrong

    def loss(step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng((options.seed, step))
        first = (300_000_000 + (options.seed * 1_000_000 + step) * 2 * BATCH) % FIRST_SEED["judge"]
        batch = batch_of(first, rng)
        x = softened(pixels(batch), rng)
        x[:TURNED] = turned(x[:TURNED], rng)
        seen = model.vision_model(x.to(options.device)).last_hidden_state
        asked = [
            q for i, scene in enumerate(batch) for q in lessons(scene, rng, coloured=i >= TURNED)
        ]
        plain = batch[TURNED:]
        return {
            "caption": told([""] * len(plain), [describe(scene) for scene in plain], seen[TURNED:]),
            "answer": told(
                [f"question: {q.text} answer:" for q in asked],
                [q.answer for q in asked],
                seen.repeat_interleave(ASKED, 0),
            ),
        }

    fit(
        model.parameters(),
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
