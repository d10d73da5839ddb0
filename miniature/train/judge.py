"""Judge: a convolutional detector that marks benchmarks, and its training. No tool ever loads it.

Objects as points (Zhou et al. 2019, arXiv:1904.07850): one heat map for each kind of object on a
grid of 8 px cells, and at each centre the size and where in its cell the centre lies; beside them
the background. It knows objects by shape, whatever their colour: in half of the pictures the
colour channels change places. Colours are read by `benchmarks/paint.py`. Its seeds and its
architecture are its own, so that what deceives a witness of the loop need not deceive the judge.

    nice -n 5 python -m miniature.train.judge
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from miniature.train.run import autocast
from miniature.world.scene import Scene, boxes, draw, sample
from miniature.world.splits import FIRST_SEED
from miniature.world.vocabulary import BACKGROUNDS, OBJECTS

SIDE = 128  # px, of the pictures it reads
STRIDE = 8  # px, of a cell
CELLS = SIDE // STRIDE
KINDS = tuple(OBJECTS)
GROUNDS = tuple(BACKGROUNDS)
FOLDER = Path(__file__).parents[1] / "weights" / "judge"
IGNORED = -100  # background of a picture whose channels changed places


class Residual(nn.Module):
    """Two 3x3 convolutions beside the identity (He et al. 2015, arXiv:1512.03385)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(width)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, H, W)."""
        inside = self.first_norm(self.first(x)).relu()
        joined: Tensor = x + self.second_norm(self.second(inside))
        return joined.relu()


def _down(width: int, wider: int) -> nn.Sequential:
    convolution = nn.Conv2d(width, wider, 3, stride=2, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(wider), nn.ReLU())


class JudgeNetwork(nn.Module):
    """2.6 M parameters: a residual pyramid to 8 px cells, seen together with 16 px cells."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Sequential(
            _down(3, 32), _down(32, 64), Residual(64), _down(64, 128), Residual(128), Residual(128)
        )
        self.coarse = nn.Sequential(_down(128, 256), Residual(256))
        self.lift = nn.Conv2d(256, 128, 1)
        self.join = Residual(128)
        self.heat = nn.Conv2d(128, len(KINDS), 1)
        self.shape = nn.Conv2d(128, 4, 1)  # offset x, y in cells; width, height in canvas sides
        self.ground = nn.Linear(128 + 256, len(GROUNDS))
        nn.init.constant_(self.heat.bias, -math.log(99.0))  # type: ignore[arg-type]  # 1% at first

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Look.

        Args:
            pictures: float32, (B, 3, 128, 128), 0..1.

        Returns:
            Logits of heat (B, kinds, 16, 16), shape (B, 4, 16, 16), and logits of the
            background (B, backgrounds).
        """
        fine = self.fine(pictures * 2 - 1)
        coarse = self.coarse(fine)
        lifted = F.interpolate(self.lift(coarse), scale_factor=2.0, mode="nearest")
        joined = self.join(fine + lifted)
        pooled = torch.cat([fine.mean((2, 3)), coarse.mean((2, 3))], 1)
        return self.heat(joined), self.shape(joined), self.ground(pooled)


def soften(pictures: Tensor, places: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Zoom, shift, blur, tint and add noise, as a generator's pictures are never quite sharp.

    Args:
        pictures: float32, (B, 3, H, W), 0..1.
        places: float32, (B, N, 4), x0, y0, x1, y1 px.
        rng: where chance comes from.

    Returns:
        Pictures and places after it, same shapes.
    """
    count = len(pictures)
    zoom = torch.from_numpy(rng.uniform(0.8, 1.12, count).astype(np.float32))
    slack = (1 - zoom).abs()[:, None]
    shift = torch.from_numpy(rng.uniform(-1, 1, (count, 2)).astype(np.float32)) * (slack + 0.06)
    turn = torch.from_numpy(rng.uniform(-0.06, 0.06, count).astype(np.float32))  # radians
    matrix = torch.zeros(count, 2, 3)
    matrix[:, 0, 0] = matrix[:, 1, 1] = turn.cos() / zoom
    matrix[:, 0, 1], matrix[:, 1, 0] = turn.sin() / zoom, -turn.sin() / zoom
    matrix[:, :, 2] = -(matrix[:, :, :2] @ shift[:, :, None])[:, :, 0]
    grid = F.affine_grid(matrix, list(pictures.shape), align_corners=False)
    pictures = F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    centre = (places[..., :2] + places[..., 2:]) / SIDE - 1
    half = (places[..., 2:] - places[..., :2]) / SIDE
    inverse = torch.linalg.inv(matrix[:, :, :2])
    centre = (centre - matrix[:, None, :, 2]) @ inverse.transpose(1, 2)
    half = half * zoom[:, None, None]
    places = torch.cat([centre - half, centre + half], -1).add(1).mul(SIDE / 2)

    blur = float(rng.uniform(0, 1.6))
    if blur > 0.4:  # one strength for the batch: a separable kernel costs nothing
        reach = torch.arange(-3, 4, dtype=torch.float32)
        kernel = torch.exp(-(reach**2) / (2 * blur**2))
        kernel = (kernel / kernel.sum()).expand(3, 1, 1, 7)
        pictures = F.pad(pictures, (3, 3, 3, 3), mode="replicate")
        pictures = F.conv2d(F.conv2d(pictures, kernel, groups=3), kernel.mT, groups=3)
    gain = torch.from_numpy(rng.uniform(0.95, 1.05, (count, 3, 1, 1)).astype(np.float32))
    lift = torch.from_numpy(rng.uniform(-0.03, 0.03, (count, 3, 1, 1)).astype(np.float32))
    rough = torch.from_numpy(rng.standard_normal((count, 3, SIDE // 2, SIDE // 2), np.float32))
    rough = F.interpolate(rough, size=(SIDE, SIDE), mode="bilinear")
    noise = rough * float(rng.uniform(0, 0.05))
    return (pictures * gain + lift + noise).clamp(0, 1), places


def exchange(pictures: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Let the colour channels of about half of the pictures change places.

    Returns:
        Pictures, (B, 3, H, W), and bool, (B,), which of them look other than before.
    """
    orders = torch.from_numpy(np.stack([rng.permutation(3) for _ in pictures]))
    orders[torch.from_numpy(rng.random(len(pictures)) < 0.4)] = torch.arange(3)
    changed = (orders != torch.arange(3)).any(1)
    return pictures.gather(1, orders[:, :, None, None].expand_as(pictures)), changed


def targets(
    scenes: list[Scene], places: Tensor, changed: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What the network should say: heat 0..1, shape, where its centres are, background index."""
    count = len(scenes)
    heat = torch.zeros(count, len(KINDS), CELLS, CELLS)
    shape = torch.zeros(count, 4, CELLS, CELLS)
    centres = torch.zeros(count, 1, CELLS, CELLS, dtype=torch.bool)
    axis = torch.arange(CELLS, dtype=torch.float32) + 0.5
    for i, scene in enumerate(scenes):
        for thing, (x0, y0, x1, y1) in zip(scene.things, places[i].tolist(), strict=False):
            x, y = (x0 + x1) / 2 / STRIDE, (y0 + y1) / 2 / STRIDE
            column, row = int(x), int(y)
            if not (0 <= column < CELLS and 0 <= row < CELLS):
                continue
            hill = torch.exp(-((axis - x) ** 2)[None] - ((axis - y) ** 2)[:, None])
            layer = heat[i, KINDS.index(thing.name)]
            torch.maximum(layer, hill, out=layer)
            layer[row, column] = 1.0
            centres[i, 0, row, column] = True
            shape[i, :, row, column] = torch.tensor(
                [x - column, y - row, (x1 - x0) / SIDE, (y1 - y0) / SIDE]
            )
    ground = torch.tensor([GROUNDS.index(scene.background) for scene in scenes])
    return heat, shape, centres, ground.masked_fill(changed, IGNORED)


def loss(said: tuple[Tensor, ...], truth: tuple[Tensor, ...]) -> Tensor:
    """Penalty-reduced focal loss on the heat, L1 at the centres, cross-entropy on the ground."""
    heat, shape, ground = (part.float() for part in said)
    true_heat, true_shape, centres, true_ground = truth
    probability = heat.sigmoid().clamp(1e-4, 1 - 1e-4)
    hit = -((1 - probability) ** 2) * probability.log() * (true_heat == 1)
    miss = -((1 - true_heat) ** 4) * probability**2 * (1 - probability).log()
    number = centres.sum().clamp(min=1)
    known = (true_ground != IGNORED).sum().clamp(min=1)  # a mean over none would be NaN
    grounds = F.cross_entropy(ground, true_ground, ignore_index=IGNORED, reduction="sum")
    return (
        (hit + miss).sum() / number
        + 2.0 * ((shape - true_shape).abs() * centres).sum() / number
        + 0.3 * grounds / known
    )


def batch(first_seed: int, count: int) -> tuple[list[Scene], Tensor, Tensor]:
    """Scenes of consecutive seeds, pictures float32 (B, 3, 128, 128) 0..1, places (B, 4, 4) px."""
    scenes = [sample(seed) for seed in range(first_seed, first_seed + count)]
    pixels: NDArray[np.uint8] = np.stack([draw(scene) for scene in scenes])
    places = torch.zeros(count, 4, 4)
    for i, scene in enumerate(scenes):
        places[i, : len(scene.things)] = torch.from_numpy(boxes(scene)).float()
    return scenes, torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255, places


def train(steps: int, size: int, out: Path, *, rate: float, start: Path | None, skip: int) -> None:
    """Train and save fp16 safetensors.

    Args:
        steps: optimiser steps.
        size: pictures in a step.
        out: folder to write model.safetensors to.
        rate: highest learning rate; it warms up over a tenth of the steps, then falls to zero.
        start: folder of weights to begin from; None is from nothing.
        skip: how many of the judge's seeds earlier training has read.
    """
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    network = JudgeNetwork()
    if start is not None:
        network.load_state_dict(load_file(start / "model.safetensors"))
    network = network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps, pct_start=0.1)
    started, running = time.monotonic(), 0.0
    for step in range(steps):
        scenes, pictures, places = batch(FIRST_SEED["judge"] + skip + step * size, size)
        pictures, places = soften(pictures, places, rng)
        pictures, changed = exchange(pictures, rng)
        with autocast("cpu"):
            said = network(pictures.to(memory_format=torch.channels_last))
        wrong = loss(said, targets(scenes, places, changed))
        optimizer.zero_grad()
        wrong.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        running += (wrong.item() - running) / min(step + 1, 50)
        if step % 50 == 49 or step + 1 == steps:
            speed = (step + 1) * size / (time.monotonic() - started)
            print(f"step {step + 1}/{steps} loss {running:.4f} {speed:.0f} images/s", flush=True)
    out.mkdir(parents=True, exist_ok=True)
    weights = {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in network.state_dict().items()
    }
    save_file(weights, out / "model.safetensors")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--rate", type=float, default=2e-3, help="highest learning rate")
    parser.add_argument("--start", type=Path, help="folder of weights to go on from")
    parser.add_argument("--skip", type=int, default=0, help="seeds that were read before")
    arguments = parser.parse_args()
    train(
        arguments.steps,
        arguments.batch,
        arguments.out,
        rate=arguments.rate,
        start=arguments.start,
        skip=arguments.skip,
    )


if __name__ == "__main__":
    main()
