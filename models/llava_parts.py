"""LLaVA in parts: eyes and a language model that lie elsewhere, and what was trained between them.

A folder in parts holds config.json, the projection, and, if the language model was trained too,
a LoRA adapter in PEFT's format. The language model is SmolLM2 (`models/smollm.py`), the image tower
that of the CLIP folder which config.json names, with the digest that it had.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from safetensors.torch import load_file
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    CLIPImageProcessor,
    CLIPVisionModel,
    GgufConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
)

from models import smollm, weights
from models.device import loading, network, place
from models.errors import Unavailable

PROJECTION = "projection.safetensors"
ADAPTER = "adapter_config.json"
IMAGE = "<empty_output>"  # a special token of the vocabulary that no text here uses
LAYERS = [-2, -1]  # of the tower, side by side: least squares tells things better by both
TEMPLATE = (
    "{% for turn in messages %}{% for part in turn['content'] %}"
    "{% if part['type'] == 'image' %}" + IMAGE + "{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endfor %}"
)


def language_model(checkpoint: str, dtype: torch.dtype) -> tuple[Any, Any]:
    """SmolLM2 as a transformers network, dequantised, on the CPU; and its tokenizer.

    Args:
        checkpoint: of which folder it is a part, for messages.
        dtype: of its weights.

    Raises:
        Unavailable: its file is not here and cannot be fetched, or cannot be read.
    """
    with loading(checkpoint):
        folder = _opened(smollm.pull())
        network = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
        return network, AutoTokenizer.from_pretrained(folder)


def _opened(file: Path) -> Path:
    """A transformers folder of a GGUF file, written at the first time: 270 MB.

    To read and dequantise the file takes half a minute, to read the folder a second.
    """
    folder = smollm.folder() / file.stem
    if not folder.is_dir():
        smollm.folder().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=smollm.folder()) as scratch:
            whole = Path(scratch) / file.stem
            network = AutoModelForCausalLM.from_pretrained(
                file.parent,
                gguf_file=file.name,
                dtype=torch.float16,
                quantization_config=GgufConfig(dequantize=True),
            )
            network.save_pretrained(whole)
            AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name).save_pretrained(whole)
            whole.rename(folder)  # at once, so that a second process never sees half of it
    return folder


def joined(language: Any, tower: Any, tokenizer: Any) -> Any:
    """An LLaVA of these parts: they are its own, not copies.

    The projection is one linear layer, untrained, from the width of the tower to that of the
    language model, as in the first LLaVA and in MiniGPT-4 (Zhu et al. 2023, arXiv:2304.10592).

    Args:
        language: a transformers causal language model.
        tower: a CLIPVisionModel; its LAYERS are read, its class token is not.
        tokenizer: the language model's; it knows IMAGE.
    """
    patches = (tower.config.image_size // tower.config.patch_size) ** 2
    config = LlavaConfig(
        vision_config=tower.config,
        text_config=language.config,
        image_token_id=tokenizer.convert_tokens_to_ids(IMAGE),
        image_seq_length=patches,
        vision_feature_layer=LAYERS,
        tie_word_embeddings=True,
    )
    with torch.device("meta"):  # none of its own weights is kept
        model: Any = LlavaForConditionalGeneration(config)
    model.model.vision_tower, model.model.language_model = tower, language.model
    model.lm_head = language.lm_head
    model.model.multi_modal_projector = nn.Linear(
        len(LAYERS) * tower.config.hidden_size, language.config.hidden_size
    ).to(language.device, language.dtype)
    model.generation_config = language.generation_config
    return model


def prepared(tower: str, tokenizer: Any) -> LlavaProcessor:
    """What prepares pictures as for the CLIP folder `tower`, and texts as they were taught."""
    folder = weights.locate(tower)
    vision = json.loads((folder / "config.json").read_text(encoding="utf-8"))["vision_config"]
    with loading(tower):
        pictures = CLIPImageProcessor.from_pretrained(folder, local_files_only=True)
    return LlavaProcessor(
        pictures,
        tokenizer,
        patch_size=vision["patch_size"],
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,  # the class token, which is then left out
        image_token=IMAGE,
        chat_template=TEMPLATE,
    )


def is_in_parts(folder: Path) -> bool:
    """Whether a checkpoint folder holds only what was trained between parts."""
    return (folder / PROJECTION).is_file()


def load(checkpoint: str, device: str, dtype: str) -> tuple[Any, LlavaProcessor]:
    """Load a folder in parts, its adapter merged: the network and its processor.

    Raises:
        Unavailable: a part is missing, damaged, or other than the one it was trained with.
    """
    folder = weights.locate(checkpoint)
    where, number = place(device, dtype)
    tower, sha256 = _tower(checkpoint, folder)
    if weights.file_digest(weights.locate(tower) / "model.safetensors") != sha256:
        raise Unavailable(
            f"checkpoint {checkpoint!r} was trained with other eyes than those in {tower!r} now; "
            "train it again: python -m miniature.train.llava"
        )
    language, tokenizer = language_model(checkpoint, number)
    with loading(checkpoint):
        model = taught(folder, language, network(CLIPVisionModel, tower, "cpu", dtype), tokenizer)
    return model.eval().to(where), prepared(tower, tokenizer)


def taught(folder: Path, language: Any, tower: Any, tokenizer: Any) -> Any:
    """An LLaVA of these parts with what a folder holds: its adapter merged, its projection set."""
    if (folder / ADAPTER).is_file():
        language = PeftModel.from_pretrained(language, str(folder)).merge_and_unload()
    model = joined(language, tower, tokenizer)
    model.model.multi_modal_projector.load_state_dict(load_file(folder / PROJECTION))
    return model


def _tower(checkpoint: str, folder: Path) -> tuple[str, str]:
    """The CLIP folder whose image tower was taken, and the SHA-256 of its weights then."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return str(config["vision_tower"]), str(config["vision_tower_sha256"])
    except (OSError, ValueError, LookupError) as error:
        raise Unavailable(
            f"checkpoint {checkpoint!r} does not say whose eyes it has: fetch or train it again"
        ) from error
