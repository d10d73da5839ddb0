"""SAM: masks from a box or from clicks (Kirillov et al. 2023, arXiv:2304.02643).

`SamModel`, 128 px, 8 px patches, all attention global: 256 tokens need no windows. A click may
fall on the background, whose mask is all that is no object.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from transformers import (
    SamConfig,
    SamImageProcessor,
    SamMaskDecoderConfig,
    SamModel,
    SamProcessor,
    SamPromptEncoderConfig,
    SamVisionConfig,
)

from miniature.train.data import MEAN_STD, pixels, scenes, softened
from miniature.train.run import arguments, fit, save_half
from miniature.world.scene import CANVAS, Scene, boxes, masks
from miniature.world.splits import FIRST_SEED

BATCH = 8
PROMPTS = 3  # of each picture
PATCH = 8
WIDTH = 128
LAYERS = 4
ABSENT = -10  # label of a click that is not there
JITTER = 3  # px by which a side of a box may be off


class Asked(NamedTuple):
    """Prompts for a batch, and the masks that they mean.

    Attributes:
        points: float32, (B, P, 2, 2), x and y px.
        labels: int64, (B, P, 2), 1 on the thing, 0 off it, ABSENT for none.
        clicked: float32, (B, P, 128, 128), 0 or 1, what the clicks mean.
        boxes: float32, (B, P, 4), x0, y0, x1, y1 px.
        boxed: float32, (B, P, 128, 128), 0 or 1, what the boxes mean.
    """

    points: Tensor
    labels: Tensor
    clicked: Tensor
    boxes: Tensor
    boxed: Tensor


def network() -> SamModel:
    """A SAM with random weights."""
    vision = SamVisionConfig(
        hidden_size=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        image_size=CANVAS,
        patch_size=PATCH,
        output_channels=WIDTH,
        use_rel_pos=False,
        window_size=8,
        global_attn_indexes=list(range(LAYERS)),
        mlp_dim=4 * WIDTH,
        num_pos_feats=WIDTH // 2,
        scale=1,  # as in the paper's code; the default makes neighbours strangers to each other
    )
    prompts = SamPromptEncoderConfig(
        hidden_size=WIDTH, image_size=CANVAS, patch_size=PATCH, mask_input_channels=8
    )
    decoder = SamMaskDecoderConfig(
        hidden_size=WIDTH, mlp_dim=2 * WIDTH, num_attention_heads=4, iou_head_hidden_dim=WIDTH
    )
    return SamModel(
        SamConfig(
            vision_config=vision.to_dict(),
            prompt_encoder_config=prompts.to_dict(),
            mask_decoder_config=decoder.to_dict(),
        )
    )


def processor() -> SamProcessor:
    """Pictures to 128 px, longest side first, padded right and below."""
    side, grid = CANVAS, 4 * CANVAS // PATCH
    return SamProcessor(
        SamImageProcessor(
            size={"longest_edge": side},
            pad_size={"height": side, "width": side},
            mask_size={"longest_edge": grid},
            mask_pad_size={"height": grid, "width": grid},
            image_mean=MEAN_STD,
            image_std=MEAN_STD,
        )
    )


def prompts(batch: list[Scene], rng: np.random.Generator) -> Asked:
    """`PROMPTS` of each scene: all but the last mean an object, the last one anything."""
    places = np.zeros((len(batch), PROMPTS, 2, 2), np.float32)
    labels = np.full((len(batch), PROMPTS, 2), ABSENT)
    around = np.zeros((len(batch), PROMPTS, 4), np.float32)
    clicked = np.zeros((len(batch), PROMPTS, CANVAS, CANVAS), np.float32)
    boxed = np.zeros_like(clicked)
    for row, scene in enumerate(batch):
        solid, corners = masks(scene), boxes(scene)
        behind = ~solid.any(0)
        for column in range(PROMPTS):
            i = int(rng.integers(len(solid)))
            off = rng.integers(-JITTER, JITTER + 1, 4)
            around[row, column] = np.clip(corners[i] + off, 0, CANVAS)
            boxed[row, column] = solid[i]
            beside = column == PROMPTS - 1 and rng.random() < 0.6
            wanted = np.asarray(behind if beside else solid[i])
            clicked[row, column] = wanted
            places[row, column, 0], labels[row, column, 0] = _click(wanted, rng), 1
            if rng.random() < 0.3:
                on = bool(rng.random() < 0.5)
                places[row, column, 1] = _click(wanted if on else ~wanted, rng)
                labels[row, column, 1] = int(on)
    return Asked(*(torch.from_numpy(part) for part in (places, labels, clicked, around, boxed)))


def _click(mask: NDArray[np.bool_], rng: np.random.Generator) -> tuple[float, float]:
    """The middle of a pixel of a mask (x, y)."""
    inside = np.flatnonzero(mask)
    y, x = divmod(int(inside[rng.integers(len(inside))]), CANVAS)
    return x + 0.5, y + 0.5


def mask_loss(logits: Tensor, truth: Tensor, belief: Tensor) -> dict[str, Tensor]:
    """Of the best proposal 20 focal + dice, as in the paper; of all, squared error of the IoU.

    Args:
        logits: (N, M, h, w), M proposals for each of N prompts.
        truth: (N, H, W), 0 or 1.
        belief: (N, M), the network's own estimate of each proposal's IoU.
    """
    logits = F.interpolate(logits.float(), truth.shape[-2:], mode="bilinear", align_corners=False)
    wanted = truth[:, None].expand_as(logits)
    chance = logits.sigmoid()
    wrong = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    right = chance * wanted + (1 - chance) * (1 - wanted)
    focal = (wrong * (1 - right) ** 2).mean((-1, -2))
    shared = 2 * (chance * wanted).sum((-1, -2)) + 1
    dice = 1 - shared / (chance.sum((-1, -2)) + wanted.sum((-1, -2)) + 1)
    best = (20 * focal + dice).argmin(1, keepdim=True)
    with torch.no_grad():
        solid = (logits > 0).float()
        both = (solid * wanted).sum((-1, -2))
        overlap = both / (solid + wanted).clamp(max=1).sum((-1, -2)).clamp(min=1)
    return {
        "focal": 20 * focal.gather(1, best).mean(),
        "dice": dice.gather(1, best).mean(),
        "iou": F.mse_loss(belief.float(), overlap),
    }


def main() -> None:
    options = arguments(__doc__, minutes=40)
    folder = options.out / "sam"
    if (folder / "config.json").exists():
        model = SamModel.from_pretrained(folder, dtype=torch.float32)
    else:
        model = network()
        processor().save_pretrained(folder)
    model.to(options.device).train()

    def loss(step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng((options.seed, step))
        first = (400_000_000 + (options.seed * 1_000_000 + step) * BATCH) % FIRST_SEED["judge"]
        batch = scenes(first, BATCH, composed=step % 4 < 2)
        asked = Asked(*(part.to(options.device) for part in prompts(batch, rng)))
        by_box = step % 2 == 0  # boxes leave no doubt: one proposal; clicks may: three
        if by_box:
            truth, told = asked.boxed, {"input_boxes": asked.boxes}
        else:
            truth = asked.clicked
            told = {"input_points": asked.points, "input_labels": asked.labels}
        x = softened(pixels(batch), rng).to(options.device)
        with torch.autocast(options.device, enabled=False):  # so small, bfloat16 is slower
            made = model(pixel_values=x, multimask_output=not by_box, **told)
        return mask_loss(
            made.pred_masks.flatten(0, 1), truth.flatten(0, 1), made.iou_scores.flatten(0, 1)
        )

    fit(
        model.parameters(),
        loss,
        lambda: save_half(model, folder),
        options=options,
        log=folder / "train.jsonl",
        batch=BATCH,
        rate=1e-3,
        decay=0.05,
    )


if __name__ == "__main__":
    main()
