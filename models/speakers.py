"""Speakers: networks that say what they see; which one is told by the checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models import blip, florence, llava, weights
from models.generation import Said


class Speaker(Protocol):
    """A loaded network that describes pictures and answers questions about them."""

    def captions(self, pictures: Sequence[NDArray[np.uint8]]) -> list[Said]:
        """As `Blip.captions`."""
        ...

    def answers(
        self,
        pictures: Sequence[NDArray[np.uint8]],
        questions: Sequence[str],
        yes_no: Sequence[bool],
    ) -> list[Said]:
        """As `Blip.answers`."""
        ...


KINDS: dict[str, Callable[[str, str, str], Speaker]] = {
    "BlipForConditionalGeneration": blip.load,
    "BlipForQuestionAnswering": blip.load,
    "LlavaForConditionalGeneration": llava.load,
    "Florence2ForConditionalGeneration": florence.load,
}


def load(checkpoint: str, device: str, dtype: str) -> Speaker:
    """Load a network of any kind that is known; a second call gives the same network.

    Raises:
        Unavailable: it is missing, damaged, or of another class.
    """
    folder = weights.expect(checkpoint, *KINDS)
    return KINDS[weights.architecture(folder)](checkpoint, device, dtype)
