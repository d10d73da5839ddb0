"""Data: batches of StickerWorld for the recipes, drawn on the fly, and the tokenizers."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch import Tensor
from transformers import BertTokenizer, CLIPTokenizer

from miniature.world.language import corpus
from miniature.world.scene import Scene, draw, sample

CORPUS = 4000  # scenes whose sentences the tokenizers are trained on
TEXT_LENGTH = 32  # tokens, of every text tower
MEAN_STD = [0.5, 0.5, 0.5]  # pixel normalisation of every eye: [0, 1] to [-1, 1]


def scenes(first: int, count: int, *, composed: bool = False) -> list[Scene]:
    """Scenes of consecutive seeds."""
    return [sample(first + i, composed=composed) for i in range(count)]


def pixels(batch: Sequence[Scene]) -> Tensor:
    """Pictures of the scenes: (B, 3, 128, 128) float32 in [-1, 1]."""
    return scaled(np.stack([draw(scene) for scene in batch]))


def scaled(pictures: NDArray[np.uint8]) -> Tensor:
    """RGB, uint8, (B, H, W, 3) as float32, (B, 3, H, W), in [-1, 1]."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div(127.5).sub(1)


def softened(x: Tensor, rng: np.random.Generator) -> Tensor:
    """The pictures as a diffusion model may draw them: some a little soft, noisy or faded.

    Args:
        x: (B, 3, H, W) in [-1, 1]; not changed.
        rng: decides for the half of the batch that is touched.
    """
    x = x.clone()
    chosen = torch.from_numpy(rng.random(len(x)) < 0.5)
    part = x[chosen]
    if len(part) == 0:
        return x
    height, width = part.shape[-2:]
    small = F.interpolate(part, scale_factor=float(rng.uniform(0.4, 0.9)), mode="area")
    soft = F.interpolate(small, (height, width), mode="bilinear", align_corners=False)
    mix = torch.from_numpy(rng.uniform(0, 1, (len(part), 1, 1, 1)).astype(np.float32))
    part = mix * soft + (1 - mix) * part
    noise = torch.from_numpy(rng.uniform(0, 0.12, (len(part), 1, 1, 1)).astype(np.float32))
    part = part + noise * torch.randn_like(part)
    contrast = torch.from_numpy(rng.uniform(0.85, 1.1, (len(part), 1, 1, 1)).astype(np.float32))
    x[chosen] = (part * contrast).clamp(-1, 1)
    return x


def turned(x: Tensor, rng: np.random.Generator) -> Tensor:
    """The pictures with all their colours turned to others; greys, and so outlines, stay.

    A shape must be known in colours that training may not name.

    Args:
        x: (B, 3, H, W) in [-1, 1]; not changed.
        rng: draws one angle about the grey axis and one saturation for each picture.
    """
    angle = torch.from_numpy(rng.uniform(0, 2 * np.pi, len(x)).astype(np.float32))
    strength = torch.from_numpy(rng.uniform(0.2, 1.2, len(x)).astype(np.float32))
    grey = torch.full((3, 3), 1 / 3)
    cross = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / 3**0.5
    across = torch.eye(3) - grey
    turn = grey + strength[:, None, None] * (
        angle.cos()[:, None, None] * across + angle.sin()[:, None, None] * cross
    )
    return torch.einsum("bij,bjhw->bihw", turn, x).clamp(-1, 1)


def clip_tokenizer() -> CLIPTokenizer:
    """Byte-pair tokenizer in CLIP's own format; end of text is the largest id, as OpenAI's."""
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe = Tokenizer(models.BPE(end_of_word_suffix="</w>", fuse_unk=False))
    bpe.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    words = Regex(
        r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
    )
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(words, "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=1200,
        special_tokens=[],
        end_of_word_suffix="</w>",
        show_progress=False,
        initial_alphabet=alphabet,
    )
    bpe.train_from_iterator(corpus(CORPUS, 0), trainer)
    model = json.loads(bpe.to_str())["model"]
    vocabulary = dict(model["vocab"])
    for letter in alphabet:  # every byte also at the end of a word: nothing is ever unknown
        vocabulary.setdefault(letter + "</w>", len(vocabulary))
    vocabulary["<|startoftext|>"] = len(vocabulary)
    vocabulary["<|endoftext|>"] = len(vocabulary)
    merges = [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in model["merges"]]
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=TEXT_LENGTH)


def bert_tokenizer() -> BertTokenizer:
    """WordPiece tokenizer in BERT's format, for BLIP."""
    piece = Tokenizer(models.WordPiece(unk_token="[UNK]"))  # noqa: S106
    piece.normalizer = normalizers.BertNormalizer(lowercase=True)
    piece.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=800,
        special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
        show_progress=False,
    )
    lines = [*corpus(CORPUS, 0), *"abcdefghijklmnopqrstuvwxyz0123456789,.?:"]
    lines += ["question: where answer: top middle bottom"] * CORPUS  # whole words, not letters
    piece.train_from_iterator(lines, trainer)
    return BertTokenizer(vocab=piece.get_vocab())
