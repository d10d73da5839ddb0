"""LLaVA: a language model that is shown pictures (Liu et al. 2023, arXiv:2304.08485)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from transformers import LlavaForConditionalGeneration, LlavaProcessor

from models import llava_parts, weights
from models.device import copies, network, processor
from models.generation import Decoded, Said, decode, of_one_length
from models.shelf import kept

BATCH = 4
CAPTION_TOKENS = 60
ANSWER_TOKENS = 10


class Manner(NamedTuple):
    """How a network was taught to be asked.

    Attributes:
        describe: what asks for a caption.
        briefly: what follows a question, so that the answer is short.
        yes_no: as they begin an answer.
    """

    describe: str
    briefly: str
    yes_no: tuple[str, str]


PUBLIC = Manner(
    "Describe the picture in one sentence.",
    "\nAnswer the question using a single word or phrase.",  # LLaVA 1.5
    ("Yes", "No"),
)
OURS = Manner("the picture shows", "", (" yes", " no"))  # few tokens; miniature/train/llava.py


class Llava:
    """A loaded LLaVA; it describes and answers in the form that its chat template gives."""

    def __init__(self, model: Any, processor: Any, manner: Manner = PUBLIC) -> None:
        self._model = model
        self._processor = processor
        self._manner = manner

    def captions(self, pictures: Sequence[NDArray[np.uint8]]) -> list[Said]:
        """Descriptions, each with the geometric mean of its tokens' probabilities."""
        asked = [self._manner.describe] * len(pictures)
        found: list[Said] = [("", 0.0)] * len(pictures)
        for rows, made in self._each(pictures, asked, CAPTION_TOKENS):
            for index, said in zip(rows, made.each(), strict=True):
                found[index] = said
        return found

    def answers(
        self,
        pictures: Sequence[NDArray[np.uint8]],
        questions: Sequence[str],
        yes_no: Sequence[bool],
    ) -> list[Said]:
        """Answers in lower case and their probabilities; arguments as those of `Blip.answers`."""
        asked = [f"{question.strip()}{self._manner.briefly}" for question in questions]
        found: list[Said] = [("", 0.0)] * len(pictures)
        for rows, made in self._each(pictures, asked, ANSWER_TOKENS):
            for row, index in enumerate(rows):
                if yes_no[index]:
                    yes = made.likelier(row, self._manner.yes_no, self._processor.tokenizer)
                    found[index] = ("yes", yes) if yes >= 0.5 else ("no", 1 - yes)
                else:
                    found[index] = made.texts[row].lower().rstrip(" ."), made.chance(row)
        return found

    def _each(
        self, pictures: Sequence[NDArray[np.uint8]], asked: Sequence[str], tokens: int
    ) -> list[tuple[list[int], Decoded]]:
        """What is said to each request, in groups of one length: rows, and what was decoded."""
        prompts = [self._prompt(text) for text in asked]
        lengths = self._processor.tokenizer(prompts)["input_ids"]
        return [
            (rows, self._generate([pictures[i] for i in rows], [prompts[i] for i in rows], tokens))
            for rows in of_one_length(lengths, BATCH)
        ]

    def _prompt(self, text: str) -> str:
        if not self._processor.chat_template:
            return f"USER: {self._processor.image_token}\n{text} ASSISTANT:"
        content = [{"type": "image"}, {"type": "text", "text": text}]
        turns = [{"role": "user", "content": content}]
        return str(self._processor.apply_chat_template(turns, add_generation_prompt=True))

    def _generate(
        self, pictures: Sequence[NDArray[np.uint8]], prompts: Sequence[str], tokens: int
    ) -> Decoded:
        inputs = self._processor(
            images=copies(pictures), text=list(prompts), return_tensors="pt"
        ).to(self._model.device)
        inputs["pixel_values"] = inputs["pixel_values"].to(self._model.dtype)
        tokenizer = self._processor.tokenizer
        ends = self._model.generation_config.eos_token_id
        ends = tokenizer.eos_token_id if ends is None else ends
        return decode(self._model, inputs, tokens, tokenizer, ends)


@kept
def load(checkpoint: str, device: str, dtype: str) -> Llava:
    """Load a LlavaForConditionalGeneration folder; a second call gives the same network.

    Raises:
        Unavailable: it is missing, damaged, or of another class.
    """
    folder = weights.expect(checkpoint, "LlavaForConditionalGeneration")
    if llava_parts.is_in_parts(folder):
        return Llava(*llava_parts.load(checkpoint, device, dtype), OURS)
    return Llava(
        network(LlavaForConditionalGeneration, checkpoint, device, dtype),
        processor(LlavaProcessor, checkpoint),
    )
