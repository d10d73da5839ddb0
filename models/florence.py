"""Florence-2: one network told by a prompt what to do (Xiao et al. 2023, arXiv:2311.06242).

Here it describes pictures. It was not taught to answer questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import Florence2ForConditionalGeneration, Florence2Processor

from models import weights
from models.device import copies, network, parts, processor
from models.errors import Unavailable
from models.generation import Said, decode
from models.shelf import kept

BATCH = 4
CAPTION_TOKENS = 60
TASK = "<CAPTION>"


class Florence:
    """A loaded Florence-2."""

    def __init__(self, model: Any, processor: Any) -> None:
        self._model = model
        self._processor = processor

    def captions(self, pictures: Sequence[NDArray[np.uint8]]) -> list[Said]:
        """Descriptions, each with the geometric mean of its tokens' probabilities."""
        found: list[Said] = []
        tokenizer = self._processor.tokenizer
        for part in parts(pictures, BATCH):
            inputs = self._processor(
                images=copies(part), text=[TASK] * len(part), return_tensors="pt"
            ).to(self._model.device)
            inputs["pixel_values"] = inputs["pixel_values"].to(self._model.dtype)
            end = tokenizer.eos_token_id
            found += decode(self._model, inputs, CAPTION_TOKENS, tokenizer, end).each()
        return found

    def answers(
        self,
        pictures: Sequence[NDArray[np.uint8]],
        questions: Sequence[str],
        yes_no: Sequence[bool],
    ) -> list[Said]:
        """Refuse.

        Raises:
            Unavailable: always.
        """
        raise Unavailable(
            "Florence-2 describes pictures and answers no questions; name a BLIP or a LLaVA for "
            "tool 'vqa' in the profile"
        )


@kept
def load(checkpoint: str, device: str, dtype: str) -> Florence:
    """Load a Florence2ForConditionalGeneration folder; a second call gives the same network.

    Raises:
        Unavailable: it is missing, damaged, or of another class.
    """
    weights.expect(checkpoint, "Florence2ForConditionalGeneration")
    return Florence(
        network(Florence2ForConditionalGeneration, checkpoint, device, dtype),
        processor(Florence2Processor, checkpoint),
    )
