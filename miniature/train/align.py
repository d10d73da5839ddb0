"""Align: two ways to make the U-Net draw what is preferred, each as a LoRA of its own.

    python -m miniature.train.rewards imagereward
    python -m miniature.train.align

Diffusion-DPO (Wallace et al. 2023, arXiv:2311.12908) learns from pairs: of the pictures that the
U-Net itself draws for one request those that the reward likes best and least, and exact drawings
beside such with something wrong. ReFL (Xu et al. 2023, arXiv:2304.05977) draws up to some step,
guesses the end from there and climbs the reward's gradient. Requests are for one thing in a
colour, where the U-Net errs now and then.

The LoRAs (build/aligned) are compared with the untuned U-Net by `python -m benchmarks.alignment`.
The judge of that benchmark has no part in the training.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import DDIMScheduler, StableDiffusionInpaintPipeline
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from torch import Tensor

from miniature.train import rewards
from miniature.train.diffusion import encode, load
from miniature.train.preferences import spoilt
from miniature.train.run import WEIGHTS, arguments, autocast, fit
from miniature.world.language import describe
from miniature.world.scene import Scene, draw, sample
from models import reward
from models.diffusion_concept import CHANGE_FILE
from models.reward import Reward

FIRST = 250_000_000  # seed of the scenes asked for
RANK = 8
LAYERS = ("to_q", "to_k", "to_v", "to_out.0", "time_emb_proj")  # all that words go through
STEPS = 12  # of a drawing, as in profiles/miniature.yaml
BATCH = 8  # pairs, or drawings
REQUESTS, TRIES = 160, 4  # that the U-Net draws to be its own teacher, and pictures of each
EXACT = 400  # pairs of exact drawings
GAP = 1.0  # deviations of the reward between two of its pictures that are told apart
BETA = 2000.0  # of DPO: how near to the untuned U-Net it stays
GOAL = 2.0  # reward beyond which ReFL wants no more
WEIGHT = 0.05  # of ReFL's reward beside the loss that the U-Net was trained with
EARLIEST = 4  # step from which ReFL guesses the end; before, there is nothing to see
OUT = Path("build/aligned")

Loss = Callable[[int], dict[str, Tensor]]


class Hand:
    """The shipped pipeline, frozen, its U-Net under a LoRA that begins as no change."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.pipeline = load(WEIGHTS / "stable-diffusion", WEIGHTS / "clip").to(device)
        self.unet = self.pipeline.unet.requires_grad_(False)
        for part in (self.pipeline.vae, self.pipeline.text_encoder):
            part.requires_grad_(False)
        self.unet.add_adapter(LoraConfig(r=RANK, lora_alpha=RANK, target_modules=list(LAYERS)))
        self.solver = DDIMScheduler.from_config(self.pipeline.scheduler.config, clip_sample=False)
        self.solver.set_timesteps(STEPS)
        self.signal = self.solver.alphas_cumprod.to(device)

    @torch.no_grad()
    def told(self, words: list[str]) -> Tensor:
        """What the U-Net is told: (B, tokens, width)."""
        ids = self.pipeline.tokenizer(
            words, padding="max_length", truncation=True, return_tensors="pt"
        ).input_ids.to(self.device)
        states: Tensor = self.pipeline.text_encoder(ids).last_hidden_state
        return states

    def velocity(self, z: Tensor, t: Tensor, told: Tensor) -> Tensor:
        """What the U-Net says of noisy latents (B, 4, h, w), all masked and nothing shown."""
        given = torch.cat([z, torch.ones_like(z[:, :1]), torch.zeros_like(z)], 1)
        said: Tensor = self.unet(given, t, encoder_hidden_states=told).sample
        return said.float()

    def parts(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Share of the picture and of the noise in latents at steps (B,): each (B, 1, 1, 1)."""
        signal = self.signal[t][:, None, None, None]
        return signal.sqrt(), (1 - signal).sqrt()

    def error(self, x: Tensor, noise: Tensor, t: Tensor, told: Tensor) -> Tensor:
        """Mean square error of the velocity for each of the latents x, (B, 4, h, w): (B,)."""
        a, b = self.parts(t)
        said = self.velocity(a * x + b * noise, t, told)
        return (said - (a * noise - b * x)).square().mean((1, 2, 3))

    def times(self, count: int) -> Tensor:
        """Time steps to learn at: mostly noisy, for what is drawn is decided there; (count,)."""
        share = torch.rand(count, device=self.device).pow(0.6)
        return (len(self.signal) * share).long()

    @torch.no_grad()
    def begun(self, told: Tensor, steps: int = STEPS) -> Tensor:
        """Latents after the first steps of new drawings, (B, 4, h, w); clean after STEPS."""
        side = self.unet.config.sample_size
        z = torch.randn(len(told), 4, side, side, device=self.device)
        for t in self.solver.timesteps[:steps]:
            said = self.velocity(z, t.to(self.device), told)
            z = self.solver.step(said, t, z).prev_sample
        return z

    def shown(self, x: Tensor) -> Tensor:
        """Clean latents as pictures: (B, 3, H, W), about [-1, 1]."""
        vae = self.pipeline.vae
        picture: Tensor = vae.decode(x / vae.config.scaling_factor).sample
        return picture.float()

    def save(self, folder: Path) -> None:
        """Write the LoRA as diffusers reads it, float16."""
        change = get_peft_model_state_dict(self.unet)
        halves = {name: value.half() for name, value in change.items()}
        StableDiffusionInpaintPipeline.save_lora_weights(
            folder, unet_lora_layers=halves, weight_name=CHANGE_FILE
        )


class Pairs(NamedTuple):
    """What DPO learns from.

    Attributes:
        words: N requests.
        better, worse: float32, (N, 4, h, w), scaled latents.
    """

    words: list[str]
    better: Tensor
    worse: Tensor


def asked(first: int, count: int) -> list[Scene]:
    """Scenes of one thing in a colour, in the middle: the first from a seed on."""
    found: list[Scene] = []
    while len(found) < count:
        scene = sample(first, composed=True)
        first += 1
        if len(scene.things) == 1 and scene.things[0].colour:
            found.append(scene)
    return found


@torch.no_grad()
def own(hand: Hand, critic: Reward, scenes: list[Scene]) -> Pairs:
    """The best and the least of TRIES drawings for each scene, where the reward tells them."""
    words: list[str] = []
    better: list[Tensor] = []
    worse: list[Tensor] = []
    for scene in scenes:
        request = describe(scene)
        with autocast(hand.device):
            x = hand.begun(hand.told([request]).repeat(TRIES, 1, 1))
            liked = critic.network(hand.shown(x), critic.read([request] * TRIES))
        if float(liked.max() - liked.min()) >= GAP:
            words.append(request)
            better.append(x[liked.argmax()])
            worse.append(x[liked.argmin()])
    if not words:
        return Pairs([], torch.zeros(0), torch.zeros(0))
    return Pairs(words, torch.stack(better), torch.stack(worse))


def exact(hand: Hand, scenes: list[Scene]) -> Pairs:
    """Exact drawings of scenes, and of the same with another colour, thing or background."""
    rng = np.random.default_rng(0)
    pairs = [spoilt(one, rng, ("colour", "thing", "background"), held_out=False) for one in scenes]
    better, worse = (
        encode(hand.pipeline.vae, np.stack([draw(scene) for scene in side]), hand.device)
        for side in ([one.better for one in pairs], [one.worse for one in pairs])
    )
    return Pairs([one.words for one in pairs], better, worse)


def dpo(hand: Hand, critic: Reward) -> Loss:
    """Diffusion-DPO: the better of two pictures grows likelier, measured from the untuned U-Net.

    Equation 14: -log sigmoid(-beta / 2 ((e_w - r_w) - (e_l - r_l))), with e the U-Net's error on
    the winner w and on the loser l under one noise, r that of the untuned one; beta holds T.
    """
    scenes = asked(FIRST, REQUESTS + EXACT)
    sources = [
        part
        for part in (own(hand, critic, scenes[:REQUESTS]), exact(hand, scenes[REQUESTS:]))
        if part.words
    ]
    print({"pairs": [len(part.words) for part in sources]}, flush=True)

    def loss(step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng(step)
        pairs = sources[step % len(sources)]
        rows = rng.integers(len(pairs.words), size=BATCH)
        told = hand.told([pairs.words[row] for row in rows]).repeat(2, 1, 1)
        x = torch.cat([pairs.better[rows], pairs.worse[rows]]).to(hand.device)
        noise = torch.randn_like(x[:BATCH]).repeat(2, 1, 1, 1)
        t = hand.times(BATCH).repeat(2)
        error = hand.error(x, noise, t, told)
        hand.unet.disable_adapters()
        with torch.no_grad():
            untuned = hand.error(x, noise, t, told)
        hand.unet.enable_adapters()
        better, worse = (error - untuned).view(2, BATCH)
        return {"preference": -F.logsigmoid(-BETA / 2 * (better - worse)).mean()}

    return loss


def refl(hand: Hand, critic: Reward) -> Loss:
    """ReFL: the reward of the guessed end climbs, beside the loss of the training before."""
    scenes = asked(FIRST, EXACT)
    words = [describe(scene) for scene in scenes]
    wanted = encode(hand.pipeline.vae, np.stack([draw(scene) for scene in scenes]), hand.device)

    def loss(step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng(step)
        rows = rng.integers(len(words), size=BATCH)
        requests = [words[row] for row in rows]
        told = hand.told(requests)
        done = int(rng.integers(EARLIEST, STEPS))
        z, t = hand.begun(told, done), hand.solver.timesteps[done].to(hand.device).repeat(BATCH)
        a, b = hand.parts(t)
        guessed = a * z - b * hand.velocity(z, t, told)
        liked = critic.network(hand.shown(guessed), critic.read(requests))
        x = wanted[rows].to(hand.device)
        error = hand.error(x, torch.randn_like(x), hand.times(BATCH), told)
        return {"reward": WEIGHT * F.relu(GOAL - liked).mean(), "velocity": error.mean()}

    return loss


RECIPES: dict[str, Callable[[Hand, Reward], Loss]] = {"dpo": dpo, "refl": refl}


def main() -> None:
    options = arguments(__doc__, minutes=10, out=OUT, names=tuple(RECIPES))
    folder = (rewards.OUT / "imagereward").resolve()
    critic = reward.load(str(folder), options.device, "float32")
    critic.network.requires_grad_(False)
    for name in options.names:
        torch.manual_seed(options.seed)
        hand = Hand(options.device)
        loss = RECIPES[name](hand, critic)
        log = options.out / name / "train.jsonl"
        log.unlink(missing_ok=True)  # each begins anew
        fit(
            hand.unet.parameters(),
            loss,
            partial(hand.save, options.out / name),
            options=options,
            log=log,
            batch=BATCH,
            rate=5e-4,
            decay=0.0,
            warm_up=20,
        )


if __name__ == "__main__":
    main()
