"""Scene: a StickerWorld picture with its exact truth; sampled by seed, drawn from sprites.

Objects sit on an 8 px lattice (the stride of the miniature's autoencoder) and never overlap, so
boxes and masks are exact.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from miniature.world.splits import HELD_OUT_SEED, has_held_out_pair
from miniature.world.sprites import sprite
from miniature.world.vocabulary import (
    BACKGROUNDS,
    COLOURS,
    KINDS,
    OBJECTS,
    OPPOSITE,
    SIZES,
    Kind,
    Relation,
    Size,
)

CANVAS = 128  # px
LATTICE = 8  # px
RELATION_MARGIN = 16  # px between centres before a relation is said to hold

Group = tuple[str, str | None]  # what counting counts: (name, colour)


@dataclass(frozen=True)
class Thing:
    """One object of a scene.

    Attributes:
        name: a word of OBJECTS.
        colour: a word of COLOURS, None for objects in their own colours.
        size: small or large.
        x, y: top-left corner of its square, pixels of the base canvas.
    """

    name: str
    colour: str | None
    size: Size
    x: int
    y: int

    @property
    def side(self) -> int:
        """Side of its square, pixels of the base canvas."""
        return SIZES[self.size]

    @property
    def centre(self) -> tuple[float, float]:
        """Centre (x, y) of its square, pixels of the base canvas."""
        return self.x + self.side / 2, self.y + self.side / 2

    @property
    def group(self) -> Group:
        """What it counts as."""
        return self.name, self.colour


@dataclass(frozen=True)
class Scene:
    """A background and one to four objects."""

    background: str
    things: tuple[Thing, ...]

    @property
    def groups(self) -> dict[Group, int]:
        """How many of each (name, colour), in the order of the objects."""
        return dict(Counter(thing.group for thing in self.things))


def relations(first: Thing, second: Thing) -> tuple[Relation, ...]:
    """Relations of `first` to `second` that hold, the more pronounced axis first."""
    dx = first.centre[0] - second.centre[0]
    dy = first.centre[1] - second.centre[1]
    found: list[tuple[float, Relation]] = [
        (abs(dx), "left" if dx < 0 else "right"),
        (abs(dy), "above" if dy < 0 else "below"),
    ]
    found.sort(key=lambda pair: -pair[0])
    return tuple(relation for distance, relation in found if distance >= RELATION_MARGIN)


def opposite(relation: Relation) -> Relation:
    """The relation of the second object to the first."""
    return OPPOSITE[relation]


def draw(scene: Scene, size: int = CANVAS) -> NDArray[np.uint8]:
    """Paint a scene.

    Args:
        scene: what to paint.
        size: side of the picture, pixels; objects and places scale with it.

    Returns:
        RGB, uint8, (size, size, 3).
    """
    canvas = np.empty((size, size, 3), np.uint8)
    canvas[:] = BACKGROUNDS[scene.background]
    for thing in scene.things:
        (x0, y0, x1, y1), pixels = _placed(thing, size)
        alpha = pixels[..., 3:].astype(np.uint16)
        under = canvas[y0:y1, x0:x1]
        under[:] = (pixels[..., :3] * alpha + under * (255 - alpha) + 127) // 255
    return canvas


def masks(scene: Scene, size: int = CANVAS) -> NDArray[np.bool_]:
    """Exact mask of each object: bool, (objects, size, size)."""
    found = np.zeros((len(scene.things), size, size), np.bool_)
    for mask, thing in zip(found, scene.things, strict=True):
        (x0, y0, x1, y1), pixels = _placed(thing, size)
        mask[y0:y1, x0:x1] = pixels[..., 3] >= 128
    return found


def boxes(scene: Scene, size: int = CANVAS) -> NDArray[np.int64]:
    """Exact box of each object: int64, (objects, 4), x0, y0, x1, y1 px, x1 y1 excluded."""
    return np.array([_box(thing, size) for thing in scene.things], np.int64).reshape(-1, 4)


def _placed(thing: Thing, size: int) -> tuple[tuple[int, int, int, int], NDArray[np.uint8]]:
    """The object's square on a picture of that size, and its RGBA pixels."""
    side = thing.side * size // CANVAS
    x0, y0 = thing.x * size // CANVAS, thing.y * size // CANVAS
    return (x0, y0, x0 + side, y0 + side), sprite(thing.name, thing.colour, side)


@cache
def _extent(name: str, side: int) -> tuple[int, int, int, int]:
    """Box of the drawing inside its square; the colour does not change it."""
    kind = OBJECTS[name]
    colour = next(iter(COLOURS)) if kind.recolourable else None
    solid = sprite(name, colour, side)[..., 3] >= 128
    rows, columns = np.flatnonzero(solid.any(1)), np.flatnonzero(solid.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _box(thing: Thing, size: int) -> tuple[int, int, int, int]:
    side = thing.side * size // CANVAS
    x, y = thing.x * size // CANVAS, thing.y * size // CANVAS
    x0, y0, x1, y1 = _extent(thing.name, side)
    return x + x0, y + y0, x + x1, y + y1


def sample(seed: int, *, held_out_pair: bool | None = None, composed: bool = False) -> Scene:
    """The scene of a seed; the same for ever.

    Args:
        seed: below HELD_OUT_SEED for training, from there on for evaluation.
        held_out_pair: whether the scene must (True) or must not (False) hold a pair that
            training never sees. None means: never below HELD_OUT_SEED, either way above.
        composed: objects stand where a person would put them, one in the middle, two side by
            side or one above the other, both large, three and four small in the corners; else
            anywhere.

    Raises:
        ValueError: a held-out pair was asked of a training seed.
    """
    if seed < HELD_OUT_SEED:
        if held_out_pair:
            raise ValueError(f"seed {seed} is for training, which never sees held-out pairs")
        held_out_pair = False
    rng = np.random.Generator(np.random.Philox(seed))
    while True:
        scene = _propose(rng, composed)
        if held_out_pair is None:
            return scene
        if has_held_out_pair(thing.group for thing in scene.things) == held_out_pair:
            return scene


def _propose(rng: np.random.Generator, composed: bool) -> Scene:
    """One object (35%), two different (35%), two to four alike (15%), three or four mixed (15%)."""
    background = _pick(rng, tuple(BACKGROUNDS))
    plan = rng.random()
    if plan < 0.35:
        groups = [_group(rng)]
    elif plan < 0.70:
        groups = [_group(rng), _group(rng)]
    elif plan < 0.85:
        groups = [_group(rng)] * int(rng.integers(2, 5))
    else:
        groups = [_group(rng) for _ in range(int(rng.integers(2, 4)))]
        groups += [groups[0]] if rng.random() < 0.5 or len(groups) == 2 else []
    while True:
        things = _compose(rng, groups) if composed else _place(rng, groups)
        if things is not None:
            return Scene(background, things)


def _place(rng: np.random.Generator, groups: list[Group]) -> tuple[Thing, ...] | None:
    """Squares on the lattice that do not overlap, or None when this try does not fit."""
    large = 0.5 if len(groups) <= 2 else 0.2 if len(groups) == 3 else 0.0
    things: list[Thing] = []
    for name, colour in groups:
        size: Size = "large" if rng.random() < large else "small"
        for _ in range(20):
            x, y = (int(v) for v in rng.integers(0, (CANVAS - SIZES[size]) // LATTICE + 1, 2))
            thing = Thing(name, colour, size, x * LATTICE, y * LATTICE)
            if not any(_overlap(thing, other) for other in things):
                things.append(thing)
                break
        else:
            return None
    return tuple(things)


def _compose(rng: np.random.Generator, groups: list[Group]) -> tuple[Thing, ...]:
    """Objects in fixed places, on the lattice."""
    alike = len(set(groups)) == 1
    size: Size = "large" if len(groups) <= 2 else "small"
    side = SIZES[size]
    if len(groups) == 1:
        centres = [(64, 64)]
    elif len(groups) == 2:
        centres = [(32, 64), (96, 64)] if alike or rng.random() < 0.5 else [(64, 32), (64, 96)]
    else:
        centres = [(32, 32), (96, 32), (32, 96), (96, 96)][: len(groups)]
    return tuple(
        Thing(name, colour, size, *((middle - side // 2) // LATTICE * LATTICE for middle in centre))
        for (name, colour), centre in zip(groups, centres, strict=True)
    )


def _overlap(a: Thing, b: Thing) -> bool:
    return a.x < b.x + b.side and b.x < a.x + a.side and a.y < b.y + b.side and b.y < a.y + a.side


def _group(rng: np.random.Generator) -> Group:
    # recolourable kinds twice as often: they have seven looks, the others one
    weight = np.array([2.0 if kind.recolourable else 1.0 for kind in KINDS])
    kind: Kind = KINDS[int(rng.choice(len(KINDS), p=weight / weight.sum()))]
    return kind.name, _pick(rng, tuple(COLOURS)) if kind.recolourable else None


def _pick(rng: np.random.Generator, words: tuple[str, ...]) -> str:
    return words[int(rng.integers(len(words)))]
