"""Diffusion: the miniature Stable Diffusion (Rombach et al. 2022, arXiv:2112.10752).

A U-Net on the autoencoder's 16x16x4 latents, told by the trained CLIP's text tower, which draws,
paints under a mask and edits (`miniature/train/tasks.py`): 9 channels, as for inpainting. Velocity
prediction (Salimans & Ho 2022, arXiv:2202.00512) on a schedule that ends in pure noise (Lin et
al. 2023, arXiv:2305.08891), so that flat backgrounds take the colour asked for. Latents are
encoded once and kept in a file; captions are worded anew at each reading. It draws one thing in
the middle: where several may stand anywhere, a small network spends its first hours on places,
and the tool `layout` paints each into its own.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import (
    AutoencoderTiny,
    DPMSolverMultistepScheduler,
    StableDiffusionInpaintPipeline,
    UNet2DConditionModel,
)
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from miniature.train import tasks
from miniature.train.data import scaled, scenes
from miniature.train.run import WeightAverage, arguments, autocast, fit
from miniature.train.tasks import Pixels
from miniature.world.language import caption, describe
from miniature.world.scene import LATTICE, draw
from models.diffusion import Diffusion, Manner, Order

BATCH = 16
SCENES = 9_000  # seeds whose scenes are encoded once, and read again and again in new words
MOST_THINGS = 1  # objects in a scene; raise it once the weights draw these well
CHANGES = 6_000  # pictures to edit and to paint into, likewise
FIRST_CHANGE = 300_000_000  # seed; no recipe of an eye reads so far
DRAWN, PAINTED = 0.45, 0.275  # shares of samples: from nothing, under a mask; the rest are edits
COMPLETE = 0.75  # share of captions that say everything
TOKENS = 24  # of a prompt; StickerWorld's longest captions have 20
UNTOLD = 0.1  # share of samples without a caption, for classifier-free guidance
STEPS = 12  # of the previews
PROMPTS = (
    "a dog",
    "a red apple",
    "a blue book on a yellow background",
    "a rocket on a purple background",
    "a green umbrella",
    "a panda on a pink background",
    "a yellow bell",
    "a pink balloon on a gray background",
)


def unet() -> UNet2DConditionModel:
    """An untrained U-Net: 18 M parameters, attention at 8x8 and 4x4 only.

    Words reach it twice: token by token through attention, and pooled, beside the time step, into
    every block. The second way is learnt much sooner.
    """
    return UNet2DConditionModel(
        sample_size=16,
        in_channels=9,  # noisy latents, mask, latents of what is shown
        out_channels=4,
        block_out_channels=(64, 128, 256),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=256,
        attention_head_dim=(2, 4, 8),  # diffusers' name; it is the number of heads
        addition_embed_type="text",
        addition_embed_type_num_heads=4,
        resnet_time_scale_shift="scale_shift",
    )


def scheduler() -> DPMSolverMultistepScheduler:
    """The noise schedule, with the sampler that the pipeline ships with."""
    return DPMSolverMultistepScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
    )


@torch.no_grad()
def encode(vae: AutoencoderTiny, pictures: Pixels, device: str) -> Tensor:
    """Scaled latents of pictures, RGB, uint8, (N, 128, 128, 3): (N, 4, 16, 16) on the CPU."""
    weights = b"".join(value.cpu().numpy().tobytes() for value in vae.state_dict().values())
    key = hashlib.sha256(weights + pictures.tobytes()).hexdigest()[:16]
    kept = Path(tempfile.gettempdir()) / f"sightloop-latents-{key}.safetensors"
    if kept.exists():
        return load_file(kept)["latents"]
    with autocast(device):
        parts = [
            vae.encode(scaled(pictures[i : i + 50]).to(device)).latents.float().cpu()
            for i in range(0, len(pictures), 50)
        ]
    latents = torch.cat(parts).mul(vae.config.scaling_factor).contiguous()
    save_file({"latents": latents}, kept)
    return latents


class Samples:
    """Everything the network learns from, encoded: scenes to draw, then changes to make.

    Attributes:
        wanted: float32, (N, 4, 16, 16), latents of the picture to end with.
        given: float32, (N, 5, 16, 16), the mask (1 where to paint) and the latents shown.
    """

    def __init__(self, vae: AutoencoderTiny, seed: int, device: str) -> None:
        drawn = scenes(seed * SCENES, SCENES, composed=True)
        self.scenes = list(dict.fromkeys(s for s in drawn if len(s.things) <= MOST_THINGS))
        first = FIRST_CHANGE + seed * CHANGES
        self.changes = [
            make(first + i) for i in range(CHANGES // 2) for make in (tasks.edited, tasks.painted)
        ]
        whole = np.stack([draw(s) for s in self.scenes] + [c.wanted for c in self.changes])
        self.wanted = encode(vae, whole, device)
        shown = encode(vae, np.stack([change.shown for change in self.changes]), device)
        masks = torch.from_numpy(np.stack([change.mask for change in self.changes])).float()
        nothing = torch.zeros(len(self.scenes), 5, *shown.shape[2:])
        nothing[:, 0] = 1
        self.given = torch.cat([nothing, torch.cat([masks[:, None], shown], 1)])

    def rows(self, rng: np.random.Generator) -> list[int]:
        """Which samples make a batch."""
        count = len(self.scenes)
        share, change = rng.random(BATCH), 2 * rng.integers(CHANGES // 2, size=BATCH)
        changed = count + change + (share < DRAWN + PAINTED)  # edited, painted, edited, …
        return list(map(int, np.where(share < DRAWN, rng.integers(count, size=BATCH), changed)))

    def words(self, row: int, rng: np.random.Generator) -> str:
        """What is said of a sample: mostly all that can be, so that little is left to chance."""
        if rng.random() < UNTOLD:
            return ""
        if row >= len(self.scenes):
            return self.changes[row - len(self.scenes)].words
        scene = self.scenes[row]
        return describe(scene) if rng.random() < COMPLETE else caption(scene, rng)

    def __len__(self) -> int:
        return len(self.wanted)


def load(folder: Path, clip: Path) -> StableDiffusionInpaintPipeline:
    """The pipeline so far, or a new one on the trained autoencoder and CLIP text tower."""
    if (folder / "model_index.json").exists():
        return StableDiffusionInpaintPipeline.from_pretrained(folder, torch_dtype=torch.float32)
    return StableDiffusionInpaintPipeline(
        vae=AutoencoderTiny.from_pretrained(folder / "vae", torch_dtype=torch.float32),
        text_encoder=CLIPTextModel.from_pretrained(clip, dtype=torch.float32),
        tokenizer=CLIPTokenizer.from_pretrained(clip, model_max_length=TOKENS),
        unet=unet(),
        scheduler=scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


@torch.no_grad()
def spread(pipeline: StableDiffusionInpaintPipeline, words: list[str]) -> None:
    """Set the conditioning so that captions start far apart, as whitening does for any input.

    The states of the text tower share one large mean: "a red apple" and "a blue apple" begin a
    twentieth of their length apart, and the U-Net takes hours to tell them from each other. The
    tower's last norm is set to centre and scale each channel, the pooled words' projection to
    whiten (softly below the 64th principal component).
    """
    tower, pooled = pipeline.text_encoder, pipeline.unet.add_embedding
    ids = pipeline.tokenizer(
        words, padding="max_length", truncation=True, return_tensors="pt"
    ).input_ids.to(tower.device)
    states = tower(ids).last_hidden_state
    mean, deviation = states.mean((0, 1)), states.std((0, 1))
    norm = tower.get_submodule("final_layer_norm")
    norm.weight.div_(deviation)
    norm.bias.sub_(mean).div_(deviation)
    x = pooled.pool(pooled.norm1(tower(ids).last_hidden_state))
    mean = x.mean(0)
    _, sizes, axes = torch.linalg.svd(x - mean, full_matrices=False)
    sizes = sizes / len(x) ** 0.5
    whiten = axes / (sizes.square() + sizes[64].square()).sqrt()[:, None]
    turn = nn.init.orthogonal_(torch.empty(pooled.proj.out_features, len(whiten)))
    pooled.proj.weight.copy_(turn @ whiten)
    pooled.proj.bias.copy_(-pooled.proj.weight @ mean)


def main() -> None:
    options = arguments(__doc__, minutes=90)
    folder = options.out / "stable-diffusion"
    new = not (folder / "model_index.json").exists()
    pipeline = load(folder, options.out / "clip").to(options.device)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.unet.to(memory_format=torch.channels_last)
    networks = pipeline.unet
    samples = Samples(pipeline.vae, options.seed, options.device)
    print({"samples": len(samples), "std": round(float(samples.wanted.std()), 3)}, flush=True)
    if new:
        worded = np.random.default_rng(options.seed)
        spread(pipeline, [samples.words(row, worded) for row in range(3000)])
    signal = scheduler().alphas_cumprod.to(options.device)

    def loss(step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng((options.seed, step))
        rows = samples.rows(rng)
        words = [samples.words(row, rng) for row in rows]
        ids = pipeline.tokenizer(
            words, padding="max_length", truncation=True, return_tensors="pt"
        ).input_ids.to(options.device)
        with torch.no_grad():
            told = pipeline.text_encoder(ids).last_hidden_state
        x = samples.wanted[rows].to(options.device)
        noise = torch.randn_like(x)
        # mostly noisy: what is drawn is decided there, and it is learnt last
        t = (len(signal) * torch.rand(BATCH, device=options.device).pow(0.6)).long()
        a = signal[t].sqrt()[:, None, None, None]
        b = (1 - signal[t]).sqrt()[:, None, None, None]
        seen = torch.cat([a * x + b * noise, samples.given[rows].to(options.device)], 1)
        seen = seen.contiguous(memory_format=torch.channels_last)
        said = networks(seen, t, encoder_hidden_states=told).sample
        return {"velocity": F.mse_loss(said.float(), a * noise - b * x)}

    average = WeightAverage(networks, decay=0.999)

    def save() -> None:
        moving = {name: value.clone() for name, value in networks.state_dict().items()}
        networks.load_state_dict(average.weights)
        networks.eval()
        preview(pipeline).save(folder / "samples.png")
        for part in (networks, pipeline.vae, pipeline.text_encoder):
            part.half()
        pipeline.save_pretrained(folder)
        for whole in (folder / "unet").glob("*.safetensors"):
            whole.unlink()
        pipeline.unet.save_pretrained(folder / "unet", max_shard_size="15MB")
        for part in (networks, pipeline.vae, pipeline.text_encoder):
            part.float()
        networks.train()
        networks.load_state_dict(moving)

    fit(
        networks.parameters(),
        loss,
        save,
        options=options,
        log=folder / "train.jsonl",
        batch=BATCH,
        rate=6e-4 if new else 4e-4,
        average=average,
    )


def preview(pipeline: StableDiffusionInpaintPipeline) -> Image.Image:
    """The PROMPTS drawn with fixed seeds, then changes: what is shown, what is made of it."""
    hand, manner = Diffusion(pipeline), Manner(STEPS, 1.5)
    orders = [Order(words, "", i) for i, words in enumerate(PROMPTS)]
    made = hand.draw(orders, manner=manner, size_wh=hand.size_wh)
    for i in range(4):
        edit, paint = tasks.edited(i), tasks.painted(i)
        order = Order(edit.words, "", i)
        made += [edit.shown, hand.edit(order, edit.shown, manner=manner, fidelity=1.0)]
        order, mask = Order(paint.words, "", i), paint.mask.repeat(LATTICE, 0).repeat(LATTICE, 1)
        made += [paint.shown, hand.paint(order, paint.wanted, mask, manner=manner)]
    side = hand.size_wh[0]
    sheet = Image.new("RGB", (4 * side, -(-len(made) // 4) * side))
    for i, picture in enumerate(made):
        sheet.paste(Image.fromarray(picture), (i % 4 * side, i // 4 * side))
    return sheet


if __name__ == "__main__":
    main()
