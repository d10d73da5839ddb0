"""Encoders: the same small tower taught in eleven ways for the same time, compared.

    python -m miniature.train.encoders
    python -m benchmarks.encoders --folder build/encoders

Scenes of one thing are told by the object on them, words find scenes of any number of things.
Seen and held-out are the (object, colour) pairs: no way of teaching was ever shown the latter.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from benchmarks import report
from benchmarks.bench import Bench
from benchmarks.eyes import scenes
from benchmarks.retrieval import recall
from miniature.train.encoders.trunk import BATCH
from miniature.world.language import article, describe
from miniature.world.scene import Scene, draw
from miniature.world.splits import FIRST_SEED
from miniature.world.vocabulary import OBJECTS
from models import encoders
from tools.errors import InvalidInput

NAMES = list(OBJECTS)
NEIGHBOURS = 10
SHIPPED = "shipped clip"
DECAY = 1e-4  # of the probe's weights
BENCH = Bench(
    seeds="probe learns from the train split, scenes of the test split in order",
    higher=("encoders.*.*.*",),
    needs="--folder",
    over={"encoders.*.*.zero_shot": "scenes", "encoders.*.*.knn": "scenes"},
)
COLUMNS = {
    "zero_shot": "zero-shot",
    "probe": "linear probe",
    "knn": f"{NEIGHBOURS}-NN",
    "map": "image→image mAP",
    "r_at_1": "text→image R@1",
    "r_at_5": "R@5",
}


class Album(NamedTuple):
    """Scenes with their pictures.

    Attributes:
        scenes: what is on them.
        pictures: of each, RGB, uint8, (128, 128, 3).
    """

    scenes: list[Scene]
    pictures: list[NDArray[np.uint8]]

    @property
    def names(self) -> Tensor:
        """Index of the first thing's name in NAMES: int64, (N,)."""
        return torch.tensor([NAMES.index(scene.things[0].name) for scene in self.scenes])


def album(count: int, *, held_out: bool, first: int, alone: bool) -> Album:
    """The first scenes from a seed on, of one thing each if `alone`."""
    fit = (lambda scene: len(scene.things) == 1) if alone else None
    found = scenes(count, held_out=held_out, first=first, fit=fit)
    return Album(found, [draw(scene) for scene in found])


def probe(x: Tensor, names: Tensor) -> torch.nn.Linear:
    """Logistic regression on features (N, D), which are centred and scaled within it."""
    mean, spread = x.mean(0), x.std(0) + 1e-6
    layer = torch.nn.Linear(x.shape[1], len(NAMES))
    z = (x - mean) / spread
    optimizer = torch.optim.LBFGS(layer.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(layer(z), names) + DECAY * layer.weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        layer.bias.sub_(layer.weight @ (mean / spread))
        layer.weight.div_(spread)
    return layer


def neighbours(known: Tensor, names: Tensor, asked: Tensor) -> Tensor:
    """The name that most of the nearest have: int64, (M,), for unit vectors (N, D), (M, D)."""
    near = names[(asked @ known.T).topk(NEIGHBOURS).indices]
    votes = F.one_hot(near, len(NAMES)).sum(1)
    return votes.argmax(1)


def precision(vectors: Tensor, names: Tensor) -> float:
    """Mean average precision of finding, by each picture, the others of its name."""
    order = (vectors @ vectors.T).fill_diagonal_(float("-inf")).argsort(1, descending=True)[:, :-1]
    right = (names[order] == names[:, None]).float()
    rank = torch.arange(1, right.shape[1] + 1)
    found = right.sum(1)
    average = (right * right.cumsum(1) / rank).sum(1) / found.clamp(min=1)
    return float(average[found > 0].mean())


def figures(encoder: Any, learnt: Album, alone: Album, many: Album) -> dict[str, float | None]:
    """What an encoder is worth on scenes of one thing, and of any number."""
    # clones: what inference made takes no gradient
    known, asked = (encoder.pictures(one.pictures).cpu().clone() for one in (learnt, alone))
    layer = probe(known, learnt.names)
    made: dict[str, float | None] = {
        "probe": _share(layer(asked).argmax(1), alone),
        "knn": _share(neighbours(known, learnt.names, asked), alone),
        "map": precision(asked, alone.names),
        "zero_shot": None,
        "r_at_1": None,
        "r_at_5": None,
    }
    if encoder.speaks:
        labels = encoder.texts([article(name) for name in NAMES]).cpu()
        made["zero_shot"] = _share((asked @ labels.T).argmax(1), alone)
        words = [describe(scene) for scene in many.scenes]
        pictures = encoder.pictures(many.pictures).cpu().numpy()
        made |= recall(pictures, encoder.texts(words).cpu().numpy(), words)
    return {name: made[name] for name in COLUMNS}


def _share(said: Tensor, album: Album) -> float:
    return float((said == album.names).float().mean())


def samples(folder: Path) -> int:
    """Pictures that an encoder learnt from, by its log."""
    last = json.loads((folder / "train.jsonl").read_text().splitlines()[-1])
    return int(last["step"]) * BATCH


def plot(found: dict[str, Any], path: Path) -> None:
    """Linear probes and k-NN side by side, seen pairs and held-out ones."""
    from matplotlib.figure import Figure

    names = list(found)
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axes = figure.subplots()
    for place, (split, metric) in enumerate(
        (split, metric) for metric in ("probe", "knn") for split in ("seen", "held out")
    ):
        values = [100 * found[name][split][metric] for name in names]
        where = np.arange(len(names)) + 0.2 * (place - 1.5)
        axes.bar(where, values, 0.2, label=f"{COLUMNS[metric]}, {split} pairs")
    axes.set(ylabel="% of objects right", ylim=(0, 100))
    axes.set_xticks(range(len(names)), names)
    axes.legend(ncols=2, fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})


def body(found: dict[str, Any]) -> str:
    """The figures as markdown."""
    parts = [
        f"Each tower had {found['minutes']:g} minutes of one core; the last row is the shipped "
        "CLIP, which had hours and exact labels of patches. BEiT v2, MVP and EVA learn from that "
        f"CLIP's features. {found['scenes']} scenes of one thing ({len(NAMES)} objects; probe and "
        f"neighbours know {found['learnt']} others), {found['many']} scenes for words to find."
    ]
    for split in ("seen", "held out"):
        rows = [
            (
                f"`{name}`",
                f"{one['samples']:,}" if one["samples"] else "",
                *(report.percent(one[split][column]) for column in COLUMNS),
            )
            for name, one in found["encoders"].items()
        ]
        parts += [
            f"## {split.capitalize()} pairs",
            report.table(("encoder", "pictures", *COLUMNS.values()), rows),
        ]
    return "\n\n".join((*parts, "![objects right by encoder](encoders.svg)"))


def measure(folders: dict[str, Path], count: int, learnt: int, many: int) -> dict[str, Any]:
    """Figures of each encoder, on seen pairs and on held-out ones."""
    known = album(learnt, held_out=False, first=FIRST_SEED["train"], alone=True)
    sets = {
        split: [
            album(size, held_out=held_out, first=FIRST_SEED["test"], alone=alone)
            for size, alone in ((count, True), (many, False))
        ]
        for split, held_out in (("seen", False), ("held out", True))
    }
    made: dict[str, Any] = {}
    for name, folder in folders.items():
        encoder = encoders.load(str(folder), "cpu", "float32")
        made[name] = {split: figures(encoder, known, *two) for split, two in sets.items()}
        made[name]["samples"] = samples(folder) if name != SHIPPED else 0
        print({name: made[name]}, flush=True)
    return made


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Encoders compared at equal compute.")
    parser.add_argument("--folder", type=Path, required=True, help="made by the training recipe")
    parser.add_argument("--minutes", type=float, default=4, help="that each was trained")
    parser.add_argument("--count", type=int, default=300, help="scenes of one thing")
    parser.add_argument("--learnt", type=int, default=1200, help="scenes that the probe learns")
    parser.add_argument("--many", type=int, default=300, help="scenes that words find")
    given = parser.parse_args()
    folders = {
        one.name: one for one in sorted(given.folder.iterdir()) if (one / "train.jsonl").is_file()
    }
    if not folders:
        raise InvalidInput(f"no encoders in {given.folder}; `python -m miniature.train.encoders`")
    folders[SHIPPED] = Path("miniature/weights/clip")
    found: dict[str, Any] = {
        "minutes": given.minutes,
        "scenes": given.count,
        "learnt": given.learnt,
        "many": given.many,
        "encoders": measure(folders, given.count, given.learnt, given.many),
    }
    command = " ".join(["python -m benchmarks.encoders", *sys.argv[1:]])
    plot(found["encoders"], report.place("encoders", command) / "encoders.svg")
    report.write("encoders", "Encoders at equal compute", command, found, body(found))


if __name__ == "__main__":
    main()
