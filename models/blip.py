"""BLIP: a picture in words, and answers about it (Li et al. 2022, arXiv:2201.12086)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import BlipForConditionalGeneration, BlipForQuestionAnswering, BlipProcessor

from models import weights
from models.device import copies, network, parts, processor
from models.errors import Unavailable

BATCH = 16
CAPTION_TOKENS = 40
ANSWER_TOKENS = 10

Said = tuple[str, float]  # text, its probability 0..1


class Blip:
    """A loaded BLIP.

    BlipForQuestionAnswering reads the question in a text encoder of its own. The miniature answers
    with the captioner: the question is the beginning of the caption, "question: ... answer:".
    """

    def __init__(self, model: Any, processor: Any) -> None:
        self._model = model
        self._processor = processor
        self._answers_only = isinstance(model, BlipForQuestionAnswering)

    def captions(self, pictures: Sequence[NDArray[np.uint8]]) -> list[Said]:
        """Describe pictures.

        Args:
            pictures: each RGB, uint8, (H, W, 3).

        Returns:
            Text, and the geometric mean of its tokens' probabilities.

        Raises:
            Unavailable: this checkpoint only answers questions.
        """
        if self._answers_only:
            raise Unavailable(
                "this BLIP checkpoint answers questions and writes no captions; "
                "name a BlipForConditionalGeneration for tool 'caption' in the profile"
            )
        found: list[Said] = []
        for part in parts(pictures, BATCH):
            texts, logs, lengths, _ = self._generate(part, None, CAPTION_TOKENS)
            means = [float(np.exp(log / length)) for log, length in zip(logs, lengths, strict=True)]
            found.extend(zip(texts, means, strict=True))
        return found

    def answers(
        self,
        pictures: Sequence[NDArray[np.uint8]],
        questions: Sequence[str],
        yes_no: Sequence[bool],
    ) -> list[Said]:
        """Answer one question about each picture.

        Args:
            pictures: each RGB, uint8, (H, W, 3).
            questions: one for each picture.
            yes_no: whether only "yes" and "no" are answers to it; they are then weighed
                against each other alone.

        Returns:
            The answer and its probability: of the whole sequence, or against the other word.
        """
        prompts = [self._prompt(question) for question in questions]
        found: list[Said] = [("", 0.0)] * len(prompts)
        for rows in _of_one_length(prompts):
            texts, logs, _, first = self._generate(
                [pictures[i] for i in rows], [prompts[i] for i in rows], ANSWER_TOKENS
            )
            for place_in, index in enumerate(rows):
                if yes_no[index]:
                    found[index] = self._weigh(first[place_in])
                else:
                    found[index] = texts[place_in], float(np.exp(logs[place_in]))
        return found

    def _prompt(self, question: str) -> list[int]:
        text = question.strip().lower()
        if not self._answers_only:
            text = f"question: {text} answer:"
        room = self._model.config.text_config.max_position_embeddings - ANSWER_TOKENS
        ids = self._processor.tokenizer(text, truncation=True, max_length=room)["input_ids"]
        return [int(token) for token in ids]

    def _weigh(self, logits: torch.Tensor) -> Said:
        ids = [
            self._processor.tokenizer(word, add_special_tokens=False)["input_ids"][0]
            for word in ("yes", "no")
        ]
        yes = float(logits[ids].float().softmax(-1)[0])
        return ("yes", yes) if yes >= 0.5 else ("no", 1 - yes)

    @torch.inference_mode()
    def _generate(
        self,
        pictures: Sequence[NDArray[np.uint8]],
        prompts: Sequence[list[int]] | None,
        tokens: int,
    ) -> tuple[list[str], list[float], list[int], torch.Tensor]:
        """Decode greedily.

        Returns:
            Texts without the prompt, their log probabilities with the end token, their lengths in
            tokens, and the logits of their first tokens, (B, V).
        """
        inputs = self._processor.image_processor(copies(pictures), return_tensors="pt")
        words: dict[str, torch.Tensor] = {}
        if prompts is not None:
            ids = torch.tensor(prompts, device=self._model.device)
            words = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        output = self._model.generate(
            pixel_values=inputs["pixel_values"].to(self._model.device, self._model.dtype),
            **words,
            max_new_tokens=tokens,
            do_sample=False,
            num_beams=1,
            return_dict_in_generate=True,
            output_logits=True,
        )
        logits = torch.stack(output.logits, 1).float()  # (B, T, V)
        made = output.sequences[:, -logits.shape[1] :]  # (B, T)
        logs = logits.log_softmax(-1).gather(-1, made[..., None])[..., 0]
        end = self._model.config.text_config.sep_token_id
        after_end = ((made == end).cumsum(1) - (made == end).long()) > 0
        lengths = (~after_end).sum(1)
        texts = self._processor.tokenizer.batch_decode(made, skip_special_tokens=True)
        return (
            [str(text).strip() for text in texts],
            [float(log) for log in logs.masked_fill(after_end, 0).sum(1)],
            [int(length) for length in lengths],
            logits[:, 0],
        )


def _of_one_length(prompts: Sequence[list[int]]) -> Iterator[list[int]]:
    """Rows whose prompts have the same number of tokens: padding would stand inside the text."""
    groups: dict[int, list[int]] = defaultdict(list)
    for index, prompt in enumerate(prompts):
        groups[len(prompt)].append(index)
    for rows in groups.values():
        for part in parts(rows, BATCH):
            yield list(part)


@cache
def load(checkpoint: str, device: str, dtype: str) -> Blip:
    """Load a BLIP folder of either class; a second call gives the same network.

    Raises:
        Unavailable: it is missing, damaged, or of another class.
    """
    classes = {
        "BlipForConditionalGeneration": BlipForConditionalGeneration,
        "BlipForQuestionAnswering": BlipForQuestionAnswering,
    }
    folder = weights.expect(checkpoint, *classes)
    kind = classes[weights.architecture(folder)]
    return Blip(network(kind, checkpoint, device, dtype), processor(BlipProcessor, checkpoint))
