"""Encoders, each for the same time on the same pictures.

    python -m miniature.train.encoders
    python -m miniature.train.encoders dino eva --minutes 30

They are there to be compared (`python -m benchmarks.encoders`), not to be shipped: folders under
build/encoders, any of which `sightloop index add … --encoder build/encoders/dino` takes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from miniature.train.data import scaled, scenes
from miniature.train.encoders import masked, views, words
from miniature.train.encoders.trunk import BATCH, Batch, Learner
from miniature.train.run import arguments, fit
from miniature.world.scene import draw

SCENES = 12_000  # drawn once, read by all
FIRST = 100_000_000  # seed
OUT = Path("build/encoders")
RECIPES: dict[str, Callable[[str], Learner]] = {
    "labels": words.labels,
    "clip": words.clip,
    "align": words.align,
    "coca": words.coca,
    "unicl": words.unicl,
    "simclr": views.simclr,
    "dino": views.dino,
    "beit": masked.beit,
    "beitv2": masked.beitv2,
    "mvp": masked.mvp,
    "eva": masked.eva,
}


def main() -> None:
    options = arguments(__doc__, minutes=4, out=OUT, names=tuple(RECIPES))
    album = scenes(FIRST + options.seed * SCENES, SCENES)
    pictures = np.stack([draw(scene) for scene in album])
    for name in options.names:
        torch.manual_seed(options.seed)
        begun = time.monotonic()
        learner = RECIPES[name](options.device)
        print({"encoder": name, "made_in_s": round(time.monotonic() - begun, 1)}, flush=True)

        def loss(step: int, learner: Learner = learner) -> dict[str, Tensor]:
            rng = np.random.default_rng((options.seed, step))
            rows = rng.integers(len(album), size=BATCH)
            x = scaled(pictures[rows]).to(options.device)
            return learner.loss(Batch(x, [album[row] for row in rows], rng))

        folder: Path = options.out / name
        log = folder / "train.jsonl"
        log.unlink(missing_ok=True)  # each begins anew
        fit(
            [one for network in learner.networks for one in network.parameters()],
            loss,
            partial(learner.save, folder),
            options=options,
            log=log,
            batch=BATCH,
            rate=1e-3,
            decay=0.05,
            average=learner.follower,
        )


if __name__ == "__main__":
    main()
