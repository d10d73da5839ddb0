"""Tiny, hub tier: untrained checkpoints of public classes that the miniature family has none of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tokenizers
import torch
import transformers
from tokenizers import models, pre_tokenizers

SIDE = 32  # px
_HF: Any = transformers  # its processors and configurations are untyped
_SQUARE = {"height": SIDE, "width": SIDE}
WORDS = """<pad> <s> </s> <unk> <image> USER : ASSISTANT Yes No yes no red dog cat two apple the is
there a what color how many are picture sentence one in Describe Answer question using single word
or phrase . ? image does"""
TEMPLATE = (
    "{% for m in messages %}USER: {% for c in m['content'] %}{% if c['type'] == 'image' %}<image> "
    "{% else %}{{ c['text'] }}{% endif %}{% endfor %} {% endfor %}ASSISTANT:"
)


def tokenizer() -> Any:
    """Whole words, a token for pictures, the ends of texts."""
    words = {word: i for i, word in enumerate(WORDS.split())}
    held = tokenizers.Tokenizer(models.WordLevel(words, unk_token="<unk>"))  # noqa: S106
    held.pre_tokenizer = pre_tokenizers.Whitespace()
    return _HF.PreTrainedTokenizerFast(
        tokenizer_object=held,
        bos_token="<s>",  # noqa: S106
        eos_token="</s>",  # noqa: S106
        pad_token="<pad>",  # noqa: S106
        unk_token="<unk>",  # noqa: S106
        extra_special_tokens={"image_token": "<image>"},
        padding_side="left",
    )


def save_llava(folder: Path) -> None:
    """As llava-hf/* are saved: a CLIP tower, a projector, a language model."""
    words = tokenizer()
    seen = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2}
    config = _HF.LlavaConfig(
        vision_config=_HF.CLIPVisionConfig(
            **seen, num_hidden_layers=2, image_size=SIDE, patch_size=8
        ),
        text_config=_HF.LlamaConfig(
            **seen, num_hidden_layers=2, num_key_value_heads=2, vocab_size=len(words)
        ),
        image_token_index=words.convert_tokens_to_ids("<image>"),
    )
    torch.manual_seed(0)
    _HF.LlavaForConditionalGeneration(config).save_pretrained(folder)
    _HF.LlavaProcessor(
        _HF.CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size=_SQUARE),
        words,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
    ).save_pretrained(folder)


def save_florence(folder: Path) -> None:
    """As florence-community/Florence-2-* are saved: DaViT and an encoder-decoder."""
    words = tokenizer()
    picture = _HF.CLIPImageProcessor(size=_SQUARE, crop_size=_SQUARE)
    picture.image_seq_length = 2  # what one 32 px picture comes to: its mean, and its one patch
    image = words.convert_tokens_to_ids("<image>")
    config = _HF.Florence2Config(
        text_config=_HF.BartConfig(
            vocab_size=len(words), d_model=32, encoder_layers=1, decoder_layers=1,
            encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=64,
            decoder_ffn_dim=64, max_position_embeddings=128, pad_token_id=0, bos_token_id=1,
            eos_token_id=2, decoder_start_token_id=2, forced_eos_token_id=None,
        ),
        vision_config=_HF.Florence2VisionConfig(
            depths=(1, 1, 1, 1), embed_dim=(8, 16, 16, 32), num_heads=(1, 2, 2, 2),
            num_groups=(1, 2, 2, 2), window_size=2, projection_dim=32,
        ),
        image_token_id=image,
    )  # fmt: skip
    torch.manual_seed(0)
    _HF.Florence2ForConditionalGeneration(config).save_pretrained(folder)
    _HF.Florence2Processor(picture, words).save_pretrained(folder)


def save_grounding_dino(folder: Path) -> None:
    """As IDEA-Research/grounding-dino-* are saved: Swin, BERT, and what joins them."""
    # the network knows the ends of phrases by BERT's own ids
    marks = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103}
    vocabulary = {**marks, ".": 1012, "?": 1029}
    for word in ("red", "dog", "cat", "apple"):
        vocabulary[word] = 1030 + len(vocabulary)
    taken = set(vocabulary.values())
    for i in range(max(taken)):
        if i not in taken:
            vocabulary[f"[unused{i}]"] = i
    config = _HF.GroundingDinoConfig(
        backbone_config=_HF.SwinConfig(
            image_size=SIDE, embed_dim=12, depths=[1, 1, 1, 1], num_heads=[1, 2, 2, 2],
            window_size=4, out_indices=[2, 3, 4],
        ),
        text_config=_HF.BertConfig(
            vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=1,
            num_attention_heads=2, intermediate_size=64,
        ),
        num_queries=12, encoder_layers=1, decoder_layers=2, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=64, decoder_ffn_dim=64, d_model=64,
        max_text_len=16, num_feature_levels=4,
    )  # fmt: skip
    torch.manual_seed(0)
    _HF.GroundingDinoForObjectDetection(config).save_pretrained(folder)
    size = {"shortest_edge": SIDE, "longest_edge": 2 * SIDE}
    _HF.GroundingDinoProcessor(
        _HF.GroundingDinoImageProcessor(size=size), _HF.BertTokenizer(vocab=vocabulary)
    ).save_pretrained(folder)


def save_sam2(folder: Path) -> None:
    """As facebook/sam2.1-* are saved, without what remembers videos."""
    side = 64
    hiera = _HF.Sam2HieraDetConfig(
        hidden_size=8, num_attention_heads=1, image_size=[side, side],
        blocks_per_stage=[1, 1, 2, 1], embed_dim_per_stage=[8, 16, 32, 64],
        num_attention_heads_per_stage=[1, 1, 2, 2], window_size_per_stage=[4, 2, 2, 2],
        global_attention_blocks=[3], window_positional_embedding_background_size=[4, 4],
    )  # fmt: skip
    width = {"hidden_size": 32}
    config = _HF.Sam2Config(
        vision_config=_HF.Sam2VisionConfig(
            backbone_config=hiera, backbone_channel_list=[64, 32, 16, 8],
            backbone_feature_sizes=[[16, 16], [8, 8], [4, 4]], fpn_hidden_size=32,
        ).to_dict(),
        prompt_encoder_config={**width, "image_size": side, "patch_size": 16,
                               "mask_input_channels": 8},
        mask_decoder_config={**width, "mlp_dim": 64, "num_attention_heads": 2,
                             "iou_head_hidden_dim": 32},
    )  # fmt: skip
    torch.manual_seed(0)
    _HF.Sam2Model(config).save_pretrained(folder)
    square = {"height": side, "width": side}
    _HF.Sam2ImageProcessor(size=square, mask_size={"height": 16, "width": 16}).save_pretrained(
        folder
    )


def save_depth(folder: Path) -> None:
    """As depth-anything/*-hf are saved: DINOv2 and a pyramid."""
    stages = ["stage1", "stage2", "stage3", "stage4"]
    backbone = _HF.Dinov2Config(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, image_size=28, patch_size=14,
        out_features=stages, apply_layernorm=True, reshape_hidden_states=False,
    )  # fmt: skip
    config = _HF.DepthAnythingConfig(
        backbone_config=backbone, reassemble_hidden_size=16, neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=8, head_hidden_size=8,
    )  # fmt: skip
    torch.manual_seed(0)
    _HF.DepthAnythingForDepthEstimation(config).save_pretrained(folder)
    _HF.DPTImageProcessor(
        size={"height": 28, "width": 28}, keep_aspect_ratio=True, ensure_multiple_of=14
    ).save_pretrained(folder)


def save_pose(folder: Path) -> None:
    """As usyd-community/vitpose-* are saved."""
    backbone = _HF.VitPoseBackboneConfig(
        image_size=[64, 48], hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        out_indices=[2],
    )  # fmt: skip
    torch.manual_seed(0)
    config = _HF.VitPoseConfig(backbone_config=backbone, num_labels=17)
    _HF.VitPoseForPoseEstimation(config).save_pretrained(folder)
    _HF.VitPoseImageProcessor(size={"height": 64, "width": 48}).save_pretrained(folder)
