"""ControlNet: the U-Net drawn along a map of edges or of regions (Zhang et al. 2023,
arXiv:2302.05543).

`ControlNetModel`, a copy of the trained U-Net's first half whose outputs are added, through
convolutions that begin at zero, to the U-Net's own, which stays as it is. One network follows both
maps: edges are thin and white, regions flat and coloured, and no picture has both. A map says where
things are and of what shape; so it is taught scenes of things anywhere, unlike the U-Net by itself.
"""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import ControlNetModel, UNet2DConditionModel
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from miniature.train.data import scenes
from miniature.train.diffusion import BATCH, UNTOLD, encode, load, scheduler
from miniature.train.run import WeightAverage, arguments, fit
from miniature.train.tasks import GREY
from miniature.world.language import caption, describe
from miniature.world.scene import CANVAS, Scene, draw, masks
from models import edges
from models.diffusion import Diffusion, Manner, Order

SCENES = 8_000
FIRST = 450_000_000  # seed
MOST_THINGS = 2
COMPLETE = 0.75  # share of captions that say everything
LOW, HIGH = 100, 200  # as the tool `edges` has them
EMBEDDING = (16, 32, 64, 96)  # channels on the map's way from 128 px down to the latents' 16

Pixels = NDArray[np.uint8]


def network(unet: UNet2DConditionModel) -> ControlNetModel:
    """A ControlNet that begins as the first half of a U-Net of nine channels.

    The stock pipeline shows it the four noisy ones alone. What the U-Net sees besides when it draws
    from nothing, an all-ones mask, moves into the first convolution's bias.
    """
    known = inspect.signature(ControlNetModel.__init__).parameters
    config = {name: value for name, value in unet.config.items() if name in known}
    net = ControlNetModel(
        **{**config, "in_channels": 4, "conditioning_embedding_out_channels": EMBEDDING}
    )
    state = {name: value.clone() for name, value in unet.state_dict().items()}
    first = state["conv_in.weight"]
    state["conv_in.bias"] += first[:, 4].sum((1, 2))
    state["conv_in.weight"] = first[:, :4].clone()
    net.load_state_dict(state, strict=False)
    return net


def regions(scene: Scene, rng: np.random.Generator) -> Pixels:
    """Each thing flat in a colour of its own, on black: RGB, uint8, (128, 128, 3)."""
    found = np.zeros((CANVAS, CANVAS, 3), np.uint8)
    for mask in masks(scene):
        found[mask] = rng.integers(64, 256, 3)
    return found


def outlines(picture: Pixels, finder: edges.Edges) -> Pixels:
    """The picture's edges, white on black: RGB, uint8, (H, W, 3)."""
    return finder.map(picture, low=LOW, high=HIGH)


def main() -> None:
    options = arguments(__doc__, minutes=45)
    folder = options.out / "control"
    pipeline = load(options.out / "stable-diffusion", options.out / "clip").to(options.device)
    pipeline.set_progress_bar_config(disable=True)
    unet, vae, tower = pipeline.unet, pipeline.vae, pipeline.text_encoder
    for part in (unet, vae, tower):
        part.requires_grad_(False).eval()
    if (folder / "config.json").exists():
        net = ControlNetModel.from_pretrained(folder, torch_dtype=torch.float32)
    else:
        net = network(unet)
    net.to(options.device, memory_format=torch.channels_last).train()
    unet.to(memory_format=torch.channels_last)
    finder = edges.load(edges.CHECKPOINT, "cpu", "float32")
    taught = [
        scene
        for scene in scenes(FIRST + options.seed * SCENES, SCENES)
        if len(scene.things) <= MOST_THINGS
    ]
    pictures = np.stack([draw(scene) for scene in taught])
    wanted = encode(vae, pictures, options.device)
    lines = np.stack([outlines(picture, finder)[..., 0] for picture in pictures])
    # as the stock pipeline has it: all is masked, and what is shown is grey
    grey = encode(vae, np.full((1, CANVAS, CANVAS, 3), GREY, np.uint8), options.device)
    blank = torch.cat([torch.ones_like(grey[:, :1]), grey], 1).to(options.device)
    print({"scenes": len(taught)}, flush=True)
    signal = scheduler().alphas_cumprod.to(options.device)

    def loss(step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng((options.seed, step))
        rows = rng.integers(len(taught), size=BATCH)
        words = [_words(taught[row], rng) for row in rows]
        ids = pipeline.tokenizer(
            words, padding="max_length", truncation=True, return_tensors="pt"
        ).input_ids.to(options.device)
        maps = np.stack(
            [
                np.repeat(lines[row][..., None], 3, 2) if i % 2 else regions(taught[row], rng)
                for i, row in enumerate(rows)
            ]
        )
        told = tower(ids).last_hidden_state
        x = wanted[rows].to(options.device)
        noise = torch.randn_like(x)
        t = (len(signal) * torch.rand(BATCH, device=options.device).pow(0.6)).long()
        a = signal[t].sqrt()[:, None, None, None]
        b = (1 - signal[t]).sqrt()[:, None, None, None]
        noisy = (a * x + b * noise).contiguous(memory_format=torch.channels_last)
        shown = torch.from_numpy(maps).permute(0, 3, 1, 2).float().div(255).to(options.device)
        down, middle = net(
            noisy, t, encoder_hidden_states=told, controlnet_cond=shown, return_dict=False
        )
        said = unet(
            torch.cat([noisy, blank.expand(BATCH, -1, -1, -1)], 1),
            t,
            encoder_hidden_states=told,
            down_block_additional_residuals=down,
            mid_block_additional_residual=middle,
        ).sample
        return {"velocity": F.mse_loss(said.float(), a * noise - b * x)}

    average = WeightAverage(net, decay=0.999)

    def save() -> None:
        moving = {name: value.clone() for name, value in net.state_dict().items()}
        net.load_state_dict(average.weights)
        preview(Diffusion(pipeline), net.eval(), finder).save(_made(folder) / "samples.png")
        net.half().save_pretrained(folder, max_shard_size="15MB")
        net.float().train().load_state_dict(moving)

    fit(
        net.parameters(),
        loss,
        save,
        options=options,
        log=folder / "train.jsonl",
        batch=BATCH,
        rate=5e-4,
        average=average,
    )


def _words(scene: Scene, rng: np.random.Generator) -> str:
    if rng.random() < UNTOLD:
        return ""
    return describe(scene) if rng.random() < COMPLETE else caption(scene, rng)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def preview(hand: Diffusion, net: ControlNetModel, finder: edges.Edges) -> Image.Image:
    """Eight maps of the calibration split, each with what is drawn along it beside it."""
    made: list[Pixels] = []
    found = [one for one in scenes(600_000_000, 40) if len(one.things) <= MOST_THINGS][:8]
    for i, scene in enumerate(found):
        by_edges = i % 2 == 0
        rng = np.random.default_rng(i)
        shown = outlines(draw(scene), finder) if by_edges else regions(scene, rng)
        order = Order(describe(scene), "", i)
        made += [shown, hand.follow(order, shown, net=net, manner=Manner(12, 1.5), scale=1.0)]
    sheet = Image.new("RGB", (4 * CANVAS, len(made) // 4 * CANVAS))
    for i, picture in enumerate(made):
        sheet.paste(Image.fromarray(picture), (i % 4 * CANVAS, i // 4 * CANVAS))
    return sheet


if __name__ == "__main__":
    main()
