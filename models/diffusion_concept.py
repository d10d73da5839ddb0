"""Concept: a thing learnt from a few pictures; a word of its own and a small change of the U-Net.

Textual inversion (Gal et al. 2022, arXiv:2208.01618) finds the word; LoRA (Hu et al. 2021,
arXiv:2106.09685) changes the U-Net as DreamBooth (Ruiz et al. 2022, arXiv:2208.12242) does. The
change is on only where a prompt holds the word, so all else is drawn as before, byte for byte.
Both files are what diffusers itself reads and writes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file, save_file
from torch import Tensor

WORD_FILE = "learned_embeds.safetensors"
CHANGE_FILE = "pytorch_lora_weights.safetensors"
_ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
_CONVOLUTIONS = ("conv1", "conv2")
_ADAPTER = "learning"
_MARK = "x"  # stands in the templates where the word goes; one token in every CLIP vocabulary
_TEMPLATES = ("{}", "a {}", "a picture of {}", "a picture of a {}", "one {}")

OnLesson = Callable[[int, float], None]
"""Called after each step with its number from 1 and the loss. What it raises ends the learning."""


class Concept(NamedTuple):
    """A learnt thing."""

    name: str
    """The word by which prompts call it."""
    folder: Path
    """Where its two files lie."""
    digest: str
    """Of the files: who learns a name anew does not meet the old one, still in memory."""

    @property
    def token(self) -> str:
        """What the tokenizer knows it by."""
        return f"<{self.name}-{self.digest[:8]}>"


class Lesson(NamedTuple):
    """How to learn."""

    steps: int
    batch: int
    rank: int
    """Of the change of the U-Net; its file grows with it."""
    convolutions: bool
    """Whether they change too, for a small network that has little attention."""
    word_rate: float
    change_rate: float
    seed: int


def worded(prompt: str, concepts: Sequence[Concept]) -> str:
    """The prompt with each concept's name in place of its token."""
    for concept in concepts:
        prompt = re.sub(rf"\b{re.escape(concept.name)}\b", concept.token, prompt, flags=re.I)
    return prompt


def wear(pipeline: Any, concepts: Sequence[Concept]) -> None:
    """Make a pipeline and all that share its networks know these concepts and no others."""
    names = [f"{concept.name}-{concept.digest[:8]}" for concept in concepts]
    held = getattr(pipeline.unet, "peft_config", {})
    for name, concept in zip(names, concepts, strict=True):
        if concept.token not in pipeline.tokenizer.get_vocab():
            word = load_file(concept.folder / WORD_FILE)
            pipeline.load_textual_inversion(word, token=concept.token)
        if name not in held:
            pipeline.load_lora_weights(
                concept.folder, weight_name=CHANGE_FILE, adapter_name=name, local_files_only=True
            )
    if names:
        pipeline.enable_lora()
        pipeline.set_adapters(names)
    elif getattr(pipeline.unet, "peft_config", None):
        pipeline.disable_lora()


def learn(
    pipeline: Any,
    latents: Tensor,
    subject: Tensor,
    folder: Path,
    *,
    kind: str,
    lesson: Lesson,
    on_lesson: OnLesson,
) -> None:
    """Learn a thing and write its files.

    Args:
        pipeline: of 4 or 9 channels; as before when this ends.
        latents: scaled, (pictures, 4, h, w).
        subject: (pictures, 1, h, w), 1 where the thing is, 0 where its ground is: what is said of
            it shall not hold for the ground.
        folder: where to write; must exist.
        kind: what the thing is, such as "dog", where the word begins; "" begins amid all words.
        lesson: how.
        on_lesson: see OnLesson.
    """
    from diffusers.training_utils import cast_training_params
    from peft import LoraConfig  # late: it takes seconds, and only learning needs it
    from peft.utils import get_peft_model_state_dict

    layers = [*_ATTENTION, *(_CONVOLUTIONS if lesson.convolutions else ())]
    wear(pipeline, ())
    unet = pipeline.unet
    table = pipeline.text_encoder.get_input_embeddings().weight
    for part in (unet, pipeline.text_encoder):
        part.requires_grad_(False)
    with torch.random.fork_rng(), torch.enable_grad():
        torch.manual_seed(lesson.seed)
        word = _beginning(pipeline.tokenizer, table, kind).float().requires_grad_()
        unet.add_adapter(LoraConfig(r=lesson.rank, target_modules=layers), _ADAPTER)
        cast_training_params(unet)  # to float32: smaller numbers lose the steps
        try:
            _train(pipeline, word, latents, subject, lesson, on_lesson)
            change = get_peft_model_state_dict(unet, adapter_name=_ADAPTER)
        finally:
            unet.delete_adapters(_ADAPTER)
    save_file({"word": word.detach().half().cpu()}, folder / WORD_FILE)
    halves = {name: value.half() for name, value in change.items()}
    StableDiffusionPipeline.save_lora_weights(folder, unet_lora_layers=halves)


def _beginning(tokenizer: Any, table: Tensor, kind: str) -> Tensor:
    """Where the word begins: the mean of the words of its kind, or of all there are: (width,)."""
    if not kind:
        return table.mean(0)
    ids = tokenizer(kind, add_special_tokens=False).input_ids
    return table[torch.tensor(ids, device=table.device)].mean(0)


def _train(
    pipeline: Any,
    word: Tensor,
    latents: Tensor,
    subject: Tensor,
    lesson: Lesson,
    on_lesson: OnLesson,
) -> None:
    """Let the word and the layers added last fit the pictures."""
    unet, tokenizer, tower = pipeline.unet, pipeline.tokenizer, pipeline.text_encoder
    where = latents.device
    (mark,) = tokenizer(_MARK, add_special_tokens=False).input_ids
    lines = [line.format(_MARK) for line in _TEMPLATES]
    read = tokenizer(lines, padding="max_length", truncation=True, return_tensors="pt")
    ids = read.input_ids.to(where)
    change = [value for value in unet.parameters() if value.requires_grad]
    optimiser = torch.optim.AdamW(
        [
            {"params": [word], "lr": lesson.word_rate, "weight_decay": 0.0},
            {"params": change, "lr": lesson.change_rate},
        ]
    )
    slow = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, lesson.steps)
    hook = tower.get_input_embeddings().register_forward_hook(
        lambda _, given, found: torch.where(
            (given[0] == mark)[..., None], word.to(found.device, found.dtype), found
        )
    )
    try:
        for step in range(1, lesson.steps + 1):
            rows = torch.randint(len(latents), (lesson.batch,), device=where)
            said = torch.randint(len(lines), (lesson.batch,), device=where)
            with torch.autocast(where.type, torch.bfloat16, enabled=where.type == "cuda"):
                told = tower(ids[said]).last_hidden_state
                loss = _loss(pipeline, latents[rows].float(), subject[rows], told)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_([word, *change], 1.0)
            optimiser.step()
            slow.step()
            on_lesson(step, float(loss.detach()))
    finally:
        hook.remove()


def _loss(pipeline: Any, x: Tensor, subject: Tensor, told: Tensor) -> Tensor:
    """Mean square error of what the U-Net predicts where the subject is."""
    signal = pipeline.scheduler.alphas_cumprod.to(x.device)
    # mostly noisy: what is drawn is decided there
    t = (len(signal) * torch.rand(len(x), device=x.device).pow(0.6)).long()
    a, b = (part.sqrt()[t][:, None, None, None] for part in (signal, 1 - signal))
    noise = torch.randn_like(x)
    given = a * x + b * noise
    if pipeline.unet.config.in_channels == 9:  # all masked, nothing shown
        given = torch.cat([given, torch.ones_like(x[:, :1]), torch.zeros_like(x)], 1)
    said = pipeline.unet(given.to(pipeline.unet.dtype), t, encoder_hidden_states=told).sample
    velocity = pipeline.scheduler.config.prediction_type == "v_prediction"
    wanted = a * noise - b * x if velocity else noise
    wrong = F.mse_loss(said.float(), wanted, reduction="none").mean(1, keepdim=True)
    return (wrong * subject).sum() / subject.sum()
