"""Eyes: how well the tools that look see held-out scenes, asked through the real toolbox.

    python -m benchmarks.eyes --count 300

Scenes come from the test split; those that hold a pair training never saw are counted apart.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks import fitting, report
from benchmarks.bench import Bench
from benchmarks.detection import Answer, average_precision
from benchmarks.graph import matches, parse
from benchmarks.hub_size import SIZES, save_sam
from miniature.world.language import questions
from miniature.world.scene import CANVAS, Scene, boxes, draw, masks, sample
from miniature.world.splits import FIRST_SEED
from miniature.world.vocabulary import COLOURS, OBJECTS
from tools.base import Record
from tools.caption import CaptionInput, CaptionOutput
from tools.classify import NONE, ClassifyInput, ClassifyOutput
from tools.errors import InvalidInput
from tools.ground import GroundInput, GroundOutput
from tools.profile import load_profile
from tools.segment import SegmentInput, SegmentOutput
from tools.toolbox import LocalToolbox, Toolbox
from tools.values import Image
from tools.vqa import UNSURE, VqaInput, VqaOutput

VIT_B = replace(SIZES["hub"], sam=(768, 12, 12, 3072), sam_global=(2, 5, 8, 11))
FINDER = "{ground: miniature/weights/owl}"
BATCH = 32  # requests handed over at once
ABSENT = 3  # phrases asked of each scene whose object is not there
FLOOR = 0.01  # threshold below which no box counts towards average precision
BENCH = Bench(
    full="--count 300",
    quick="--count 15",
    seeds="scenes of the test split in order; questions and phrases from seeds 1 and 2",
    higher=(
        "*.*.accuracy",
        "*.ground.ap50",
        "*.caption.scene_graph",
        "*.segment.box_miou",
        "*.segment.click_miou",
    ),
    lower=("*.ground.boxes_on_absent",),
    over={
        "*.classify.accuracy": "scenes",
        "*.vqa.accuracy": "questions",
        "*.caption.scene_graph": "scenes",
    },
)
Out = TypeVar("Out", bound=Record)


def scenes(
    count: int, *, held_out: bool, first: int, fit: Callable[[Scene], bool] | None = None
) -> list[Scene]:
    """The first `count` scenes from seed `first` on that have, or have not, an unseen pair."""
    found: list[Scene] = []
    seed = first
    while len(found) < count:
        scene = sample(seed, held_out_pair=held_out)
        seed += 1
        if fit is None or fit(scene):
            found.append(scene)
    return found


def picture(scene: Scene) -> Image:
    """The scene as tools take it."""
    return Image.from_pixels(draw(scene))


async def ask(toolbox: Toolbox, name: str, inputs: Sequence[Record], kind: type[Out]) -> list[Out]:
    """Answers of a tool, in order.

    Raises:
        ToolError: one of the inputs got no answer.
    """
    answers: list[Out] = []
    for start in range(0, len(inputs), BATCH):
        for answer in await toolbox.call_many(name, inputs[start : start + BATCH]):
            if not isinstance(answer, kind):
                assert isinstance(answer, Exception)
                raise answer
            answers.append(answer)
    return answers


async def names(toolbox: Toolbox, chosen: Sequence[Scene]) -> dict[str, Any]:
    """Zero-shot accuracy of `classify` on scenes of one object, over all names.

    Where the checkpoint is calibrated for it, also how often "none of these" is said, of names
    among which the right one is, and of those among which it is not.
    """
    labels = tuple(OBJECTS)
    asked = [ClassifyInput(image=picture(scene), labels=labels) for scene in chosen]
    answers = await ask(toolbox, "classify", asked, ClassifyOutput)
    best = [answer.probabilities[0] for answer in answers]
    right = [one.label == scene.things[0].name for scene, one in zip(chosen, best, strict=True)]
    found = {
        "scenes": len(chosen),
        "accuracy": report.share(right),
        "calibration_error": fitting.error([one.probability for one in best], right),
    }
    for figure, within in (("none_though_there", True), ("none_as_is_right", False)):
        found[figure] = await _none(toolbox, chosen, within=within)
    return {name: value for name, value in found.items() if value is not None}


async def _none(toolbox: Toolbox, chosen: Sequence[Scene], *, within: bool) -> float | None:
    """Share of "none of these" when the right name is, or is not, among a dozen; or None."""
    asked = []
    for scene in chosen:
        name = scene.things[0].name
        rest = [one for one in OBJECTS if one != name]
        row = (name, *rest[:11]) if within else tuple(rest[:12])
        asked.append(ClassifyInput(image=picture(scene), labels=row, none=True))
    try:
        answers = await ask(toolbox, "classify", asked, ClassifyOutput)
    except InvalidInput:
        return None
    return report.share([answer.probabilities[0].label == NONE for answer in answers])


def phrases(scene: Scene, rng: np.random.Generator) -> tuple[list[str], list[str], list[str]]:
    """Names that are there, names that are not, and coloured names of which the colour is not."""
    there = sorted({thing.name for thing in scene.things})
    rest = [name for name in OBJECTS if name not in there]
    absent = [rest[int(i)] for i in rng.permutation(len(rest))[:ABSENT]]
    miscoloured = []
    for name in there:
        worn = {thing.colour for thing in scene.things if thing.name == name}
        if OBJECTS[name].recolourable:
            others = [colour for colour in COLOURS if colour not in worn]
            miscoloured.append(f"{others[int(rng.integers(len(others)))]} {name}")
    return there, absent, miscoloured


def asked_of(scene: Scene, rng: np.random.Generator) -> tuple[list[str], dict[str, Any]]:
    """The phrases for one scene, and for each the true boxes; none for what is not there."""
    there, absent, miscoloured = phrases(scene, rng)
    truth: dict[str, list[list[int]]] = {phrase: [] for phrase in [*absent, *miscoloured]}
    for name in there:
        truth[name] = []
    for thing, box in zip(scene.things, boxes(scene).tolist(), strict=True):
        truth[thing.name].append(box)
    kinds = dict.fromkeys(absent, "absent") | dict.fromkeys(miscoloured, "other colour")
    return list(truth), {"truth": truth, "kinds": kinds}


async def grounding(
    toolbox: Toolbox, chosen: Sequence[Scene], seed: int
) -> tuple[list[Answer], list[Answer]]:
    """Answers of `ground` to every phrase: at a floor, and at the threshold of the profile."""
    rng = np.random.default_rng(seed)
    plans = [asked_of(scene, rng) for scene in chosen]
    found: list[list[Answer]] = []
    for threshold in (FLOOR, None):
        asked = [
            GroundInput(image=picture(scene), phrases=tuple(plan[0]), threshold=threshold)
            for scene, plan in zip(chosen, plans, strict=True)
        ]
        outputs = await ask(toolbox, "ground", asked, GroundOutput)
        found.append([])
        for (said, plan), output in zip(plans, outputs, strict=True):
            for phrase in said:
                seen = [(one.score, one.box) for one in output.boxes if one.phrase == phrase]
                kind = plan["kinds"].get(phrase, "there")
                found[-1].append(Answer(phrase, kind, plan["truth"][phrase], seen))
    return found[0], found[1]


async def ground(toolbox: Toolbox, chosen: Sequence[Scene]) -> dict[str, Any]:
    """Average precision over names, and how often something is boxed that is not there."""
    low, usual = await grounding(toolbox, chosen, seed=1)
    return {
        "scenes": len(chosen),
        "ap50": average_precision([one for one in low if one.kind != "other colour"]),
        "boxes_on_absent": report.share([bool(one.seen) for one in usual if one.kind == "absent"]),
        "boxes_on_other_colour": report.share(
            [bool(one.seen) for one in usual if one.kind == "other colour"]
        ),
        "right_number_of_boxes": report.share(
            [len(one.seen) == len(one.truth) for one in usual if one.kind == "there"]
        ),
    }


async def vqa(toolbox: Toolbox, chosen: Sequence[Scene]) -> dict[str, Any]:
    """Accuracy on three questions a scene, overall and by kind; how right "unsure" is.

    What it is unsure of counts as wrong. `unsure_rightly` is the share of those answers whose
    guess would have been wrong; `calibration_error` is that of the confidence in the guess.
    """
    rng = np.random.default_rng(2)
    asked = [(scene, one) for scene in chosen for one in questions(scene, rng, 3)]
    inputs = [VqaInput(image=picture(scene), question=one.text) for scene, one in asked]
    answers = await ask(toolbox, "vqa", inputs, VqaOutput)
    right: dict[str, list[bool]] = defaultdict(list)
    for (_, one), answer in zip(asked, answers, strict=True):
        right[one.kind].append(answer.answer.strip().lower() == one.answer)
    every = [value for values in right.values() for value in values]
    by_kind = {kind: report.share(values) for kind, values in sorted(right.items())}
    guessed = [answer.guess == one.answer for (_, one), answer in zip(asked, answers, strict=True)]
    unsure = [answer.answer == UNSURE for answer in answers]
    return {
        "questions": len(asked),
        "accuracy": report.share(every),
        "by_kind": by_kind,
        "unsure": report.share(unsure),
        "unsure_rightly": report.share(
            [not good for good, shy in zip(guessed, unsure, strict=True) if shy]
        ),
        "calibration_error": fitting.error([answer.confidence for answer in answers], guessed),
    }


async def caption(toolbox: Toolbox, chosen: Sequence[Scene]) -> dict[str, Any]:
    """Share of captions that name just what is there."""
    asked = [CaptionInput(image=picture(scene)) for scene in chosen]
    answers = await ask(toolbox, "caption", asked, CaptionOutput)
    graphs = [parse(answer.text) for answer in answers]
    right = [matches(graph, scene) for graph, scene in zip(graphs, chosen, strict=True)]
    objects = [
        graph is not None and graph.groups == scene.groups
        for graph, scene in zip(graphs, chosen, strict=True)
    ]
    return {
        "scenes": len(chosen),
        "scene_graph": report.share(right),
        "objects": report.share(objects),
    }


def overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Intersection over union of two masks (H, W)."""
    return float((one & other).sum() / max(1, (one | other).sum()))


def inner(mask: NDArray[np.bool_]) -> tuple[float, float]:
    """Where a person would click: the middle of the pixel of a mask farthest from its edge."""
    left = mask.copy()
    while (smaller := _eroded(left)).any():
        left = smaller
    y, x = np.argwhere(left)[0]
    return float(x) + 0.5, float(y) + 0.5


def _eroded(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels whose four neighbours are inside too."""
    around = np.pad(mask, 1)
    return mask & around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]


async def segment(toolbox: Toolbox, chosen: Sequence[Scene]) -> dict[str, Any]:
    """Mean IoU of all objects from their boxes, and from one click each; what clicks cost."""
    by_box = [
        SegmentInput(image=picture(scene), boxes=tuple(map(tuple, boxes(scene).tolist())))
        for scene in chosen
    ]
    solid = [(scene, mask) for scene in chosen for mask in masks(scene)]
    by_click = [SegmentInput(image=picture(one), points=(inner(mask),)) for one, mask in solid]
    boxed = await ask(toolbox, "segment", by_box, SegmentOutput)
    clicked = await ask(toolbox, "segment", by_click, SegmentOutput)
    in_order = [mask.pixels for answer in boxed for mask in answer.masks]
    pairs = list(zip(solid, in_order, clicked, strict=True))
    return {
        "scenes": len(chosen),
        "box_miou": float(np.mean([overlap(mask, box) for (_, mask), box, _ in pairs])),
        "click_miou": float(
            np.mean([overlap(mask, click.masks[0].pixels) for (_, mask), _, click in pairs])
        ),
        "second_click_time": await second_click(toolbox, chosen[:20]),
    }


async def second_click(toolbox: Toolbox, chosen: Sequence[Scene], side: int = CANVAS) -> float:
    """Median time of a second click on a picture, `side` px wide, as a share of the first's."""
    shares = []
    for scene in chosen:
        spent = []
        for place in ((1.5, 1.5), (64.5, 64.5)):
            # a picture that no other request has shown: one pixel is its own
            fresh = Image.from_pixels(_marked(draw(scene, side)))
            request = SegmentInput(image=fresh, points=(place,))
            begun = time.perf_counter()
            await ask(toolbox, "segment", [request], SegmentOutput)
            spent.append(time.perf_counter() - begun)
        shares.append(spent[1] / spent[0])
    return float(np.median(shares))


async def public_click(chosen: Sequence[Scene]) -> float:
    """As `second_click`, of a network as large as SAM ViT-B, untrained, on pictures of its size."""
    with tempfile.TemporaryDirectory() as name:
        save_sam(Path(name) / "sam", VIT_B)
        profile = Path(name) / "public.yaml"
        profile.write_text(
            f"extends: miniature\ntools: {{segment: {{checkpoint: {name}/sam, parts: {FINDER}}}}}"
        )
        toolbox = LocalToolbox(load_profile(profile))
        await second_click(toolbox, chosen[:1], VIT_B.sam_side)  # loads it
        return await second_click(toolbox, chosen[1:4], VIT_B.sam_side)


def _marked(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A copy with one pixel black."""
    marked = pixels.copy()
    marked[0, 0] = 0
    return marked


FIGURES = {"ground": ground, "segment": segment, "vqa": vqa, "caption": caption}


async def measure(toolbox: Toolbox, count: int, which: Sequence[str]) -> dict[str, Any]:
    """All figures for scenes with and without an unseen pair, `count` of each."""
    found: dict[str, Any] = {}
    for key, held_out in (("seen", False), ("held out", True)):
        first = FIRST_SEED["test"]
        mixed = scenes(count, held_out=held_out, first=first)
        alone = scenes(count, held_out=held_out, first=first, fit=lambda s: len(s.things) == 1)
        found[key] = {}
        if "classify" in which:
            found[key]["classify"] = await names(toolbox, alone)
        for name, figure in FIGURES.items():
            if name in which:
                found[key][name] = await figure(toolbox, mixed)
    if "segment" in which:
        found["public_size"] = {"second_click_time": await public_click(mixed)}
    return found


def rows(found: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Name of the figure and its values for seen and held-out pairs."""
    seen, unseen = found["seen"], found["held out"]
    for tool, figures in seen.items():
        for name, value in figures.items():
            if isinstance(value, dict):
                for kind in value:
                    other = unseen[tool][name].get(kind)
                    yield f"{tool}, {kind}", report.percent(value[kind]), report.percent(other)
            elif not isinstance(value, int):
                words = f"{tool}: {name.replace('_', ' ')}"
                yield words, report.percent(value), report.percent(unseen[tool][name])


def body(found: dict[str, Any]) -> str:
    """The figures as markdown."""
    made = report.table(("figure", "seen pairs", "held-out pairs"), list(rows(found)))
    if "public_size" not in found:
        return made
    share = report.percent(found["public_size"]["second_click_time"])
    return (
        f"{made}\n\nA second click on a network as large as SAM ViT-B takes {share} of the first."
    )


def main() -> None:
    """Command line."""
    tools = ("classify", *FIGURES)
    parser = argparse.ArgumentParser(description="How well the tools that look see.")
    parser.add_argument("--profile", default="miniature")
    parser.add_argument("--count", type=int, default=300, help="scenes of each sort")
    parser.add_argument("--tools", nargs="+", choices=tools, help="all that the profile has")
    arguments = parser.parse_args()
    toolbox = LocalToolbox(load_profile(arguments.profile))
    alive = [name for name in tools if name in toolbox.names()]
    found = asyncio.run(measure(toolbox, arguments.count, arguments.tools or alive))
    print(body(found))
    if arguments.tools is None:
        command = f"python -m benchmarks.eyes --count {arguments.count}"
        report.write(
            *("eyes", "Eyes: held-out scenes", command, found, body(found)),
            profile=arguments.profile,
        )


if __name__ == "__main__":
    main()
