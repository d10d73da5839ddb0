"""Words: what is to be drawn, as a pipeline's text encoder reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from models.diffusion_concept import Concept, worded

_KNOWN = 256  # texts whose states are kept


class Order(NamedTuple):
    """One picture to draw."""

    prompt: str
    negative: str
    seed: int
    concepts: tuple[Concept, ...] = ()
    """Those that the prompt names; the same for all orders of a batch."""


class Words:
    """The text encoder of a pipeline; it reads a text once, for texts come again."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline
        # two encoders pool their words beside; InstructPix2Pix has no way to read words alone
        self._readable = hasattr(pipeline, "encode_prompt") and not hasattr(
            pipeline, "text_encoder_2"
        )
        self._known: dict[str, Tensor] = {}

    def told(self, orders: Sequence[Order]) -> dict[str, Any]:
        """What orders say, as arguments of any pipeline on the same networks."""
        said = [worded(order.prompt, order.concepts) for order in orders]
        unsaid = [order.negative for order in orders]
        if not self._readable:
            # nothing unsaid at all is what some checkpoints have a state of their own for
            return {"prompt": said, "negative_prompt": unsaid if any(unsaid) else None}
        return {
            "prompt_embeds": torch.cat([self._read(text) for text in said]),
            "negative_prompt_embeds": torch.cat([self._read(text) for text in unsaid]),
        }

    @torch.inference_mode()
    def _read(self, text: str) -> Tensor:
        """The states of a text, (1, tokens, width)."""
        if text not in self._known:
            if len(self._known) == _KNOWN:
                del self._known[next(iter(self._known))]
            device = self._pipeline._execution_device
            self._known[text] = self._pipeline.encode_prompt(text, device, 1, False)[0]
        return self._known[text]
