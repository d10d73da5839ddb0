"""Lessons: what the captioner is asked about the pictures it is shown, and what is true of them.

Three kinds of lessons are beside what is asked in the end. Where a thing is, and on which side of
another it lies, must be known before a side can be affirmed or denied. And pictures with turned
colours, asked about all but colour, teach that a shape is more than the colours it came in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from miniature.world.language import Question, article, questions
from miniature.world.scene import CANVAS, Scene, Thing, opposite, relations
from miniature.world.splits import held_out_colours
from miniature.world.vocabulary import COLOURS, KINDS, RELATION_WORDS

ASKED = 6  # questions about each picture
SHAPE = ("presence", "count")  # kinds of the world's questions that turned colours leave true
PLACES = ("top", "middle", "bottom"), ("left", "middle", "right")
SMALL, LARGE = 46, 50  # px, longest side: at most, at least; between, nobody asks


@dataclass(frozen=True)
class Named:
    """A thing, and words that mean no other of its picture.

    Attributes:
        words: "dog", "red apple".
        thing: what is named; its place in the scene decides relations.
        centre: x, y of its box in the picture as shown, 0..1.
        side: longest side of that box, px.
    """

    words: str
    thing: Thing
    centre: tuple[float, float]
    side: float


@dataclass(frozen=True)
class Lesson:
    """A question, its answer, and the things it names."""

    text: str
    answer: str
    about: tuple[Named, ...] = ()


def named(scene: Scene, boxes: Tensor, *, coloured: bool) -> list[Named]:
    """How each thing can be called so that no other is meant.

    Args:
        scene: what the picture is of.
        boxes: (objects, 4), px of the picture as shown.
        coloured: whether colours are true.
    """
    names = [thing.name for thing in scene.things]
    said = []
    for thing, (x0, y0, x1, y1) in zip(scene.things, boxes.tolist(), strict=True):
        centre, side = ((x0 + x1) / 2 / CANVAS, (y0 + y1) / 2 / CANVAS), max(x1 - x0, y1 - y0)
        if names.count(thing.name) == 1:
            said.append(Named(thing.name, thing, centre, side))
        if coloured and thing.colour and scene.groups[thing.group] == 1:
            said.append(Named(f"{thing.colour} {thing.name}", thing, centre, side))
    return said


def beside(called: list[Named], rng: np.random.Generator) -> Lesson | None:
    """Where a thing lies by another, or whether it does; None where no two can be compared."""
    pairs = [
        (one, other) for one in called for other in called if relations(one.thing, other.thing)
    ]
    if not pairs:
        return None
    one, other = pairs[int(rng.integers(len(pairs)))]
    held = relations(one.thing, other.thing)
    if rng.random() < 0.3:
        sides = " ".join(sorted(held, key=("above", "below", "left", "right").index))
        return Lesson(f"where is the {one.words} by the {other.words}?", sides, (one, other))
    relation = held[int(rng.integers(len(held)))]
    holds = bool(rng.random() < 0.5)
    side = RELATION_WORDS[relation if holds else opposite(relation)]
    text = f"is the {one.words} {side} the {other.words}?"
    return Lesson(text, ("no", "yes")[holds], (one, other))


def where(called: list[Named], rng: np.random.Generator) -> Lesson:
    """In which ninth of the picture a thing is."""
    one = called[int(rng.integers(len(called)))]
    x, y = (min(2, int(3 * middle)) for middle in one.centre)
    return Lesson(f"where is the {one.words}?", f"{PLACES[0][y]} {PLACES[1][x]}", (one,))


def sized(called: list[Named], rng: np.random.Generator) -> Lesson | None:
    """Whether a thing is small or large; None for what is neither."""
    one = called[int(rng.integers(len(called)))]
    if SMALL < one.side < LARGE:
        return None
    answer = "small" if one.side <= SMALL else "large"
    return Lesson(f"is the {one.words} small or large?", answer, (one,))


def paired(scene: Scene, rng: np.random.Generator) -> Lesson:
    """Whether there is a thing of some name and colour; hardly ever."""
    painted = [kind.name for kind in KINDS if kind.recolourable]
    name = painted[int(rng.integers(len(painted)))]
    colour = tuple(COLOURS)[int(rng.integers(len(COLOURS)))]
    answer = "yes" if (name, colour) in scene.groups else "no"
    return Lesson(f"is there {article(f'{colour} {name}')}?", answer)


def fair(text: str) -> bool:
    """Whether it names no held-out pair; of those, training would hear only that they are not."""
    return not any(f"{colour} {name}" in text for name, colour in held_out_colours())


def lessons(
    scene: Scene, boxes: Tensor, rng: np.random.Generator, *, coloured: bool
) -> list[Lesson]:
    """`ASKED` questions about a picture, half of them about places where things can be told apart.

    Args:
        scene: what the picture is of.
        boxes: (objects, 4), px of the picture as shown.
        rng: chooses.
        coloured: whether colours are true.
    """
    asked: list[Lesson | None] = []
    called = named(scene, boxes, coloured=coloured)
    if called:
        if rng.random() < 0.5:
            asked.append(where(called, rng))
        asked += [beside(called, rng) for _ in range(ASKED // 2)]
        if rng.random() < 0.3:
            asked.append(sized(called, rng))
    if coloured and rng.random() < 0.3:
        asked.append(paired(scene, rng))
    kept = [one for one in asked if one and fair(one.text)]
    while len(kept) < ASKED:
        more = [_lesson(one) for one in questions(scene, rng, 2) if _allowed(one, coloured)]
        kept += [one for one in more if fair(one.text)]
    return kept[:ASKED]


def _allowed(question: Question, coloured: bool) -> bool:
    """Whether a question of the world is true of the picture as shown, and not made here."""
    return question.kind not in ("size", "relation") and (coloured or question.kind in SHAPE)


def _lesson(question: Question) -> Lesson:
    return Lesson(question.text, question.answer)
