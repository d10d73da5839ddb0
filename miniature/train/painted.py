"""Painted: scenes in the trained U-Net's own hand, with the truth of what they show and where.

Exact drawings, however they are bent (`miniature/train/shown.py`), are not what an eye meets in
the loop: that is what the U-Net draws. So each thing of a scene is drawn exactly, covered with
noise and drawn to its end by the U-Net (SDEdit, Meng et al. 2021, arXiv:2108.01073), in a window of
its own as the tool `layout` paints it. What it shows is known without asking any eye; a thing that
does not keep to its outline is left out. Pictures are kept in files and read again and again.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import load_file, save_file

from miniature.train.diffusion import load
from miniature.train.run import WEIGHTS
from miniature.train.tasks import Pixels
from miniature.world.language import noun_phrase
from miniature.world.scene import CANVAS, Scene, Thing, draw, masks, sample
from miniature.world.vocabulary import BACKGROUNDS

FIRST = 450_000_000  # seed; no other recipe reads from there on
FILES, FILE = 20, 50  # of painted scenes, and scenes in each
BATCH = 16  # things painted at once
STEPS, GUIDANCE = 12, 1.5  # as in profiles/miniature.yaml
STRENGTH = 0.5, 0.9  # of the noise that covers the exact drawing
SIDE = 64  # px of a window that its thing takes: half, as in the profile
INNER = slice(SIDE // 2, -SIDE // 2), slice(SIDE // 2, -SIDE // 2)
DIFFERS = 40  # of 255, in any colour: from where on a pixel is not the ground's
KEEPS = 0.6  # overlap (IoU) of a thing's mask with that of its exact drawing, at least
STRAYS = 45.0  # of 255: distance of its mean colour from that of its exact drawing, at most


class Painted(NamedTuple):
    """A painted scene.

    Attributes:
        scene: what it shows; where its things are, the masks say.
        picture: RGB, uint8, (128, 128, 3).
        masks: bool, (things, 128, 128).
    """

    scene: Scene
    picture: Pixels
    masks: NDArray[np.bool_]


def gallery(device: str) -> list[Painted]:
    """All that recipes learn from. Where it is not there yet it is painted, in a quarter hour."""
    return [one for file in range(FILES) for one in painted(file, device)]


def painted(file: int, device: str) -> list[Painted]:
    """The scenes of one file, made now or read: some of FILE fail and are left out."""
    digest = hashlib.sha256(f"{file} {STEPS} {GUIDANCE} {STRENGTH} {KEEPS} {STRAYS}".encode())
    for part in sorted((WEIGHTS / "stable-diffusion" / "unet").glob("*.safetensors")):
        digest.update(part.read_bytes())
    path = Path(tempfile.gettempdir()) / f"sightloop-painted-{digest.hexdigest()[:16]}.safetensors"
    seeds = range(FIRST + file * FILE, FIRST + (file + 1) * FILE)
    if not path.exists():
        save_file(_made(seeds, device), path)
    held = load_file(path)
    scenes = [_scene(int(seed)) for seed in held["seeds"]]
    ends = np.cumsum([len(scene.things) for scene in scenes])[:-1]
    parts = zip(scenes, held["pictures"], np.split(held["masks"], ends), strict=True)
    return [Painted(*part) for part in parts]


def _scene(seed: int) -> Scene:
    """Half of the scenes are composed, half have things anywhere."""
    return sample(seed, composed=seed % 2 == 0)


def _made(seeds: range, device: str) -> dict[str, NDArray[Any]]:
    """The scenes of some seeds painted: seeds, pictures and masks of those that came out right."""
    scenes = {seed: _scene(seed) for seed in seeds}
    alone = [
        Scene(scene.background, (Thing(thing.name, thing.colour, "large", SIDE // 2, SIDE // 2),))
        for scene in scenes.values()
        for thing in scene.things
    ]
    windows: list[Pixels] = []
    for i in range(0, len(alone), BATCH):
        windows += _painted(alone[i : i + BATCH], np.random.default_rng((seeds[0], i)), device)
    made = list(zip(windows, alone, strict=True))
    found: dict[str, list[Any]] = {"seeds": [], "pictures": [], "masks": []}
    for seed, scene in scenes.items():
        own = [made.pop(0) for _ in scene.things]
        if all(_keeps(window, exact) for window, exact in own):
            picture, covered = _laid(scene, [window for window, _ in own])
            found["seeds"].append(np.int64(seed))
            found["pictures"].append(picture)
            found["masks"].append(covered)
    return {
        "seeds": np.array(found["seeds"]),
        "pictures": np.stack(found["pictures"]),
        "masks": np.concatenate(found["masks"]),
    }


@cache
def _pipeline(device: str) -> Any:
    pipeline = load(WEIGHTS / "stable-diffusion", WEIGHTS / "clip").to(device)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _painted(alone: list[Scene], rng: np.random.Generator, device: str) -> list[Pixels]:
    """Things, each in the middle of a window, drawn to their end by the U-Net."""
    mask = np.zeros((CANVAS, CANVAS), np.uint8)
    mask[INNER] = 255
    made = _pipeline(device)(
        [noun_phrase(scene.things[0].group) for scene in alone],
        image=[Image.fromarray(draw(scene)) for scene in alone],
        mask_image=[Image.fromarray(mask)] * len(alone),
        height=CANVAS,
        width=CANVAS,
        strength=float(rng.uniform(*STRENGTH)),
        num_inference_steps=STEPS,
        guidance_scale=GUIDANCE,
        generator=torch.Generator("cpu").manual_seed(int(rng.integers(2**31))),
        output_type="np",
    ).images
    return list((made * 255).round().astype(np.uint8))


def _thing(window: Pixels) -> NDArray[np.bool_]:
    """What is not ground, in the middle of a window: bool, (64, 64)."""
    border = np.concatenate([window[:8].reshape(-1, 3), window[-8:].reshape(-1, 3)])
    other = np.abs(window - np.median(border, 0)).max(2) > DIFFERS
    return np.asarray(other[INNER])


def _keeps(window: Pixels, exact: Scene) -> bool:
    """Whether a painted thing has the outline and the colour of its exact drawing."""
    (whole,) = masks(exact)
    meant = whole[INNER]
    ours = _thing(window)
    if float((ours & meant).sum()) < KEEPS * float((ours | meant).sum()):
        return False
    strays = window[whole].mean(0) - draw(exact)[whole].mean(0)
    return float(np.linalg.norm(strays)) <= STRAYS


def _laid(scene: Scene, windows: list[Pixels]) -> tuple[Pixels, NDArray[np.bool_]]:
    """Windows shrunk into their places of one picture, and the masks of their things."""
    picture = np.empty((CANVAS, CANVAS, 3), np.uint8)
    picture[:] = BACKGROUNDS[scene.background]
    covered = np.zeros((len(windows), CANVAS, CANVAS), np.bool_)
    for mask, window, thing in zip(covered, windows, scene.things, strict=True):
        size = (thing.side, thing.side)
        place = slice(thing.y, thing.y + thing.side), slice(thing.x, thing.x + thing.side)
        seen, solid = Image.fromarray(window[INNER]), Image.fromarray(_thing(window))
        picture[place] = np.asarray(seen.resize(size, Image.Resampling.LANCZOS))
        mask[place] = np.asarray(solid.resize(size, Image.Resampling.NEAREST))
    return picture, covered


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    for file in range(FILES):
        right = painted(file, options.device)
        print({"file": file, "painted right": len(right), "of": FILE}, flush=True)


if __name__ == "__main__":
    main()
