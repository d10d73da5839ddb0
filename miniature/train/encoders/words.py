"""Words: towers taught by what is said of pictures, or by the names of what is on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import AlignConfig, AlignModel, AlignProcessor, EfficientNetImageProcessor

from miniature.train.clip import NAMES, network, present, processor
from miniature.train.data import MEAN_STD, TEXT_LENGTH, bert_tokenizer
from miniature.train.encoders.trunk import (
    HEADS,
    LAYERS,
    PATCH,
    WIDTH,
    Batch,
    Learner,
    keep,
    vit,
)
from miniature.world.language import article, caption
from miniature.world.scene import CANVAS, Scene
from miniature.world.vocabulary import COLOURS

NOISE = 0.3  # share of ALIGN's texts that say something else
TEXT_LAYERS = 2
HEAT = 0.07  # CoCa's first temperature


def labels(device: str) -> Learner:
    """A classifier of objects (ViT; Dosovitskiy et al. 2021, arXiv:2010.11929)."""
    names = {"id2label": dict(enumerate(NAMES)), "label2id": {n: i for i, n in enumerate(NAMES)}}
    model = vit("ViTForImageClassification", **names).to(device).train()

    def loss(batch: Batch) -> dict[str, Tensor]:
        logits = model(pixel_values=batch.pictures).logits.float()
        return {"name": F.cross_entropy(logits, present(batch.scenes).to(logits.device))}

    return Learner([model], loss, lambda folder: keep(model, folder))


def clip(device: str) -> Learner:
    """Pictures and their captions (Radford et al. 2021, arXiv:2103.00020)."""
    return _clip(device, lambda scenes, rng: [caption(scene, rng) for scene in scenes], _own)


def unicl(device: str) -> Learner:
    """Captions and bare labels in one batch (UniCL; Yang et al. 2022, arXiv:2204.03610).

    Half of the texts are captions, half the label of one thing; a label is right for every
    picture that shows such a thing, not for its own alone.
    """

    def said(scenes: list[Scene], rng: np.random.Generator) -> list[str]:
        return [
            caption(scene, rng) if i % 2 else _label(scene, rng) for i, scene in enumerate(scenes)
        ]

    return _clip(device, said, _true)


def _clip(device: str, said: Any, right: Any) -> Learner:
    prepare = processor()
    words = prepare.tokenizer
    model = network(len(words), words.bos_token_id, words.eos_token_id, width=WIDTH)
    model.to(device).train()

    def loss(batch: Batch) -> dict[str, Tensor]:
        texts = said(batch.scenes, batch.rng)
        asked = words(texts, padding=True, return_tensors="pt").to(device)
        found = model(pixel_values=batch.pictures, **asked)
        return _contrast(found.logits_per_image.float(), right(batch.scenes, texts).to(device))

    def save(folder: Path) -> None:
        model.save_pretrained(folder)
        prepare.save_pretrained(folder)

    return Learner([model], loss, save)


def _contrast(logits: Tensor, right: Tensor) -> dict[str, Tensor]:
    """Both directions; `right` is bool, (pictures, texts)."""
    share = right.float()
    by_picture = F.cross_entropy(logits, share / share.sum(1, keepdim=True))
    by_text = F.cross_entropy(logits.T, (share / share.sum(0)).T)
    return {"contrast": (by_picture + by_text) / 2}


def _own(scenes: list[Scene], texts: list[str]) -> Tensor:
    return torch.eye(len(scenes), dtype=torch.bool)


def _true(scenes: list[Scene], texts: list[str]) -> Tensor:
    """Which texts are right for which pictures: its own, and labels of what it shows."""
    right = _own(scenes, texts)
    for row, scene in enumerate(scenes):
        here = {
            name
            for thing in scene.things
            for name in (article(thing.name), article(f"{thing.colour} {thing.name}"))
        }
        for column, text in enumerate(texts):
            right[row, column] |= text in here
    return right


def _label(scene: Scene, rng: np.random.Generator) -> str:
    thing = scene.things[int(rng.integers(len(scene.things)))]
    coloured = thing.colour and rng.random() < 0.5
    return article(f"{thing.colour} {thing.name}" if coloured else thing.name)


def align(device: str) -> Learner:
    """Convolutions and texts that are often wrong (ALIGN; Jia et al. 2021, arXiv:2102.05918)."""
    tokenizer = bert_tokenizer()
    config = AlignConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": WIDTH,
            "intermediate_size": 4 * WIDTH,
            "num_hidden_layers": TEXT_LAYERS,
            "num_attention_heads": HEADS,
            "max_position_embeddings": TEXT_LENGTH,
        },
        vision_config={
            "image_size": CANVAS,
            "hidden_dim": WIDTH,
            "in_channels": [32, 16, 24, 40, 80],
            "out_channels": [16, 24, 40, 80, WIDTH],
            "kernel_sizes": [3, 3, 5, 3, 5],
            "strides": [1, 2, 2, 2, 1],
            "num_block_repeats": [1, 1, 1, 1, 1],
            "expand_ratios": [1, 4, 4, 4, 4],
            "depthwise_padding": [],
            "width_coefficient": 1.0,
            "depth_coefficient": 1.0,
        },
        projection_dim=WIDTH,
        temperature_init_value=0.1,
    )
    model = AlignModel(config).to(device).train()
    square = {"height": CANVAS, "width": CANVAS}
    images = EfficientNetImageProcessor(
        size=square, do_center_crop=False, image_mean=MEAN_STD, image_std=MEAN_STD,
        include_top=False, rescale_offset=False, rescale_factor=1 / 255,
    )  # fmt: skip

    def loss(batch: Batch) -> dict[str, Tensor]:
        texts = [caption(scene, batch.rng) for scene in batch.scenes]
        for i in np.flatnonzero(batch.rng.random(len(texts)) < NOISE):
            texts[i] = texts[int(batch.rng.integers(len(texts)))]
        asked = tokenizer(texts, padding=True, truncation=True, max_length=TEXT_LENGTH,
                          return_tensors="pt").to(device)  # fmt: skip
        pictures = model.get_image_features(pixel_values=batch.pictures).pooler_output.float()
        words = model.get_text_features(**asked).pooler_output.float()
        cosines = F.normalize(pictures, dim=-1) @ F.normalize(words, dim=-1).T
        return _contrast(cosines / model.temperature, _own(batch.scenes, texts).to(device))

    def save(folder: Path) -> None:
        model.save_pretrained(folder)
        AlignProcessor(images, tokenizer).save_pretrained(folder)

    return Learner([model], loss, save)


def coca(device: str) -> Learner:
    """Contrast and captions from one network (CoCa; Yu et al. 2022, arXiv:2205.01917).

    The words are those of OpenAI's CLIP, as open_clip has them; of its 49,408 tokens only those
    that StickerWorld uses are told apart while learning, the others cost time alone.
    """
    import open_clip
    from open_clip.coca_model import CoCa

    shape = {"width": WIDTH, "heads": HEADS, "context_length": TEXT_LENGTH, "vocab_size": 49408}
    settings: dict[str, Any] = {
        "embed_dim": WIDTH,
        "vision_cfg": {
            "image_size": CANVAS, "patch_size": PATCH, "width": WIDTH, "layers": LAYERS,
            "head_width": WIDTH // HEADS, "attentional_pool": True, "attn_pooler_heads": HEADS,
            "output_tokens": True,
        },
        "text_cfg": {**shape, "layers": TEXT_LAYERS, "embed_cls": True, "output_tokens": True},
        "multimodal_cfg": {**shape, "layers": 1, "attn_pooler_heads": HEADS},
    }  # fmt: skip
    model: Any = CoCa(**settings).to(device).train()
    model.logit_scale.data.fill_(float(np.log(1 / HEAT)))
    tokenizer: Any = open_clip.SimpleTokenizer(context_length=TEXT_LENGTH)
    whole = model.text_decoder.text_projection.data
    few = torch.tensor(_tokens(tokenizer), device=device)
    model.text_decoder.text_projection = nn.Parameter(whole[:, few].clone())
    place = torch.full((whole.shape[1],), -100, device=device)
    place[few] = torch.arange(len(few), device=device)

    def loss(batch: Batch) -> dict[str, Tensor]:
        texts = [caption(scene, batch.rng) for scene in batch.scenes]
        ids = tokenizer(texts).to(device)
        found = model(batch.pictures, ids)
        cosines = found["image_features"].float() @ found["text_features"].float().T
        logits = found["logits"].float()
        wanted = place[found["labels"]]
        wanted[found["labels"] == 0] = -100
        return {
            **_contrast(cosines * found["logit_scale"], _own(batch.scenes, texts).to(device)),
            "caption": F.cross_entropy(logits.flatten(0, 1), wanted.flatten()),
        }

    def save(folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        state = {name: value.detach().cpu().contiguous() for name, value in
                 model.state_dict().items()}  # fmt: skip
        every = torch.zeros(whole.shape)
        every[:, few.cpu()] = state["text_decoder.text_projection"]
        save_file(
            {**state, "text_decoder.text_projection": every},
            folder / "open_clip_model.safetensors",
        )
        facts = {"mean": MEAN_STD, "std": MEAN_STD}
        content = {"model_cfg": settings | {"custom_text": True}, "preprocess_cfg": facts}
        (folder / "open_clip_config.json").write_text(json.dumps(content, indent=2))

    return Learner([model], loss, save)


def _tokens(tokenizer: Any) -> list[int]:
    """Ids of the tokens that captions are made of."""
    from miniature.train.data import CORPUS
    from miniature.world.language import corpus

    said = [*corpus(CORPUS, 0), *COLOURS]
    return sorted({int(i) for i in tokenizer(said).unique()} - {0})
