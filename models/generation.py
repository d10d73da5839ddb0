"""Generation: what a network wrote, token by token, and how sure it was of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from models.device import parts

Said = tuple[str, float]  # text, its probability 0..1


class Decoded(NamedTuple):
    """What was written, without the prompts.

    Attributes:
        texts: one for each prompt.
        logs: log probability of each text, with the token that ends it.
        lengths: tokens of each text, with that one.
        first: float32, (B, V), logits of the first tokens.
    """

    texts: list[str]
    logs: list[float]
    lengths: list[int]
    first: torch.Tensor

    def each(self) -> list[Said]:
        """Texts with the geometric mean of their tokens' probabilities."""
        means = [
            float(np.exp(log / length)) for log, length in zip(self.logs, self.lengths, strict=True)
        ]
        return list(zip(self.texts, means, strict=True))

    def chance(self, row: int) -> float:
        """Probability of a whole text."""
        return float(np.exp(self.logs[row]))

    def likelier(self, row: int, words: tuple[str, str], tokenizer: Any) -> float:
        """Probability that a text begins with the first of two words rather than the second."""
        ids = [tokenizer(word, add_special_tokens=False)["input_ids"][0] for word in words]
        return float(self.first[row][ids].softmax(-1)[0])


@torch.inference_mode()
def decode(
    model: Any,
    inputs: Mapping[str, Any],
    tokens: int,
    tokenizer: Any,
    ends: int | Collection[int],
) -> Decoded:
    """Write greedily.

    Args:
        model: a transformers network that generates.
        inputs: its own, on its device.
        tokens: of a text, at most.
        tokenizer: the network's.
        ends: the tokens that end a text.
    """
    output = model.generate(
        **inputs,
        max_new_tokens=tokens,
        do_sample=False,
        num_beams=1,
        return_dict_in_generate=True,
        output_logits=True,
    )
    logits = torch.stack(output.logits, 1).float()  # (B, T, V)
    made = output.sequences[:, -logits.shape[1] :]  # (B, T)
    logs = logits.log_softmax(-1).gather(-1, made[..., None])[..., 0]
    known = torch.tensor([ends] if isinstance(ends, int) else list(ends), device=made.device)
    end = torch.isin(made, known)
    after_end = (end.cumsum(1) - end.long()) > 0
    texts = tokenizer.batch_decode(
        made.masked_fill(after_end, int(known[0])), skip_special_tokens=True
    )
    return Decoded(
        [str(text).strip() for text in texts],
        [float(log) for log in logs.masked_fill(after_end, 0).sum(1)],
        [int(length) for length in (~after_end).sum(1)],
        logits[:, 0],
    )


def of_one_length(prompts: Sequence[Sequence[int]], most: int) -> Iterator[list[int]]:
    """Rows, at most so many, whose prompts are equally long: padding would sway the answers."""
    groups: dict[int, list[int]] = defaultdict(list)
    for index, prompt in enumerate(prompts):
        groups[len(prompt)].append(index)
    for rows in groups.values():
        for part in parts(rows, most):
            yield list(part)
