"""Diffusion: the miniature Stable Diffusion (Rombach et al. 2022, arXiv:2112.10752).

A U-Net on the autoencoder's 16x16x4 latents, told by the trained CLIP's text tower. Velocity
prediction (Salimans & Ho 2022, arXiv:2202.00512) on a schedule that ends in pure noise (Lin et
al. 2023, arXiv:2305.08891), so that flat backgrounds take the colour asked for. Latents are
encoded once and kept in a file; captions are worded anew at each reading. Its scenes are composed
ones: where a thing may stand anywhere, a small network spends its first hours on places.
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
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from miniature.train.data import pixels, scenes
from miniature.train.run import WeightAverage, arguments, autocast, fit
from miniature.world.language import caption, describe
from miniature.world.scene import Scene

BATCH = 16
SCENES = 9_000  # seeds whose scenes are encoded once, and read again and again in new words
MOST_THINGS = 1  # objects in a scene; raise it once the weights draw these well
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
    "a cat and a tree",
    "a red heart and a blue star",
    "a yellow bell to the left of a cow",
    "a pizza above a purple lock",
    "two bees",
    "three green apples on a white background",
    "four pigs",
    "a pink balloon to the right of a burger on a gray background",
    "a frog, a sun and a red key",
    "a small turtle on a brown background",
)


def unet() -> UNet2DConditionModel:
    """An untrained U-Net: 18 M parameters, attention at 8x8 and 4x4 only.

    Words reach it twice: token by token through attention, and pooled, beside the time step, into
    every block. The second way is learnt much sooner.
    """
    return UNet2DConditionModel(
        sample_size=16,
        in_channels=4,
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
def encode(vae: AutoencoderTiny, batch: list[Scene], device: str) -> Tensor:
    """Scaled latents of the scenes: (B, 4, 16, 16) float16 on the CPU."""
    weights = b"".join(value.cpu().numpy().tobytes() for value in vae.state_dict().values())
    key = hashlib.sha256(weights + repr(batch).encode()).hexdigest()[:16]
    kept = Path(tempfile.gettempdir()) / f"sightloop-latents-{key}.safetensors"
    if kept.exists():
        return load_file(kept)["latents"]
    with autocast(device):
        parts = [
            vae.encode(pixels(batch[i : i + 50]).to(device)).latents.float().cpu()
            for i in range(0, len(batch), 50)
        ]
    latents = torch.cat(parts).mul(vae.config.scaling_factor).half().contiguous()
    save_file({"latents": latents}, kept)
    return latents


def load(folder: Path, clip: Path) -> StableDiffusionPipeline:
    """The pipeline so far, or a new one on the trained autoencoder and CLIP text tower."""
    if (folder / "model_index.json").exists():
        return StableDiffusionPipeline.from_pretrained(folder, torch_dtype=torch.float32)
    return StableDiffusionPipeline(
        vae=AutoencoderTiny.from_pretrained(folder / "vae", torch_dtype=torch.float32),
        text_encoder=CLIPTextModel.from_pretrained(clip, dtype=torch.float32),
        tokenizer=CLIPTokenizer.from_pretrained(clip, model_max_length=TOKENS),
        unet=unet(),
        scheduler=scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def told_of(scene: Scene, rng: np.random.Generator) -> str:
    """What is said of a scene: mostly all there is to say, so that little is left to chance."""
    if rng.random() < UNTOLD:
        return ""
    return describe(scene) if rng.random() < COMPLETE else caption(scene, rng)


@torch.no_grad()
def spread(pipeline: StableDiffusionPipeline, words: list[str]) -> None:
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
    drawn = scenes(options.seed * SCENES, SCENES, composed=True)
    known = list(dict.fromkeys(scene for scene in drawn if len(scene.things) <= MOST_THINGS))
    latents = encode(pipeline.vae, known, options.device)
    print({"encoded": len(latents), "std": round(float(latents.float().std()), 3)}, flush=True)
    if new:
        worded = np.random.default_rng(options.seed)
        spread(pipeline, [caption(scene, worded) for scene in known[:3000]])
    signal = scheduler().alphas_cumprod.to(options.device)

    def loss(step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng((options.seed, step))
        rows = rng.integers(len(known), size=BATCH)
        words = [told_of(known[row], rng) for row in rows]
        ids = pipeline.tokenizer(
            words, padding="max_length", truncation=True, return_tensors="pt"
        ).input_ids.to(options.device)
        with torch.no_grad():
            told = pipeline.text_encoder(ids).last_hidden_state
        x = latents[rows].float().to(options.device)
        noise = torch.randn_like(x)
        # mostly noisy: what is drawn is decided there, and it is learnt last
        t = (len(signal) * torch.rand(BATCH, device=options.device).pow(0.6)).long()
        a = signal[t].sqrt()[:, None, None, None]
        b = (1 - signal[t]).sqrt()[:, None, None, None]
        noisy = (a * x + b * noise).contiguous(memory_format=torch.channels_last)
        said = pipeline.unet(noisy, t, encoder_hidden_states=told).sample
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
        rate=6e-4,
        average=average,
    )


def preview(pipeline: StableDiffusionPipeline) -> Image.Image:
    """The PROMPTS drawn with fixed seeds, four a row."""
    seeds = [torch.Generator().manual_seed(i) for i in range(len(PROMPTS))]
    drawn = pipeline(
        list(PROMPTS), num_inference_steps=STEPS, guidance_scale=1.5, generator=seeds
    ).images
    side = drawn[0].width
    sheet = Image.new("RGB", (4 * side, -(-len(drawn) // 4) * side))
    for i, picture in enumerate(drawn):
        sheet.paste(picture, (i % 4 * side, i // 4 * side))
    return sheet


if __name__ == "__main__":
    main()
