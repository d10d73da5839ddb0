"""Original files: what is converted answers as the code that the authors published."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as PIL
from segment_anything import SamPredictor
from segment_anything.modeling import (
    ImageEncoderViT,
    MaskDecoder,
    PromptEncoder,
    Sam,
    TwoWayTransformer,
)
from transformers import BlipConfig, BlipForImageTextRetrieval, BlipProcessor

from models import encoders, originals, reward, reward_original, sam
from models.errors import InvalidInput, Unavailable

SIDE, PATCH, WIDTH = 64, 8, 32
TOWER = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 1,
}
PIXELS = np.random.default_rng(0).integers(0, 255, (40, 64, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def original() -> Any:
    torch.manual_seed(0)
    norm = partial(torch.nn.LayerNorm, eps=1e-6)
    encoder = ImageEncoderViT(
        img_size=SIDE,
        patch_size=PATCH,
        embed_dim=WIDTH,
        depth=2,
        num_heads=2,
        mlp_ratio=2,
        out_chans=WIDTH,
        norm_layer=norm,
        use_rel_pos=True,
        window_size=4,
        global_attn_indexes=(1,),
    )
    grid = (SIDE // PATCH, SIDE // PATCH)
    prompts = PromptEncoder(WIDTH, grid, (SIDE, SIDE), mask_in_chans=8)
    decoder = MaskDecoder(
        transformer_dim=WIDTH,
        transformer=TwoWayTransformer(depth=2, embedding_dim=WIDTH, num_heads=8, mlp_dim=48),
        iou_head_hidden_dim=24,
    )
    network = Sam(encoder, prompts, decoder).eval()
    for name, value in network.named_parameters():
        if "rel_pos" in name or name.endswith("pos_embed"):  # zero as made: they would test nothing
            torch.nn.init.normal_(value, std=0.3)
    return network


def test_a_converted_file_cuts_the_same_masks(original: Any, tmp_path: Path) -> None:
    torch.save(original.state_dict(), tmp_path / "sam_vit_x.pth")
    folder = originals.convert(tmp_path / "sam_vit_x.pth", tmp_path / "sam")
    assert [path.suffix for path in folder.glob("model.*")] == [".safetensors"]
    ours = sam.load(str(folder), "cpu", "float32")
    predictor = SamPredictor(original)
    predictor.set_image(PIXELS)
    box = np.array([10.0, 5.0, 50.0, 35.0])
    masks, scores, _ = predictor.predict(box=box, multimask_output=False)
    (cut,) = ours.in_boxes(PIXELS, "a", [tuple(box.tolist())])
    assert (cut.mask == masks[0]).mean() > 0.99
    assert cut.score == pytest.approx(float(np.clip(scores[0], 0, 1)), abs=5e-3)
    clicks, on = np.array([[20.5, 20.5], [40.5, 10.5]]), np.array([1, 0])
    masks, scores, _ = predictor.predict(clicks, on, multimask_output=True)
    cut = ours.at_points(PIXELS, "a", [tuple(one) for one in clicks.tolist()], [1, 0])
    assert (cut.mask == masks[scores.argmax()]).mean() > 0.99


def test_a_converted_moco_gives_the_same_vectors(tmp_path: Path) -> None:
    import timm

    library: Any = timm
    torch.manual_seed(0)
    shape = {"embed_dim": 48, "depth": 2, "num_heads": 12, "img_size": 32, "patch_size": 8}
    network = library.create_model("vit_base_patch16_224", num_classes=0, **shape).eval()
    held = {f"module.base_encoder.{name}": v for name, v in network.state_dict().items()}
    held["module.base_encoder.head.0.weight"] = torch.zeros(4, 48)
    held["module.momentum_encoder.cls_token"] = torch.zeros(1, 1, 48)
    torch.save({"epoch": 300, "state_dict": held}, tmp_path / "vit-x-300ep.pth.tar")
    folder = originals.convert(tmp_path / "vit-x-300ep.pth.tar", tmp_path / "moco")
    facts = {"input_size": (3, 32, 32), "crop_pct": 0.875, "interpolation": "bicubic"}
    prepare = library.data.create_transform(
        **facts, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), is_training=False
    )
    with torch.inference_mode():
        expected = network(prepare(PIL.fromarray(PIXELS))[None])
    expected = torch.nn.functional.normalize(expected, dim=-1)
    found = encoders.load(str(folder), "cpu", "float32").pictures([PIXELS])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_a_converted_imagereward_gives_the_same_rewards(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    theirs = BlipProcessor.from_pretrained(tiny / "blip").tokenizer
    config = BlipConfig(
        vision_config={**TOWER, "image_size": 32, "patch_size": 8, "layer_norm_eps": 1e-6},
        text_config={**TOWER, "encoder_hidden_size": 64, "vocab_size": len(theirs)},
    )
    network = reward.ImageReward(BlipForImageTextRetrieval(config), reward.Head(64)).eval()
    for value in network.parameters():
        torch.nn.init.normal_(value, std=0.2)
    held = {
        _original(name): value
        for name, value in network.state_dict().items()
        if not name.startswith(("blip.itm_head", "head.mean", "head.std"))
    }
    held["blip.text_encoder.embeddings.position_ids"] = torch.arange(512)[None]
    torch.save(held, tmp_path / "ImageReward.pt")
    with pytest.raises(Unavailable, match="is not on this machine"):
        originals.convert(tmp_path / "ImageReward.pt", tmp_path / "reward")
    monkeypatch.setattr(reward_original, "WORDS", str(tiny / "blip"))
    folder = originals.convert(tmp_path / "ImageReward.pt", tmp_path / "reward")
    assert not list(folder.glob("*.pt"))
    ours = reward.load(str(folder), "cpu", "float32")
    square = np.array(PIL.fromarray(PIXELS).resize((32, 32)))
    mean, std = (np.array(reward_original.PIXELS[f"image_{part}"]) for part in ("mean", "std"))
    x = torch.from_numpy((square / 255 - mean) / std).float().permute(2, 0, 1)[None]
    with torch.inference_mode():
        raw = float(network(x, theirs(["a red apple"], return_tensors="pt")))
    mean_of, std_of = reward_original.MEAN_STD
    (found,) = ours.similarity([square], ["a red apple"])
    assert found == pytest.approx((raw - mean_of) / std_of, rel=1e-3, abs=1e-4)


def _original(name: str) -> str:
    """What the authors call a weight."""
    for ours, original in (
        ("head.layers", "mlp.layers"),
        ("vision_model.embeddings.class_embedding", "visual_encoder.cls_token"),
        ("vision_model.embeddings.position_embedding", "visual_encoder.pos_embed"),
        ("vision_model.embeddings.patch_embedding", "visual_encoder.patch_embed.proj"),
        ("vision_model.encoder.layers", "visual_encoder.blocks"),
        ("vision_model.post_layernorm", "visual_encoder.norm"),
        ("layer_norm", "norm"),
        ("self_attn.qkv", "attn.qkv"),
        ("self_attn.projection", "attn.proj"),
    ):
        name = name.replace(ours, original)
    return name


def test_other_files_are_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(InvalidInput, match="neither"):
        originals.convert(tmp_path / "other.pth", tmp_path / "sam")
    torch.save({"image_encoder.pos_embed": torch.zeros(1, 4, 4, 8)}, tmp_path / "part.pth")
    with pytest.raises(InvalidInput, match="no whole network"):
        originals.convert(tmp_path / "part.pth", tmp_path / "sam")
    torch.save({"weight": Path}, tmp_path / "code.pth")  # a pickle that names a class
    with pytest.raises(InvalidInput, match="cannot be read as weights"):
        originals.convert(tmp_path / "code.pth", tmp_path / "sam")
    with pytest.raises(InvalidInput, match="cannot be read as weights"):
        originals.convert(tmp_path / "missing.pth", tmp_path / "sam")
    assert not (tmp_path / "sam").exists()
