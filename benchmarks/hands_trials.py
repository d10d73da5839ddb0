"""Trials: what each hand is asked in the benchmark, and what its picture must then show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.expectation import Expectation, Wanted
from benchmarks.judge import Sight, overlap
from miniature.train import control
from miniature.world import language
from miniature.world.language import Edit, article, describe, noun_phrase
from miniature.world.scene import CANVAS, Scene, Thing, boxes, draw, masks, sample
from miniature.world.splits import FIRST_SEED, held_out_colours
from miniature.world.vocabulary import BACKGROUNDS
from models import edges
from tools.values import Box, Image

FIRST = FIRST_SEED["test"] + 70_000_000
HIT = 0.5  # IoU of a thing with the box asked for it
CONCEPT = "zorp"

Verdicts = Callable[[Sight], list[bool]]


@dataclass(frozen=True)
class Trial:
    """One request to a tool.

    Attributes:
        words: what is asked, for a reader.
        arguments: of the tool's input.
        verdicts: what the judge's sight of the picture made is right in; mostly one thing.
        truth: the picture that a perfect tool would make.
        before: the picture given, or the map; None where none is.
        given: the argument that `before` is; empty where it is shown to the reader alone.
        learn: arguments of `customize` that must have run before.
        solid: where things must stand, bool, (128, 128), if the tool was told by a map.
    """

    words: str
    arguments: dict[str, Any]
    verdicts: Verdicts
    truth: Image
    before: Image | None = None
    given: str = "image"
    learn: dict[str, Any] | None = None
    solid: NDArray[np.bool_] | None = None


def trials(tool: str) -> Iterator[Trial]:
    """Trials of a tool without end, those of `customize` excepted; always the same ones."""
    if tool == "customize":
        yield from _concepts()
        return
    make = MAKERS[tool]
    seed = FIRST
    while True:
        found = make(sample(seed, composed=True), np.random.default_rng(seed))
        seed += 1
        if found is not None:
            yield found


def picture(scene: Scene) -> Image:
    """A scene drawn; one without things is plain ground."""
    if scene.things:
        return Image.from_pixels(draw(scene))
    return Image.from_pixels(np.full((CANVAS, CANVAS, 3), BACKGROUNDS[scene.background], np.uint8))


def shows(scene: Scene) -> Verdicts:
    """Whether the judge sees just this scene, places aside."""
    wanted = tuple(
        Wanted(name, colour, count, exactly=True) for (name, colour), count in scene.groups.items()
    )
    expectation = Expectation(wanted, background=scene.background)
    number = len(scene.things)
    return lambda sight: [sight.meets(expectation) and len(sight.things) == number]


def hits(things: list[tuple[Thing, Box]]) -> Verdicts:
    """For each thing, whether the judge sees it in its box."""

    def verdicts(sight: Sight) -> list[bool]:
        return [
            any(
                overlap(seen.box, box) >= HIT
                for seen in sight.matching(Wanted(thing.name, thing.colour))
            )
            for thing, box in things
        ]

    return verdicts


def _placed(scene: Scene) -> list[tuple[Thing, Box]]:
    found: NDArray[np.int64] = boxes(scene)
    return [
        (thing, (float(x0), float(y0), float(x1), float(y1)))
        for thing, (x0, y0, x1, y1) in zip(scene.things, found, strict=True)
    ]


def _without(scene: Scene, gone: Thing) -> Scene:
    rest = tuple(thing for thing in scene.things if thing.group != gone.group)
    return replace(scene, things=rest)


def _generate(scene: Scene, rng: np.random.Generator) -> Trial | None:
    if len(scene.things) > 1:
        return None
    words = describe(scene)
    return Trial(
        words, {"prompt": words, "seed": int(rng.integers(2**31))}, shows(scene), picture(scene)
    )


def _layout(scene: Scene, rng: np.random.Generator) -> Trial | None:
    placed = _placed(scene)
    things = [{"phrase": noun_phrase(thing.group), "box": box} for thing, box in placed]
    words = describe(scene)
    arguments = {"prompt": words, "things": things, "seed": int(rng.integers(2**31))}
    return Trial(words, arguments, hits(placed), picture(scene))


def _inpaint(scene: Scene, rng: np.random.Generator) -> Trial | None:
    thing, box = _placed(scene)[int(rng.integers(len(scene.things)))]
    before = picture(replace(scene, things=tuple(o for o in scene.things if o is not thing)))
    words = noun_phrase(thing.group)
    arguments = {"prompt": words, "boxes": [box], "seed": int(rng.integers(2**31))}
    return Trial(words, arguments, hits([(thing, box)]), picture(scene), before)


def _remove(scene: Scene, rng: np.random.Generator) -> Trial | None:
    thing = scene.things[int(rng.integers(len(scene.things)))]
    words = noun_phrase(thing.group)
    arguments = {"phrase": words, "seed": int(rng.integers(2**31))}
    after = _without(scene, thing)
    return Trial(f"remove {words}", arguments, shows(after), picture(after), picture(scene))


def _replace(scene: Scene, rng: np.random.Generator) -> Trial | None:
    edit = next((one for one in language.edits(scene, rng) if one.kind == "replace"), None)
    if edit is None:
        return None
    old, new = scene.things[edit.touched[0]], edit.after.things[edit.touched[0]]
    arguments = {
        "phrase": noun_phrase(old.group),
        "prompt": noun_phrase(new.group),
        "seed": int(rng.integers(2**31)),
    }
    after = edit.after
    return Trial(edit.instruction, arguments, shows(after), picture(after), picture(scene))


def _edit(scene: Scene, rng: np.random.Generator) -> Trial | None:
    made: list[Edit] = language.edits(scene, rng)
    edit = made[int(rng.integers(len(made)))]
    arguments = {"instruction": edit.instruction, "seed": int(rng.integers(2**31))}
    after = edit.after
    return Trial(edit.instruction, arguments, shows(after), picture(after), picture(scene))


def _control(scene: Scene, rng: np.random.Generator) -> Trial | None:
    """Turn by turn along edges and along regions, of one thing or two."""
    if len(scene.things) > 2:
        return None
    by_edges = bool(rng.random() < 0.5)
    truth = picture(scene)
    finder = edges.load(edges.CHECKPOINT, "cpu", "float32")
    found = control.outlines(truth.pixels, finder) if by_edges else control.regions(scene, rng)
    shown, words = Image.from_pixels(found), describe(scene)
    arguments = {
        "prompt": words,
        "kind": "edges" if by_edges else "segmentation",
        "seed": int(rng.integers(2**31)),
    }
    solid = np.asarray(masks(scene).any(0))
    return Trial(words, arguments, hits(_placed(scene)), truth, shown, "condition", solid=solid)


def _concepts() -> Iterator[Trial]:
    """Things in colours that training never showed them in, learnt from four pictures each.

    Told apart by the judge, who knows each kind in each colour. On each of the eight grounds once.
    """
    for name, colour in sorted(held_out_colours()):
        places = {"white": (32, 32), "blue": (24, 32), "green": (32, 40), "pink": (40, 24)}
        shown = [
            picture(Scene(ground, (Thing(name, colour, "large", *place),)))
            for ground, place in places.items()
        ]
        learn = {"images": shown, "name": CONCEPT}
        for seed, ground in enumerate(BACKGROUNDS):
            prompt = f"a {CONCEPT} on {article(ground)} background"
            truth = Scene(ground, (Thing(name, colour, "large", 32, 32),))
            yield Trial(
                f"{prompt} ({colour} {name})",
                {"prompt": prompt, "seed": seed},
                shows(truth),
                picture(truth),
                before=shown[0],
                given="",
                learn=learn,
            )


MAKERS: dict[str, Callable[[Scene, np.random.Generator], Trial | None]] = {
    "generate": _generate,
    "layout": _layout,
    "inpaint": _inpaint,
    "remove": _remove,
    "replace": _replace,
    "edit": _edit,
    "control": _control,
}
TOOLS = (*MAKERS, "customize")
