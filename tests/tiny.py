"""Tiny: untrained checkpoints of the public classes, saved as their libraries save them.

Few weights, all of the real code: what loads and runs here loads and runs at full size.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    BertTokenizer,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipForImageTextRetrieval,
    BlipForQuestionAnswering,
    BlipImageProcessor,
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    Owlv2Config,
    Owlv2ForObjectDetection,
    Owlv2ImageProcessor,
    SamConfig,
    SamImageProcessor,
    SamModel,
)

from models.reward import Head, ImageReward
from tests import tiny_hub

SIDE = 32  # px
LENGTH = 24  # tokens
_WIDTH = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2}
_DIFFUSERS: Any = diffusers  # untyped
_TRANSFORMERS: Any = transformers  # its processors are untyped
_VISION = {**_WIDTH, "num_hidden_layers": 2, "image_size": SIDE, "patch_size": 8}
_WORDS = """a an and answer apple are background banana cat color dog four green how in is large
left many no of on one or picture question red right small the there three to two what white yes
zero : ? . ,"""


def save_family(root: Path) -> None:
    """Save a folder of each class: clip, owl, sam, blip, blip-vqa, reward, depth, diffusion-*, …"""
    torch.manual_seed(0)
    _save_clip(root / "clip")
    _save_owl(root / "owl")
    _save_sam(root / "sam")
    _save_blips(root)
    tiny_hub.save_depth(root / "depth")
    tiny_hub.save_pose(root / "pose")
    _save_diffusion(root / "diffusion-kl", "kl")
    _save_diffusion(root / "diffusion-tiny", "tiny")
    _save_diffusion(root / "diffusion-unified", "tiny", channels=9, attention_type="gated")
    _save_diffusion(root / "diffusion-inpaint", "kl", channels=9)
    _save_diffusion(root / "diffusion-instruct", "kl", channels=8)
    _save_diffusion(root / "diffusion-gligen", "kl", attention_type="gated")
    _save_xl(root / "diffusion-xl")
    unet = _DIFFUSERS.UNet2DConditionModel.from_pretrained(root / "diffusion-kl" / "unet")
    _DIFFUSERS.ControlNetModel.from_unet(unet).save_pretrained(root / "control")


def _clip_tokenizer() -> CLIPTokenizer:
    letters = sorted(ByteLevel.alphabet())
    vocabulary = {
        token: i for i, token in enumerate((*letters, *(one + "</w>" for one in letters)))
    }
    for special in ("<|startoftext|>", "<|endoftext|>"):  # the last id ends a text
        vocabulary[special] = len(vocabulary)
    tokenizer = CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=LENGTH)
    assert tokenizer.eos_token_id == len(tokenizer) - 1
    return tokenizer


def _text(tokenizer: CLIPTokenizer, **more: Any) -> dict[str, Any]:
    return {
        **_WIDTH,
        "num_hidden_layers": 2,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": LENGTH,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "projection_dim": 32,
        **more,
    }


def _save_clip(folder: Path) -> None:
    tokenizer = _clip_tokenizer()
    config = CLIPConfig(
        text_config=_text(tokenizer),
        vision_config={**_VISION, "projection_dim": 32},
        projection_dim=32,
    )
    CLIPModel(config).save_pretrained(folder)
    square = {"height": SIDE, "width": SIDE}
    _TRANSFORMERS.CLIPProcessor(
        CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size=square), tokenizer
    ).save_pretrained(folder)


def _save_owl(folder: Path) -> None:
    tokenizer = _clip_tokenizer()
    config = Owlv2Config(
        text_config=_text(tokenizer, pad_token_id=0), vision_config=_VISION, projection_dim=32
    )
    Owlv2ForObjectDetection(config).save_pretrained(folder)
    square = {"height": SIDE, "width": SIDE}
    _TRANSFORMERS.Owlv2Processor(Owlv2ImageProcessor(size=square), tokenizer).save_pretrained(
        folder
    )


def _save_sam(folder: Path) -> None:
    grid = {"image_size": 64, "patch_size": 16}
    config = SamConfig(
        vision_config={
            **_WIDTH,
            **grid,
            "num_hidden_layers": 2,
            "output_channels": 32,
            "mlp_dim": 64,
            "window_size": 2,
            "global_attn_indexes": [1],
            "num_pos_feats": 16,
        },
        prompt_encoder_config={**grid, "hidden_size": 32, "mask_input_channels": 4},
        mask_decoder_config={
            "hidden_size": 32,
            "mlp_dim": 64,
            "num_attention_heads": 2,
            "iou_head_hidden_dim": 32,
        },
    )
    SamModel(config).save_pretrained(folder)
    square = {"height": 64, "width": 64}
    SamImageProcessor(size={"longest_edge": 64}, pad_size=square).save_pretrained(folder)


def _save_blips(root: Path) -> None:
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = BertTokenizer(
        vocab={word: i for i, word in enumerate((*specials, *_WORDS.split()))}
    )
    text = {
        **_WIDTH,
        "num_hidden_layers": 2,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 64,
        "encoder_hidden_size": 32,
        "projection_dim": 32,
        "bos_token_id": 2,
        "eos_token_id": 3,
        "sep_token_id": 3,
        "pad_token_id": 0,
    }
    config = BlipConfig(
        text_config=text, vision_config=_VISION, projection_dim=32, image_text_hidden_size=32
    )
    images = BlipImageProcessor(size={"height": SIDE, "width": SIDE})
    for name, kind in (
        ("blip", BlipForConditionalGeneration),
        ("blip-vqa", BlipForQuestionAnswering),
    ):
        kind(config).save_pretrained(root / name)
        _TRANSFORMERS.BlipProcessor(images, tokenizer).save_pretrained(root / name)
    ImageReward(BlipForImageTextRetrieval(config), Head(32)).save(root / "reward")
    _TRANSFORMERS.BlipProcessor(images, tokenizer).save_pretrained(root / "reward")


_BY_CHANNELS = {
    4: "StableDiffusionPipeline",
    8: "StableDiffusionInstructPix2PixPipeline",
    9: "StableDiffusionInpaintPipeline",
}


def _autoencoder() -> Any:
    return _DIFFUSERS.AutoencoderKL(
        block_out_channels=(32, 32, 32, 32),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        norm_num_groups=8,
        force_upcast=True,
    )


def _save_diffusion(
    folder: Path, kind: str, *, channels: int = 4, attention_type: str = "default"
) -> None:
    tokenizer = _clip_tokenizer()
    blocks = (32, 32, 32, 32)
    vae = (
        _autoencoder()
        if kind == "kl"
        else _DIFFUSERS.AutoencoderTiny(
            encoder_block_out_channels=blocks,
            decoder_block_out_channels=blocks,
            num_encoder_blocks=(1, 1, 1, 1),
            num_decoder_blocks=(1, 1, 1, 1),
        )
    )
    unet = _DIFFUSERS.UNet2DConditionModel(
        sample_size=8,
        in_channels=channels,
        attention_type=attention_type,
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=32,
        attention_head_dim=2,
        norm_num_groups=16,
    )
    pipeline = getattr(_DIFFUSERS, _BY_CHANNELS[channels])(
        vae=vae,
        text_encoder=CLIPTextModel(CLIPTextConfig(**_text(tokenizer))),
        tokenizer=tokenizer,
        unet=unet,
        scheduler=_DIFFUSERS.DPMSolverMultistepScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            prediction_type="v_prediction",
            steps_offset=1,
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder)


def _save_xl(folder: Path) -> None:
    """Stable Diffusion XL: two text encoders, sizes told beside, an autoencoder to upcast."""
    tokenizer = _clip_tokenizer()
    told = CLIPTextConfig(**_text(tokenizer))
    unet = _DIFFUSERS.UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=64,  # both encoders' states side by side
        attention_head_dim=2,
        norm_num_groups=16,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=32 + 6 * 8,  # pooled words, six sizes
    )
    _DIFFUSERS.StableDiffusionXLPipeline(
        vae=_autoencoder(),
        text_encoder=CLIPTextModel(told),
        text_encoder_2=CLIPTextModelWithProjection(told),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        unet=unet,
        scheduler=_DIFFUSERS.EulerDiscreteScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            timestep_spacing="leading",
            steps_offset=1,
        ),
        add_watermarker=False,
    ).save_pretrained(folder)
