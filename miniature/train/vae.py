"""VAE: the autoencoder of the miniature Stable Diffusion, 128x128x3 to 16x16x4 and back.

`AutoencoderTiny` (the TAESD design, diffusers): 8x, 4 latent channels. On a CPU it reaches
22 dB in the time in which `AutoencoderKL` reaches 14. The first run trains both halves. From then
on a U-Net may know the latents: later runs leave the encoder as it is, and teach the decoder to
read latents that are a little off, as a small U-Net's are (noise-augmented decoding, Zheng et al.
2025, arXiv:2510.11690); one that has seen exact latents only paints every error as a blot.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny
from numpy.typing import NDArray
from torch import Tensor

from miniature.train.run import arguments, fit, save_half
from miniature.world.scene import CANVAS, LATTICE, draw, sample
from miniature.world.splits import FIRST_SEED

BATCH = 16
SPREAD = 0.2  # deviation of a latent channel; small, where the decoder's own clamp is linear
NOISE = 0.5  # of SPREAD, at most: by how much latents are off that a later run reads
CROP = 64  # px; the network is convolutional: crops cost a quarter of whole scenes


def network() -> AutoencoderTiny:
    """An untrained autoencoder."""
    return AutoencoderTiny(
        latent_channels=4,
        encoder_block_out_channels=(48, 48, 48, 48),
        decoder_block_out_channels=(48, 48, 48, 48),
        num_encoder_blocks=(1, 1, 2, 2),
        num_decoder_blocks=(5, 4, 1, 1),
    )


def to_tensor(pictures: NDArray[np.uint8]) -> Tensor:
    """(B, H, W, 3) uint8 to (B, 3, H, W) float in [-1, 1], channels last in memory."""
    tensor = torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div(127.5).sub(1)
    return tensor.contiguous(memory_format=torch.channels_last)


def crops(seed: int, count: int) -> NDArray[np.uint8]:
    """`count` crops on the lattice, each touching an object: uint8, (count, CROP, CROP, 3)."""
    rng = np.random.default_rng(seed)
    found = np.empty((count, CROP, CROP, 3), np.uint8)
    for i in range(count):
        scene = sample(FIRST_SEED["train"] + seed * count + i)
        thing = scene.things[int(rng.integers(len(scene.things)))]
        last = (CANVAS - CROP) // LATTICE
        x, y = (
            LATTICE * int(np.clip((corner - rng.integers(-16, 40)) // LATTICE, 0, last))
            for corner in (thing.x, thing.y)
        )
        found[i] = draw(scene)[y : y + CROP, x : x + CROP]
    return found


def off(z: Tensor) -> Tensor:
    """Latents, (B, 4, h, w), as far off as a U-Net's may be: noise, half of it smooth."""
    amount = NOISE * SPREAD * torch.rand(len(z), 1, 1, 1, device=z.device).square()
    rough = torch.randn_like(z)
    smooth = F.interpolate(torch.randn_like(z[:, :, ::2, ::2]), z.shape[-2:], mode="bilinear")
    share = torch.rand(len(z), 1, 1, 1, device=z.device)
    return z + amount * (share.sqrt() * rough + (1 - share).sqrt() * smooth)


@torch.no_grad()
def psnr(vae: AutoencoderTiny, count: int = 64) -> float:
    """Mean reconstruction PSNR in dB on whole held-out scenes."""
    pictures = np.stack([draw(sample(FIRST_SEED["calibration"] + i)) for i in range(count)])
    x = to_tensor(pictures)
    y = vae.decode(vae.encode(x).latents).sample.clamp(-1, 1)
    error = ((x - y) / 2).square().mean(dim=(1, 2, 3))
    return float((-10 * error.log10()).mean())


@torch.no_grad()
def whiten(vae: AutoencoderTiny) -> None:
    """Turn and scale the latent channels to unit covariance, inside the autoencoder's own layers.

    Pictures come back as before; but where one channel holds most of the variance, as it does
    after training, a diffusion model learns that channel first and the rest, colours, late.
    """
    pictures = np.concatenate([crops(seed, BATCH) for seed in range(16)])
    z = vae.encode(to_tensor(pictures)).latents.permute(1, 0, 2, 3).flatten(1)
    sizes, axes = torch.linalg.eigh(torch.cov(z))
    turn = axes @ torch.diag(SPREAD * sizes.rsqrt()) @ axes.T
    back = torch.linalg.inv(turn)
    last, first = vae.encoder.layers[-1], vae.decoder.layers[0]
    last.weight.copy_(torch.einsum("ij,jkhw->ikhw", turn, last.weight))
    if last.bias is not None:
        last.bias.copy_(turn @ last.bias)
    first.weight.copy_(torch.einsum("kjhw,ji->kihw", first.weight, back))
    vae.register_to_config(scaling_factor=1 / SPREAD)


def main() -> None:
    options = arguments(__doc__, minutes=30)
    folder = options.out / "stable-diffusion" / "vae"
    ready = (folder / "config.json").exists()
    vae = AutoencoderTiny.from_pretrained(folder) if ready else network()
    vae = vae.float().to(options.device, memory_format=torch.channels_last)

    vae.encoder.requires_grad_(not ready)

    def loss(step: int) -> dict[str, Tensor]:
        x = to_tensor(crops(options.seed * 10_000_000 + step, BATCH)).to(options.device)
        z = vae.encode(x).latents
        y = vae.decode(off(z) if ready else z).sample
        return {
            "l1": F.l1_loss(y.float(), x),
            "mse": F.mse_loss(y.float(), x),
            "size": 1e-4 * z.float().square().mean(),
        }

    def save() -> None:
        print({"psnr_db": round(psnr(vae.eval()), 2)}, flush=True)
        save_half(vae, folder)
        vae.train()

    log, rate = folder / "train.jsonl", 5e-4 if ready else 2e-3
    fit(vae.parameters(), loss, save, options=options, log=log, batch=BATCH, rate=rate, decay=0.0)
    if not ready:
        whiten(vae)
        save()


if __name__ == "__main__":
    main()
