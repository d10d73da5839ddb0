"""Reward: how well a picture answers a request, learnt from preferences between pictures.

ImageReward (Xu et al. 2023, arXiv:2304.05977): BLIP's text encoder reads the request while it
looks at the picture, and a few linear layers make one number of its first token. A folder of
`BlipForImageTextRetrieval`, whose own heads are not used, with the layers in a file beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import BlipForImageTextRetrieval, BlipProcessor

from models import weights
from models.device import copies, loading, network, parts, processor
from models.errors import Unavailable
from models.shelf import kept

HEAD_FILE = "reward.safetensors"
BATCH = 16
LENGTH = 35  # tokens of a request that are read, as published


class Head(nn.Module):
    """From the first token's state to the reward.

    Attributes:
        mean, std: of the rewards that the layers give; what comes out is standardised by them.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Linear(width, 1024), nn.Dropout(0.2)),
            *(nn.Linear(1024, 128), nn.Dropout(0.2)),
            *(nn.Linear(128, 64), nn.Dropout(0.1)),
            *(nn.Linear(64, 16), nn.Linear(16, 1)),  # none bends between: as published
        )
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(0.0))
        self.register_buffer("std", torch.tensor(1.0))

    def forward(self, states: Tensor) -> Tensor:
        """(B, width) to (B,)."""
        rewards: Tensor = (self.layers(states)[:, 0] - self.mean) / self.std
        return rewards


class ImageReward(nn.Module):
    """The network, of a `BlipForImageTextRetrieval` and the head."""

    def __init__(self, blip: Any, head: Head) -> None:
        super().__init__()
        self.blip = blip
        self.head = head

    def forward(self, pixels: Tensor, words: Any) -> Tensor:
        """Rewards: float32, (B,), about -2..2, differentiable in the pixels.

        Args:
            pixels: (B, 3, H, W), as the processor scales them.
            words: the tokenizer's input_ids and attention_mask, each int64, (B, T).
        """
        return self.rate(self.see(pixels), words)

    def see(self, pixels: Tensor) -> Tensor:
        """What is seen on pictures: (B, patches + 1, width)."""
        seen: Tensor = self.blip.vision_model(pixels).last_hidden_state
        return seen

    def rate(self, seen: Tensor, words: Any) -> Tensor:
        """Rewards of what was seen; see `forward`."""
        read = self.blip.text_encoder(
            input_ids=words["input_ids"],
            attention_mask=words["attention_mask"],
            encoder_hidden_states=seen,
        ).last_hidden_state
        rewards: Tensor = self.head(read[:, 0].float())
        return rewards

    def save(self, folder: Path) -> None:
        """Write the weights as safetensors; the processor is for the caller to save."""
        self.blip.save_pretrained(folder)
        save_file(self.head.state_dict(), folder / HEAD_FILE)


class Reward:
    """A loaded ImageReward."""

    def __init__(self, model: ImageReward, processor: Any) -> None:
        self.network = model
        """To be learnt from: it is differentiable."""
        self._processor = processor

    def read(self, texts: Sequence[str]) -> Any:
        """Requests as the network takes them, cut at its length."""
        config = self.network.blip.config.text_config
        return self._processor.tokenizer(
            list(texts),
            padding=True,
            truncation=True,
            max_length=min(LENGTH, config.max_position_embeddings),
            return_tensors="pt",
        ).to(self.network.blip.device)

    @torch.inference_mode()
    def similarity(
        self, pictures: Sequence[NDArray[np.uint8]], texts: Sequence[str]
    ) -> NDArray[np.float32]:
        """Reward of each picture for its own text: float32, (N,), about -2..2.

        Args:
            pictures: each RGB, uint8, (H, W, 3).
            texts: one for each picture.
        """
        blip, found = self.network.blip, []
        for rows in parts(range(len(pictures)), BATCH):
            given = self._processor.image_processor(
                copies([pictures[i] for i in rows]), return_tensors="pt"
            )["pixel_values"].to(blip.device, blip.dtype)
            found.append(self.network(given, self.read([texts[i] for i in rows])))
        return np.asarray(torch.cat(found).cpu().numpy(), dtype=np.float32)


@kept
def load(checkpoint: str, device: str, dtype: str) -> Reward:
    """Load an ImageReward folder; a second call gives the same network.

    Raises:
        Unavailable: it is missing, damaged, of another class, or a BLIP without the reward.
    """
    folder = weights.expect(checkpoint, "BlipForImageTextRetrieval")
    if not (folder / HEAD_FILE).is_file():
        raise Unavailable(
            f"checkpoint {checkpoint!r} matches pictures with texts but has no {HEAD_FILE}, which "
            "makes a reward of it: name an ImageReward or a CLIPModel in the profile"
        )
    blip = network(BlipForImageTextRetrieval, checkpoint, device, dtype)
    head = Head(blip.config.text_config.hidden_size)
    with loading(checkpoint):
        head.load_state_dict(load_file(folder / HEAD_FILE))
    model = ImageReward(blip, head.to(blip.device)).eval()
    return Reward(model, processor(BlipProcessor, checkpoint))
