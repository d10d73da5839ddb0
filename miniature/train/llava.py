"""LLaVA: SmolLM2 shown pictures (Liu et al. 2023, arXiv:2304.08485); MiniGPT-4 before it.

    python -m miniature.train.llava minigpt4 --minutes 15
    python -m miniature.train.llava llava --minutes 45

First everything is frozen but one linear projection from CLIP's patches to the language model's
words (MiniGPT-4, Zhu et al. 2023, arXiv:2304.10592). Then that projection goes on to learn, with
low-rank updates of the language model (Hu et al. 2021, arXiv:2106.09685).

The projection does not begin at random: least squares puts each patch where the words lie that say
what it shows and in which ninth of the picture, which is known of every patch here. So the language
model is shown something like text from the first step on.

Each picture is read once, for one caption and many questions; they stand in one row of tokens, each
blind to the others (`miniature/train/blip.py`), so that no answer can be read off a text.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import CLIPVisionModel

from miniature.train.blip import UNTOLD, Packed, Row, packed
from miniature.train.blip_lessons import PLACES, lessons
from miniature.train.clip import GRID, NAMES, TONES, patch_labels
from miniature.train.data import scenes
from miniature.train.run import WEIGHTS, arguments, fit
from miniature.train.shown import Shown, shown
from miniature.world.language import describe
from miniature.world.scene import Scene
from miniature.world.splits import FIRST_SEED
from models import smollm, weights
from models.llava import OURS
from models.llava_parts import LAYERS, PROJECTION, joined, language_model

FIRST = 350_000_000  # seed
BATCH = 2  # pictures a step
ROOM = 208  # tokens of a row, the picture's 64 among them
FITTED = 600  # pictures for the least squares
RIDGE = 1e-3  # of the features' mean square
RATE = 2e-4  # the projection's features are large; so are the updates' steps, by ALPHA
RANK, ALPHA = 12, 96
MODULES = ["q_proj", "v_proj", "up_proj", "down_proj"]
LEARNT = "adapter_model.safetensors"  # as PEFT names it
TOWER = "miniature/weights/clip"


class Pupil:
    """A language model with eyes, of which all is frozen but the projection.

    Attributes:
        language: the language model, which the network shares.
        lora: how it is adapted, if it is.
        model: the network.
        image: the token that stands for a patch.
        patches: of a picture.
    """

    def __init__(self, language: Any, tokenizer: Any, tower: Any) -> None:
        self.language, self.tokenizer = language, tokenizer
        self.lora: LoraConfig | None = None
        self.model = joined(language, tower, tokenizer).requires_grad_(False)
        self.projection: nn.Linear = self.model.model.multi_modal_projector.requires_grad_(True)
        self.image: int = self.model.config.image_token_id
        self.patches: int = self.model.config.image_seq_length

    @torch.no_grad()
    def features(self, pictures: Tensor) -> Tensor:
        """What the tower makes of the patches of (B, 3, 128, 128): (B, 64, layers * width)."""
        tower = self.model.model.vision_tower
        hidden = tower(pictures.to(tower.device), output_hidden_states=True).hidden_states
        layers = self.model.config.vision_feature_layer
        return torch.cat([hidden[layer][:, 1:] for layer in layers], -1)

    def adapt(self) -> None:
        """Let the language model learn too, by low-rank updates of all its layers."""
        self.lora = LoraConfig(
            r=RANK, lora_alpha=ALPHA, target_modules=MODULES, task_type="CAUSAL_LM"
        )
        self.language = get_peft_model(self.language, self.lora)
        self.lora.base_model_name_or_path = smollm.FILE  # PEFT's own word for it is a path of ours

    def ids(self, text: str) -> list[int]:
        """Tokens of a text."""
        return list(self.tokenizer(text)["input_ids"])

    def row(self, texts: Iterator[tuple[str, str]]) -> Row:
        """A picture, then prompts with what is to be said to each, as many as there is room for."""
        row = Row()
        row.add([self.image] * self.patches, self.patches)
        for prompt, said in texts:
            known = self.ids(prompt)
            whole = [*known, *self.ids(f" {said}"), self.tokenizer.eos_token_id]
            if len(row.tokens) + len(whole) > ROOM:
                break
            row.add(whole, len(known))
        return row

    def told(self, features: Tensor, rows: Packed) -> Tensor:
        """Loss of what is to be said about pictures of these features (B, 64, layers * width)."""
        device, first = features.device, self.patches
        words = self.model.get_input_embeddings()(rows.tokens[:, first:].to(device))
        mask, places = rows.mask.clone(), rows.places.clone()
        mask[:, :, first:, :first] = 0  # every text sees the picture, and begins right behind it
        places[:, first:] += first
        hidden = self.model.model.language_model(
            inputs_embeds=torch.cat([self.projection(features), words], 1),
            attention_mask=mask.to(device),
            position_ids=places.to(device),
            use_cache=False,
        ).last_hidden_state
        labels = rows.labels[:, 1:].to(device)
        counted = labels != UNTOLD
        logits = self.model.lm_head(hidden[:, :-1][counted]).float()
        return F.cross_entropy(logits, labels[counted])


def texts_about(scene: Scene, boxes: Tensor, rng: np.random.Generator) -> Iterator[tuple[str, str]]:
    """A caption, then questions without end, as the tools ask them, each with what is to be said.

    Args:
        scene: what the picture is of.
        boxes: (objects, 4), px of the picture as shown.
        rng: chooses.
    """
    yield OURS.describe, describe(scene)
    asked: set[str] = set()
    while True:
        for lesson in lessons(scene, boxes, rng, coloured=True):
            if lesson.text not in asked:
                asked.add(lesson.text)
                yield lesson.text, lesson.answer


@torch.no_grad()
def begin(pupil: Pupil) -> None:
    """Set the projection by least squares: each patch to the words for what it shows."""
    batch = scenes(FIRST - FITTED, FITTED)
    seen = shown(batch, np.random.default_rng(FIRST))
    features = pupil.features(seen.pixels).flatten(0, 1)
    meant = patch_words(pupil, batch, seen).flatten(0, 1).to(features.device)
    mean, middle = features.mean(0), meant.mean(0)
    x, y = (features - mean).double(), (meant - middle).double()
    square = x.T @ x / len(x)
    square.diagonal().add_(RIDGE * square.diagonal().mean())
    weight = torch.linalg.solve(square, x.T @ y / len(x)).T.float()
    pupil.projection.weight.copy_(weight)
    pupil.projection.bias.copy_(middle - weight @ mean)


def patch_words(pupil: Pupil, batch: list[Scene], seen: Shown) -> Tensor:
    """Where in the language model the words for each patch lie: float32, (B, 64, width).

    The sum of the embeddings of colour, name (else the background's) and ninth of the picture.
    """
    table = pupil.model.get_input_embeddings().weight.detach().cpu()

    def word(text: str) -> Tensor:
        meant: Tensor = table[pupil.ids(f" {text}")].mean(0)
        return meant

    ninth = np.arange(GRID) * 3 // GRID
    place = torch.stack(
        [word(PLACES[0][row]) + word(PLACES[1][column]) for row in ninth for column in ninth]
    )
    nouns = torch.stack([*map(word, NAMES), word("background")])
    colours = torch.stack([*map(word, TONES)])
    names, tones = patch_labels(batch, seen)
    meant = nouns[names] + place
    meant += colours[tones.clamp(min=0)] * (tones >= 0)[..., None]
    grounds = torch.stack([word(scene.background) for scene in batch])
    return meant + grounds[:, None] * (names == len(NAMES))[..., None]


def save(pupil: Pupil, folder: Path) -> None:
    """Write what was trained, in float16, and the configuration with whose eyes it has."""
    folder.mkdir(parents=True, exist_ok=True)
    half = {name: value.half() for name, value in pupil.projection.state_dict().items()}
    save_file(half, folder / PROJECTION)
    config = {
        "architectures": ["LlavaForConditionalGeneration"],
        "language_model": smollm.FILE,
        "vision_tower": TOWER,
        "vision_tower_sha256": weights.file_digest(WEIGHTS / "clip" / "model.safetensors"),
        "vision_feature_layer": LAYERS,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    if pupil.lora is not None:
        pupil.lora.save_pretrained(str(folder))
        learnt = get_peft_model_state_dict(pupil.language).items()
        half = {name: value.half() for name, value in learnt}
        save_file(half, folder / LEARNT)


def train(pupil: Pupil, folder: Path, options: argparse.Namespace) -> None:
    """Teach whatever of the network is not frozen."""

    def loss(step: int) -> dict[str, Tensor]:
        first = (FIRST + (options.seed * 1_000_000 + step) * BATCH) % FIRST_SEED["judge"]
        rng = np.random.default_rng(first)
        batch = scenes(first, BATCH, composed=bool(rng.random() < 0.5))
        seen = shown(batch, rng)
        rows = [
            pupil.row(texts_about(scene, boxes, rng))
            for scene, boxes in zip(batch, seen.boxes, strict=True)
        ]
        return {"words": pupil.told(pupil.features(seen.pixels), packed(rows))}

    fit(
        pupil.model.parameters(),
        loss,
        lambda: save(pupil, folder),
        options=options,
        log=folder / "train.jsonl",
        batch=BATCH,
        rate=RATE,
        decay=0.0,
        warm_up=20,
    )


def main() -> None:
    options = arguments(__doc__ or "", minutes=15, names=("minigpt4", "llava"))
    for name in options.names:
        folder = options.out / name
        language, tokenizer = language_model(name, torch.float32)
        tower = CLIPVisionModel.from_pretrained(WEIGHTS / "clip", dtype=torch.float32)
        pupil = Pupil(language.to(options.device), tokenizer, tower.to(options.device))
        if name == "llava":
            pupil.adapt()
        before = [one for one in (folder, options.out / "minigpt4") if (one / PROJECTION).is_file()]
        if before:
            pupil.projection.load_state_dict(load_file(before[0] / PROJECTION))
        else:
            begin(pupil)
        if (folder / LEARNT).is_file():
            set_peft_model_state_dict(pupil.language, load_file(folder / LEARNT))
        train(pupil, folder, options)


if __name__ == "__main__":
    main()
