"""Encoders: each public file format, saved small by its library, gives that library's vectors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import transformers
from PIL import Image as PIL
from safetensors.torch import save_file

from models import encoders
from models.errors import InvalidInput, Unavailable

LIBRARY: Any = transformers  # untyped
SIDE = 32
SMALL = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "image_size": SIDE,
    "patch_size": 8,
}
RNG = np.random.default_rng(3)
PICTURES = [RNG.integers(0, 255, shape, dtype=np.uint8) for shape in ((40, 40, 3), (24, 70, 3))]
Reference = Callable[[], torch.Tensor]


def unit(vectors: torch.Tensor) -> torch.Tensor:
    return F.normalize(vectors.float(), dim=-1)


def vision(folder: Path, kind: str, config: str, images: str, **more: Any) -> Reference:
    """Save a network of transformers; its own vectors, through the whole saved class."""
    model = getattr(LIBRARY, kind)(getattr(LIBRARY, config)(**SMALL, **more)).eval()
    model.save_pretrained(folder)
    square = {"height": SIDE, "width": SIDE}
    prepare = getattr(LIBRARY, images)(size=square, crop_size=square)
    prepare.save_pretrained(folder)

    def reference() -> torch.Tensor:
        values = prepare([one.copy() for one in PICTURES], return_tensors="pt")["pixel_values"]
        tower = getattr(model, model.base_model_prefix, model)
        tokens = tower(values).last_hidden_state
        first = kind in ("ViTModel", "ViTForImageClassification", "Dinov2Model")
        return unit(tokens[:, 0] if first else tokens[:, 1:].mean(1))

    return reference


def save_vit(folder: Path) -> Reference:
    return vision(folder, "ViTForImageClassification", "ViTConfig", "ViTImageProcessor")


def save_dino(folder: Path) -> Reference:
    return vision(folder, "ViTModel", "ViTConfig", "ViTImageProcessor")


def save_dinov2(folder: Path) -> Reference:
    return vision(folder, "Dinov2Model", "Dinov2Config", "BitImageProcessor")


def save_beit(folder: Path) -> Reference:
    return vision(
        folder,
        "BeitForMaskedImageModeling",
        "BeitConfig",
        "BeitImageProcessor",
        vocab_size=16,
        use_mask_token=True,
        use_relative_position_bias=True,
    )


def timm_saver(architecture: str) -> Callable[[Path], Reference]:
    def save(folder: Path) -> Reference:
        import timm

        library: Any = timm
        small = {"embed_dim": 48, "depth": 2, "num_heads": 2, "img_size": SIDE, "patch_size": 8}
        model = library.create_model(architecture, num_classes=7, **small).eval()
        torch.nn.init.normal_(model.head.weight)  # must play no part
        model.pretrained_cfg = {**model.pretrained_cfg, "input_size": (3, SIDE, SIDE)}
        library.models.save_for_hf(model, folder, model_args=small, safe_serialization=True)

        def reference() -> torch.Tensor:
            facts = library.data.resolve_model_data_config(model)
            prepare = library.data.create_transform(**facts, is_training=False)
            values = torch.stack([prepare(PIL.fromarray(one)) for one in PICTURES])
            return unit(model.forward_head(model.forward_features(values), pre_logits=True))

        return reference

    return save


def save_coca(folder: Path) -> Reference:
    import open_clip
    from open_clip.coca_model import CoCa

    shape = {"width": 32, "heads": 2, "layers": 2, "context_length": 24, "vocab_size": 49408}
    settings: dict[str, Any] = {
        "embed_dim": 32,
        "vision_cfg": {
            "image_size": SIDE, "patch_size": 8, "width": 32, "layers": 2, "head_width": 16,
            "attentional_pool": True, "attn_pooler_heads": 2, "output_tokens": True,
        },
        "text_cfg": {**shape, "embed_cls": True, "output_tokens": True},
        "multimodal_cfg": {**shape, "attn_pooler_heads": 2},
    }  # fmt: skip
    model = CoCa(**settings).eval()
    folder.mkdir()
    facts = {"mean": [0.5] * 3, "std": [0.5] * 3}
    content = {"model_cfg": settings | {"custom_text": True}, "preprocess_cfg": facts}
    (folder / "open_clip_config.json").write_text(json.dumps(content))
    save_file(
        {name: value.contiguous() for name, value in model.state_dict().items()},
        folder / "open_clip_model.safetensors",
    )
    library: Any = open_clip

    def reference() -> torch.Tensor:
        prepare = library.image_transform(SIDE, is_train=False, **facts)
        values = torch.stack([prepare(PIL.fromarray(one)) for one in PICTURES])
        return unit(model.encode_image(values))

    return reference


def save_align(folder: Path) -> Reference:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "dog", "cat", "red"]
    tokenizer = LIBRARY.BertTokenizer(vocab={word: i for i, word in enumerate(words)})
    text = {**SMALL, "vocab_size": len(words), "max_position_embeddings": 24}
    for key in ("image_size", "patch_size"):
        text.pop(key)
    sight = {
        "image_size": SIDE, "hidden_dim": 32, "in_channels": [32, 16], "out_channels": [16, 32],
        "kernel_sizes": [3, 3], "strides": [1, 2], "num_block_repeats": [1, 1],
        "expand_ratios": [1, 2], "depthwise_padding": [], "width_coefficient": 1.0,
        "depth_coefficient": 1.0,
    }  # fmt: skip
    config = LIBRARY.AlignConfig(text_config=text, vision_config=sight, projection_dim=32)
    model = LIBRARY.AlignModel(config).eval()
    model.save_pretrained(folder)
    square = {"height": SIDE, "width": SIDE}
    images = LIBRARY.EfficientNetImageProcessor(size=square, crop_size=square)
    both = LIBRARY.AlignProcessor(images, tokenizer)
    both.save_pretrained(folder)

    def reference() -> torch.Tensor:
        values = images([one.copy() for one in PICTURES], return_tensors="pt")["pixel_values"]
        return unit(model.get_image_features(pixel_values=values).pooler_output)

    return reference


FORMATS: dict[str, Callable[[Path], Reference]] = {
    "label-supervised ViT": save_vit,
    "DINO": save_dino,
    "DINOv2": save_dinov2,
    "BEiT": save_beit,
    "BEiT v2, timm": timm_saver("beitv2_base_patch16_224"),
    "EVA, timm": timm_saver("eva02_tiny_patch14_224"),
    "DINO, timm": timm_saver("vit_small_patch16_224"),
    "CoCa, open_clip": save_coca,
    "ALIGN": save_align,
}
SPEAK = ("CoCa, open_clip", "ALIGN")


@pytest.mark.parametrize("name", FORMATS)
def test_a_public_format_gives_its_librarys_own_vectors(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    folder = tmp_path / "saved"
    with torch.inference_mode():
        expected = FORMATS[name](folder)()
    encoder = encoders.load(str(folder), "cpu", "auto")
    found = encoder.pictures(PICTURES)
    assert found.shape == expected.shape
    assert torch.allclose(found, expected, atol=1e-5)
    assert not torch.allclose(found[0], found[1], atol=1e-4), "two pictures are told apart"
    alone = torch.cat([encoder.pictures([one]) for one in PICTURES])
    assert torch.allclose(found, alone, atol=1e-5)
    assert encoder.speaks == (name in SPEAK)
    if not encoder.speaks:
        with pytest.raises(InvalidInput, match="reads no words"):
            encoder.texts(["a dog"])
        return
    words = encoder.texts(["a dog", "a red cat on the dog " * 20])
    assert words.shape == found.shape
    assert torch.allclose(words.norm(dim=-1), torch.ones(2), atol=1e-5)
    assert torch.allclose(encoder.texts(["a dog"]), words[:1], atol=1e-5), "padding changes nothing"


def test_clip_is_the_clip_of_all_tools(tiny: Path) -> None:
    encoder = encoders.load(str(tiny / "clip"), "cpu", "auto")
    assert encoder.speaks
    assert encoder.pictures(PICTURES).shape == encoder.texts(["a", "b"]).shape


def test_what_encodes_nothing_is_refused(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"is a Owlv2ForObjectDetection; an encoder is one of"):
        encoders.load(str(tiny / "owl"), "cpu", "auto")
    save_vit(tmp_path / "vit")
    (tmp_path / "vit" / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(Unavailable, match="cannot be loaded"):
        encoders.load(str(tmp_path / "vit"), "cpu", "auto")


def test_a_pickle_is_never_read(tmp_path: Path) -> None:
    for name in ("open_clip_config.json", "config.json"):
        folder = tmp_path / name.partition(".")[0]
        folder.mkdir()
        (folder / name).write_text('{"architecture": "vit_tiny", "pretrained_cfg": {}}')
        (folder / "open_clip_pytorch_model.bin").touch()
        with pytest.raises(Unavailable, match="safetensors"):
            encoders.load(str(folder), "cpu", "auto")


def test_an_encoder_is_asked_for_by_name() -> None:
    assert encoders.checkpoint("clip") == "openai/clip-vit-base-patch32"
    assert encoders.checkpoint("owner/name@main") == "owner/name@main"
    with pytest.raises(InvalidInput, match="no encoder 'clop'; there are: clip, align, coca"):
        encoders.checkpoint("clop")
