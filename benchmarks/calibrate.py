"""Calibrate: how far scores are to be believed, from scenes that nothing else reads.

    python -m benchmarks.calibrate

Run it after new weights of OWL, BLIP or CLIP. It writes `calibration.json` beside them, one curve
for each kind of score, then fits the verifier's limits on the calibrated tools and writes
`agent/verifier.json`. A third of the scenes are as drawn, the rest as a diffusion model draws
them. A calibrated box is as likely right as wrong at a score of 0.5: that is the threshold to put
into the profile, wherever the detector is used. What it comes to on other scenes is measured by
`benchmarks.eyes` and `benchmarks.verifier`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import fitting, verifier
from benchmarks.detection import Answer, hits
from benchmarks.eyes import FLOOR, ask, picture, scenes
from benchmarks.pictured import Pictures, pictures
from miniature.train import cards
from miniature.world.language import describe, edits, questions
from miniature.world.scene import Scene
from miniature.world.splits import FIRST_SEED
from miniature.world.vocabulary import COLOURS, OBJECTS
from models import calibration, weights
from models.blip import kind
from models.calibration import Curve
from tools.classify import NONE, ClassifyInput, ClassifyOutput
from tools.ground import GroundInput, GroundOutput
from tools.profile import Profile, load_profile
from tools.score import ScoreInput, ScoreOutput
from tools.toolbox import LocalToolbox, Toolbox
from tools.vqa import VqaInput, VqaOutput

FIRST = FIRST_SEED["calibration"]
ABSENT = 3  # names asked of each picture whose object is not there
LABELS = 12  # names to choose from


@contextmanager
def uncalibrated(profile: Profile, names: Sequence[str]) -> Iterator[Toolbox]:
    """The tools of a profile on the same weights, their scores as the networks give them."""
    with tempfile.TemporaryDirectory() as folder:
        tools = {}
        for name in names:
            settings = profile.tools[name]
            bare = Path(folder) / Path(settings.checkpoint).name
            bare.mkdir(exist_ok=True)
            for path in weights.locate(settings.checkpoint).iterdir():
                if path.name != calibration.FILE and not (bare / path.name).exists():
                    (bare / path.name).symlink_to(path)
            tools[name] = settings.model_copy(update={"checkpoint": str(bare)})
        if "classify" in tools:  # which tells that nothing fits only with a curve for it
            calibration.write(Path(tools["classify"].checkpoint), {"fits": Curve()})
        yield LocalToolbox(profile.model_copy(update={"tools": tools}))


def phrases(scene: Scene, seen: Sequence[Any], rng: np.random.Generator) -> dict[str, list[Any]]:
    """What is looked for in one picture, and the true boxes of each; none if it is not there.

    Names with and without their colour, names that are not there, names in a wrong colour.
    """
    wanted: dict[str, list[Any]] = defaultdict(list)
    for thing, box in zip(scene.things, seen, strict=True):
        wanted[thing.name].append(box)
        if thing.colour:
            wanted[f"{thing.colour} {thing.name}"].append(box)
            wrong = str(rng.choice([colour for colour in COLOURS if colour != thing.colour]))
            wanted.setdefault(f"{wrong} {thing.name}", [])
    rest = [name for name in OBJECTS if name not in wanted]
    for i in rng.permutation(len(rest))[:ABSENT]:
        wanted[rest[int(i)]] = []
    return dict(wanted)


async def boxes(toolbox: Toolbox, given: Pictures) -> dict[str, Curve]:
    """The curve of the detector's scores: the belief that a box lies on what is meant."""
    rng = np.random.default_rng(3)
    plans = [
        phrases(scene, seen.tolist(), rng)
        for scene, seen in zip(given.scenes, given.shown.boxes, strict=True)
    ]
    asked = [
        GroundInput(image=image, phrases=tuple(plan), threshold=FLOOR)
        for image, plan in zip(given.images, plans, strict=True)
    ]
    cases: list[tuple[float, bool, str]] = []
    for plan, output in zip(plans, await ask(toolbox, "ground", asked, GroundOutput), strict=True):
        for phrase, truth in plan.items():
            found = [(one.score, one.box) for one in output.boxes if one.phrase == phrase]
            answer = Answer(phrase, "", truth, found)
            cases += [(score, hit, phrase.split()[-1]) for score, hit in hits(answer)]
    scores, true, words = zip(*cases, strict=True)
    return {"box": fitting.curve(scores, true, words)}


async def answers(toolbox: Toolbox, given: Pictures) -> dict[str, Curve]:
    """The curves of answers by kind of question; see `models.blip.kind`."""
    rng = np.random.default_rng(5)
    asked = [
        (image, question)
        for scene, image in zip(given.scenes, given.images, strict=True)
        for question in questions(scene, rng, 5)
        if question.kind != "size"  # which a picture that is shown larger does not keep
    ]
    inputs = [VqaInput(image=image, question=question.text) for image, question in asked]
    cases: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    for (_, question), said in zip(
        asked, await ask(toolbox, "vqa", inputs, VqaOutput), strict=True
    ):
        yes_no = question.answer in ("yes", "no")
        belief, right = said.confidence, said.guess == question.answer
        if yes_no:
            belief = belief if said.guess == "yes" else 1 - belief
            right = question.answer == "yes"
        cases[kind(question.text, yes_no)].append((belief, right))
    return {name: fitting.curve(*zip(*pairs, strict=True)) for name, pairs in cases.items()}


async def labels(toolbox: Toolbox, given: Pictures) -> dict[str, Curve]:
    """How sharp probabilities of labels are, and the belief that any fits; of boxed things."""
    rng = np.random.default_rng(7)
    names, inputs, asked = list(OBJECTS), [], []
    for scene, seen, image in zip(given.scenes, given.shown.boxes, given.images, strict=True):
        name = scene.things[0].name
        rest = [str(one) for one in rng.permutation([one for one in names if one != name])]
        fits = bool(rng.random() < 0.5)
        row = [name, *rest[: LABELS - 1]] if fits else rest[:LABELS]
        box = tuple(float(side) for side in seen[0].clamp(0, 128))
        inputs.append(ClassifyInput(image=image, labels=tuple(row), box=box, none=True))
        asked.append((row, fits))
    chances, some = [], []
    for (row, _), output in zip(
        asked, await ask(toolbox, "classify", inputs, ClassifyOutput), strict=True
    ):
        share = {one.label: one.probability for one in output.probabilities}
        some.append(1 - share[NONE])
        chances.append([share[label] / max(some[-1], 1e-4) for label in row])
    fitting_rows = [row for row, (_, fits) in zip(chances, asked, strict=True) if fits]
    sharp = fitting.sharpness(fitting_rows, [0] * len(fitting_rows))
    return {
        "label": Curve(slope=sharp),
        "fits": fitting.curve(some, [fits for _, fits in asked]),
    }


async def descriptions(toolbox: Toolbox, count: int) -> dict[str, float]:
    """Middle and slope for `score`, which stand in the profile, and how often they are right."""
    rng = np.random.default_rng(4)
    chosen = scenes(count, held_out=False, first=FIRST + 100_000)
    pairs = [(scene, describe(scene), True) for scene in chosen]
    for scene in chosen:
        ways = edits(scene, rng)
        pairs.append((scene, describe(ways[int(rng.integers(len(ways)))].after), False))
    inputs = [ScoreInput(image=picture(scene), text=text) for scene, text, _ in pairs]
    said = await ask(toolbox, "score", inputs, ScoreOutput)
    raw = np.array([answer.raw for answer in said])
    true = np.array([truth for _, _, truth in pairs])
    centre, spread = raw.mean(), raw.std() + 1e-9
    x = np.stack([(raw - centre) / spread, np.ones_like(raw)], 1)
    bend, shift = fitting.newton(x, true, np.array([fitting.SLIGHT] * 2))
    slope = float(bend / spread)
    middle = float(centre - shift / slope)
    return {"middle": middle, "slope": slope, "right": float(np.mean((raw > middle) == true))}


FITS = {"ground": boxes, "vqa": answers, "classify": labels}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="How far scores are to be believed.")
    parser.add_argument("--profile", default="miniature")
    parser.add_argument("--count", type=int, default=300, help="scenes")
    parser.add_argument(
        "--tools", nargs="+", choices=(*FITS, "score", "verifier"), help="all of them"
    )
    arguments = parser.parse_args()
    profile = load_profile(arguments.profile)
    chosen = arguments.tools or (*FITS, "score", "verifier")
    torch.manual_seed(0)  # pictures are softened at random
    given = pictures(arguments.count, FIRST)
    alive = [name for name in FITS if name in chosen]
    with uncalibrated(profile, alive) as toolbox:
        found = {name: asyncio.run(FITS[name](toolbox, given)) for name in alive}
    for name, curves in found.items():
        print(calibration.write(weights.locate(profile.tools[name].checkpoint), curves))
    cards.main()  # curves lie beside the weights, and their digests are listed
    if "score" in chosen:
        figures = asyncio.run(descriptions(LocalToolbox(profile), arguments.count))
        print("score, for the profile:", json.dumps(figures))
    if "verifier" in chosen:
        given = pictures(arguments.count // 2, FIRST + 200_000)
        print(asyncio.run(verifier.fit(LocalToolbox(profile), given)))


if __name__ == "__main__":
    main()
