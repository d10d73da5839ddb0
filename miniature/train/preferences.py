"""Preferences: pairs of pictures, of which one satisfies more of a request than the other.

A scene is asked for in full, and beside it stands the same scene with one thing wrong, so which
picture is better is known without asking anybody. By a request for the other scene it is the
other picture: so nothing but what they show, measured by the words, tells them apart. They are
drawn exactly, as a diffusion model draws (`miniature/train/shown.py`), or by the U-Net itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple, TypeVar, get_args

import numpy as np
from torch import Tensor

from miniature.train.painted import Painted
from miniature.train.shown import shown
from miniature.world.language import describe
from miniature.world.scene import CANVAS, LATTICE, Scene, Thing, relations, sample
from miniature.world.splits import has_held_out_pair
from miniature.world.vocabulary import BACKGROUNDS, COLOURS, OBJECTS, SIZES

Item = TypeVar("Item")
Fault = Literal["colour", "binding", "thing", "missing", "extra", "sides", "background"]
FAULTS: tuple[Fault, ...] = get_args(Fault)
TRIED: dict[Fault, float] = {  # how often, first: those that few scenes can have, more often
    "colour": 3.0,
    "binding": 5.0,
    "thing": 1.0,
    "missing": 2.0,
    "extra": 2.0,
    "sides": 5.0,
    "background": 1.0,
}
FIRST = 200_000_000  # seed of the first pair to learn from
UNSAID = 0.3  # share of requests that name no background, where it is not what is wrong
MOST = 4  # things in a scene


class Pair(NamedTuple):
    """A request and two scenes.

    Attributes:
        words: true of `better`, untrue of `worse`.
        better: as asked.
        worse: as asked but for one thing.
        fault: what is wrong with `worse`.
        against: true of `worse`, untrue of `better`.
    """

    words: str
    better: Scene
    worse: Scene
    fault: Fault
    against: str


class Batch(NamedTuple):
    """Requests and two pictures for each.

    Attributes:
        words: B requests.
        better: float32, (B, 3, 128, 128) in [-1, 1], as asked.
        worse: likewise, with something wrong.
        against: B requests, by which the pictures change places.
    """

    words: list[str]
    better: Tensor
    worse: Tensor
    against: list[str]


def pair(seed: int, *, held_out: bool = False) -> Pair:
    """The pair of a seed; the same for ever.

    Args:
        seed: as of `miniature.world.scene.sample`; half of the scenes are composed.
        held_out: whether the scene asked for holds a pair that training never sees; if not,
            neither scene does.

    Raises:
        ValueError: a held-out pair was asked of a training seed.
    """
    rng = np.random.default_rng(seed)
    better = sample(seed, held_out_pair=held_out, composed=bool(rng.random() < 0.5))
    return spoilt(better, rng, held_out=held_out)


def spoilt(
    scene: Scene, rng: np.random.Generator, faults: Sequence[Fault] = FAULTS, *, held_out: bool
) -> Pair:
    """The scene beside one with a fault, of those that it can have.

    Args:
        scene: as asked.
        rng: decides.
        faults: to choose from; "background" fits every scene.
        held_out: whether the worse scene may hold a pair that training never sees.
    """
    tried = np.array([TRIED[fault] for fault in faults])
    for place in rng.choice(len(faults), len(faults), replace=False, p=tried / tried.sum()):
        fault = faults[place]
        worse = _MAKERS[fault](scene, rng)
        if worse and (held_out or not has_held_out_pair(worse.groups)):
            words, against = describe(scene), describe(worse)
            if fault != "background" and rng.random() < UNSAID:
                words, against = (said.rpartition(" on ")[0] for said in (words, against))
            return Pair(words, scene, worse, fault, against)
    return spoilt(scene, rng, faults, held_out=held_out)  # another colour, another thing


def batch(
    first: int, count: int, rng: np.random.Generator, painted: Sequence[Painted] = ()
) -> Batch:
    """Pairs with their pictures, most of them as a diffusion model draws.

    Args:
        first: seed of the first of `count` pairs to draw; of training.
        count: how many.
        rng: decides.
        painted: by the U-Net, each beside a drawing with a fault.
    """
    drawn = [pair(first + i) for i in range(count)]
    pairs = [*drawn, *(spoilt(one.scene, rng, held_out=False) for one in painted)]
    words, against = [one.words for one in pairs], [one.against for one in pairs]
    return Batch(words, *pictures(pairs, rng, painted), against)


def pictures(
    pairs: Sequence[Pair], rng: np.random.Generator, painted: Sequence[Painted] = ()
) -> tuple[Tensor, Tensor]:
    """The pictures of pairs.

    Args:
        pairs: drawn exactly or bent.
        rng: decides.
        painted: by the U-Net, in place of the better scenes of the last pairs.

    Returns:
        Better and worse: float32, (pairs, 3, 128, 128) in [-1, 1].
    """
    drawn = pairs[: len(pairs) - len(painted)]
    scenes = [one.worse for one in pairs] + [one.better for one in drawn]
    x = shown(scenes, rng, painted).pixels
    return x[len(pairs) :], x[: len(pairs)]


def _recoloured(scene: Scene, rng: np.random.Generator) -> Scene | None:
    """One thing in another colour."""
    where = [i for i, thing in enumerate(scene.things) if thing.colour]
    if not where:
        return None
    i = _pick(rng, where)
    others = [colour for colour in COLOURS if colour != scene.things[i].colour]
    return _with(scene, {i: replace(scene.things[i], colour=_pick(rng, others))})


def _bound(scene: Scene, rng: np.random.Generator) -> Scene | None:
    """Two things of different kinds in each other's colours."""
    things = scene.things
    both = [
        (i, j)
        for i in range(len(things))
        for j in range(i)
        if things[i].colour
        and things[j].colour
        and things[i].colour != things[j].colour
        and things[i].name != things[j].name
    ]
    if not both:
        return None
    i, j = _pick(rng, both)
    first, second = things[i], things[j]
    return _with(
        scene,
        {i: replace(first, colour=second.colour), j: replace(second, colour=first.colour)},
    )


def _exchanged(scene: Scene, rng: np.random.Generator) -> Scene:
    """Another thing in place of one, in its colour where it can have one."""
    i = int(rng.integers(len(scene.things)))
    thing = scene.things[i]
    present = {other.name for other in scene.things}
    name = _pick(rng, [name for name in OBJECTS if name not in present])
    colour = (thing.colour or _pick(rng, list(COLOURS))) if OBJECTS[name].recolourable else None
    return _with(scene, {i: replace(thing, name=name, colour=colour)})


def _short(scene: Scene, rng: np.random.Generator) -> Scene | None:
    """One thing less, where one is left."""
    if len(scene.things) == 1:
        return None
    gone = int(rng.integers(len(scene.things)))
    return replace(scene, things=scene.things[:gone] + scene.things[gone + 1 :])


def _crowded(scene: Scene, rng: np.random.Generator) -> Scene | None:
    """One more of what is there, where there is room."""
    if len(scene.things) == MOST:
        return None
    twin = _pick(rng, scene.things)
    side = SIZES["small"]
    for _ in range(20):
        x, y = (int(v) * LATTICE for v in rng.integers(0, (CANVAS - side) // LATTICE + 1, 2))
        if all(
            abs(x - one.x) >= (side if x < one.x else one.side)
            or abs(y - one.y) >= (side if y < one.y else one.side)
            for one in scene.things
        ):
            more = Thing(twin.name, twin.colour, "small", x, y)
            return replace(scene, things=(*scene.things, more))
    return None


def _swapped(scene: Scene, rng: np.random.Generator) -> Scene | None:
    """Two things, each in the other's place, where a side is said."""
    if len(scene.things) != 2:
        return None
    first, second = scene.things
    if first.group == second.group or not relations(first, second):
        return None
    return replace(
        scene,
        things=(
            replace(first, name=second.name, colour=second.colour),
            replace(second, name=first.name, colour=first.colour),
        ),
    )


def _regrounded(scene: Scene, rng: np.random.Generator) -> Scene:
    """Another background."""
    return replace(
        scene, background=_pick(rng, [word for word in BACKGROUNDS if word != scene.background])
    )


_MAKERS: dict[Fault, Callable[[Scene, np.random.Generator], Scene | None]] = {
    "colour": _recoloured,
    "binding": _bound,
    "thing": _exchanged,
    "missing": _short,
    "extra": _crowded,
    "sides": _swapped,
    "background": _regrounded,
}


def _with(scene: Scene, changed: dict[int, Thing]) -> Scene:
    things = tuple(changed.get(i, thing) for i, thing in enumerate(scene.things))
    return replace(scene, things=things)


def _pick(rng: np.random.Generator, items: Sequence[Item]) -> Item:
    return items[int(rng.integers(len(items)))]
