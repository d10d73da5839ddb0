"""Planner: a LoRA that teaches SmolLM2-135M-Instruct to turn requests into compact plans.

The base model is read from its 4-bit GGUF file and dequantised; low-rank updates
(Hu et al. 2021, arXiv:2106.09685) of the upper layers are trained on the plan's tokens only.
Run it again to go on from the adapter it wrote: `python -m miniature.train.planner --minutes 25`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

from agent.embedded_format import prompt
from miniature.train import planner_gguf
from miniature.train.planner_mix import dataset
from miniature.train.run import arguments, fit, multiplies_bfloat16
from models.smollm import FILE, pull

LAYERS = range(14, 30)  # of 30; the lower ones need no backward pass
RANK, ALPHA = 16, 32
RATE = 8e-4  # half of it to go on from an adapter
BATCH = 8
EXAMPLES = 12_000
MODULES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
HEADS = (9, 3)


class Batches:
    """Endless batches of alike length: token ids, and which of them the loss counts."""

    def __init__(self, encode: Callable[[str], Any], seed: int) -> None:
        self.rng = random.Random(seed)
        self.encode = encode
        self.examples = [
            (prompt(example.text, example.handles, example.last), f"{example.target}<|im_end|>")
            for example in dataset(EXAMPLES, seed)
        ]

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            self.rng.shuffle(self.examples)
            for start in range(0, len(self.examples), BATCH * 40):
                chunk = self.examples[start : start + BATCH * 40]
                chunk.sort(key=lambda example: len(example[0]) + len(example[1]))
                batches = [chunk[i : i + BATCH] for i in range(0, len(chunk), BATCH)]
                self.rng.shuffle(batches)
                yield from map(self._pack, batches)

    def _pack(self, batch: list[tuple[str, str]]) -> tuple[Tensor, Tensor]:
        """Token ids (batch, length), and labels of the same shape, -100 where nothing counts."""
        pairs = [tuple(self.encode(text)["input_ids"] for text in example) for example in batch]
        length = max(len(asked) + len(plan) for asked, plan in pairs)
        ids = torch.full((len(batch), length), 0)
        labels = torch.full((len(batch), length), -100)
        for row, (asked, plan) in enumerate(pairs):
            whole = torch.tensor(asked + plan)
            ids[row, : len(whole)] = whole
            labels[row, len(asked) : len(whole)] = whole[len(asked) :]
        return ids, labels


def main() -> None:
    options = arguments("Train the embedded planner's adapter.", minutes=25)
    folder = options.out / "planner"
    folder.mkdir(parents=True, exist_ok=True)
    source = str(pull().parent)
    tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=FILE)
    base = AutoModelForCausalLM.from_pretrained(
        source,
        gguf_file=FILE,
        dtype=torch.bfloat16 if multiplies_bfloat16(options.device) else torch.float32,
        quantization_config=GgufConfig(dequantize=True),
    ).to(options.device)
    base.config.use_cache = False
    model = get_peft_model(
        base,
        LoraConfig(
            r=RANK, lora_alpha=ALPHA, target_modules=MODULES, layers_to_transform=list(LAYERS)
        ),
    )
    adapter = folder / "adapter.gguf"
    learnt = adapter.is_file()
    if learnt:
        set_peft_model_state_dict(model, planner_gguf.read(adapter, heads=HEADS))
    batches = iter(Batches(tokenizer, options.seed))

    def loss(step: int) -> dict[str, Tensor]:
        ids, labels = (part.to(options.device) for part in next(batches))
        # right padding and causal attention: what counts never sees the padding
        hidden = base.model(input_ids=ids).last_hidden_state[:, :-1]
        counts = labels[:, 1:] != -100
        logits = base.lm_head(hidden[counts]).float()
        return {"loss": cross_entropy(logits, labels[:, 1:][counts])}

    def save() -> None:
        planner_gguf.write(get_peft_model_state_dict(model), adapter, alpha=ALPHA, heads=HEADS)

    fit(
        model.parameters(),
        loss,
        save,
        options=options,
        log=folder / "train.jsonl",
        batch=BATCH,
        rate=RATE / 2 if learnt else RATE,
        decay=0.0,
        warm_up=30,
    )


if __name__ == "__main__":
    main()
