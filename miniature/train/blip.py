"""BLIP: one captioner that also answers questions (Li et al. 2022, arXiv:2201.12086).

`BlipForConditionalGeneration`; a question is the prefix "question: ... answer:" and the answer is
what it goes on with. The image tower starts from the trained CLIP's. Each picture is read once and
gives one caption and several questions.
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

from miniature.train.data import MEAN_STD, bert_tokenizer, pixels, scenes, softened
from miniature.train.run import arguments, fit, save_half
from miniature.world.language import describe, questions
from miniature.world.scene import CANVAS
from miniature.world.splits import FIRST_SEED

BATCH = 24
ASKED = 4  # questions about each picture


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
        first = (300_000_000 + (options.seed * 1_000_000 + step) * BATCH) % FIRST_SEED["judge"]
        batch = scenes(first, BATCH, composed=bool(step % 2))  # where things stand, both ways
        x = softened(pixels(batch), rng).to(options.device)
        seen = model.vision_model(x).last_hidden_state
        asked = [q for scene in batch for q in questions(scene, rng, ASKED)]
        return {
            "caption": told([""] * BATCH, [describe(scene) for scene in batch], seen),
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
