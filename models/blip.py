"""BLIP: a picture in words, and answers about it (Li et al. 2022, arXiv:2201.12086)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import BlipForConditionalGeneration, BlipForQuestionAnswering, BlipProcessor

from models import calibration, weights
from models.calibration import AS_IT_IS, Curve
from models.device import copies, network, parts, processor
from models.errors import Unavailable
from models.generation import Decoded, Said, decode, of_one_length
from models.shelf import kept

BATCH = 16
CAPTION_TOKENS = 40
ANSWER_TOKENS = 10

_SIDE = re.compile(r"\b(left|right|above|below|under|over)\b", re.IGNORECASE)


class Blip:
    """A loaded BLIP.

    BlipForQuestionAnswering reads the question in a text encoder of its own. The miniature answers
    with the captioner: the question is the beginning of the caption, "question: ... answer:".
    """

    def __init__(
        self, model: Any, processor: Any, curves: Mapping[str, Curve] | None = None
    ) -> None:
        self._model = model
        self._processor = processor
        self._curves = curves or {}
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
            found += self._generate(part, None, CAPTION_TOKENS).each()
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
            The answer and its probability: of the whole sequence, or against the other word;
            calibrated by the kind of question where the checkpoint is.
        """
        prompts = [self._prompt(question) for question in questions]
        found: list[Said] = [("", 0.0)] * len(prompts)
        for rows in of_one_length(prompts, BATCH):
            made = self._generate(
                [pictures[i] for i in rows], [prompts[i] for i in rows], ANSWER_TOKENS
            )
            for place_in, index in enumerate(rows):
                curve = self._curves.get(kind(questions[index], yes_no[index]), AS_IT_IS)
                if yes_no[index]:
                    yes = made.likelier(place_in, ("yes", "no"), self._processor.tokenizer)
                    found[index] = _decided(float(curve(yes)))
                else:
                    found[index] = made.texts[place_in], float(curve(made.chance(place_in)))
        return found

    def _prompt(self, question: str) -> list[int]:
        text = question.strip().lower()
        if not self._answers_only:
            text = f"question: {text} answer:"
        room = self._model.config.text_config.max_position_embeddings - ANSWER_TOKENS
        ids = self._processor.tokenizer(text, truncation=True, max_length=room)["input_ids"]
        return [int(token) for token in ids]

    def _generate(
        self,
        pictures: Sequence[NDArray[np.uint8]],
        prompts: Sequence[list[int]] | None,
        tokens: int,
    ) -> Decoded:
        """Decode greedily."""
        inputs = self._processor.image_processor(copies(pictures), return_tensors="pt")
        seen = inputs["pixel_values"].to(self._model.device, self._model.dtype)
        given: dict[str, torch.Tensor] = {"pixel_values": seen}
        if prompts is not None:
            ids = torch.tensor(prompts, device=self._model.device)
            given |= {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        end = self._model.config.text_config.sep_token_id
        return decode(self._model, given, tokens, self._processor.tokenizer, end)


def kind(question: str, yes_no: bool) -> str:
    """What a question is about, as far as its confidence goes; each kind has a curve of its own.

    Of "yes or no" and "side" the curve is that of the belief in a yes, of "number" and "word"
    that of the belief in the answer.
    """
    if yes_no:
        return "side" if _SIDE.search(question) else "yes or no"
    return "number" if question.strip().lower().startswith("how many") else "word"


def _decided(yes: float) -> Said:
    """The likelier of yes and no."""
    return ("yes", yes) if yes >= 0.5 else ("no", 1 - yes)


@kept
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
    model = network(classes[weights.architecture(folder)], checkpoint, device, dtype)
    return Blip(model, processor(BlipProcessor, checkpoint), calibration.read(folder))
