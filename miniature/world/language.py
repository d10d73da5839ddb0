"""Language: what is said and asked about a scene: captions, questions with answers, edits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from miniature.world.scene import Group, Scene, Thing, opposite, relations, sample
from miniature.world.vocabulary import (
    BACKGROUNDS,
    COLOURS,
    COUNT_WORDS,
    KINDS,
    OBJECTS,
    RELATION_WORDS,
)

QuestionKind = Literal["presence", "count", "colour", "background", "relation", "size"]
EditKind = Literal["recolour", "remove", "replace", "background"]
OPENINGS = ("a picture of", "an image of", "a drawing of", "a sticker scene with")


@dataclass(frozen=True)
class Question:
    """A question and its one right answer, all lower case."""

    kind: QuestionKind
    text: str
    answer: str


@dataclass(frozen=True)
class Edit:
    """An instruction, the scene after it, and which objects it touches.

    `touched` indexes the objects of the scene before; empty when only the background changes.
    """

    kind: EditKind
    instruction: str
    after: Scene
    touched: tuple[int, ...]


def article(words: str) -> str:
    """The words with their indefinite article."""
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def noun_phrase(group: Group, count: int = 1, size: str | None = None, colour: bool = True) -> str:
    """Such as "a red apple", "three cats", "a small dog"."""
    kind = OBJECTS[group[0]]
    words = [size, group[1] if colour else None, kind.name if count == 1 else kind.plural]
    said = " ".join(word for word in words if word)
    return article(said) if count == 1 else f"{COUNT_WORDS[count]} {said}"


def listed(phrases: list[str]) -> str:
    """Joined with commas and "and"."""
    return phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])} and {phrases[-1]}"


def describe(scene: Scene) -> str:
    """The one full description, which the captioner learns to say.

    Objects from left to right with colours and counts, relation of two, background.
    """
    ordered = sorted(scene.things, key=lambda thing: (thing.centre, thing.name))
    body = _relation_or_list(tuple(ordered))
    return f"{body} on {article(scene.background)} background"


def _relation_or_list(things: tuple[Thing, ...]) -> str:
    if len(things) == 2 and things[0].group != things[1].group:
        held = relations(*things)
        if held:
            first, second = (noun_phrase(thing.group) for thing in things)
            return f"{first} {RELATION_WORDS[held[0]]} {second}"
    counts: dict[Group, int] = {}
    for thing in things:
        counts[thing.group] = counts.get(thing.group, 0) + 1
    return listed([noun_phrase(group, count) for group, count in counts.items()])


def caption(scene: Scene, rng: np.random.Generator) -> str:
    """A description in varied wording; says only what is true, not all that is."""
    things = [scene.things[i] for i in rng.permutation(len(scene.things))]
    colour = bool(rng.random() < 0.75)
    sized = bool(rng.random() < 0.2)
    if len(things) == 2 and things[0].group != things[1].group and rng.random() < 0.6:
        held = relations(*things)
        relation = RELATION_WORDS[held[int(rng.integers(len(held)))]] if held else "and"
        first, second = (
            noun_phrase(thing.group, 1, thing.size if sized else None, colour) for thing in things
        )
        body = f"{first} {relation} {second}"
    else:
        groups: dict[Group, list[Thing]] = {}
        for thing in things:
            groups.setdefault(thing.group, []).append(thing)
        body = listed(
            [
                noun_phrase(group, len(alike), _common_size(alike) if sized else None, colour)
                for group, alike in groups.items()
            ]
        )
    if rng.random() < 0.6:
        body = f"{body} on {article(scene.background)} background"
    if rng.random() < 0.15:
        body = f"{OPENINGS[int(rng.integers(len(OPENINGS)))]} {body}"
    return body


def _common_size(things: list[Thing]) -> str | None:
    sizes = {thing.size for thing in things}
    return sizes.pop() if len(sizes) == 1 else None


def questions(scene: Scene, rng: np.random.Generator, count: int) -> list[Question]:
    """`count` questions over all kinds that the scene allows; yes and no about equally often."""
    makers = [_presence, _presence, _count, _count, _background]
    if any(thing.colour for thing in scene.things):
        makers += [_colour, _colour_presence]
    if _unique_pair(scene):
        makers += [_relation] * 4
    if _unique(scene):
        makers += [_size]
    return [makers[int(rng.integers(len(makers)))](scene, rng) for _ in range(count)]


def _names(scene: Scene) -> set[str]:
    return {thing.name for thing in scene.things}


def _absent(scene: Scene, rng: np.random.Generator) -> str:
    names = [kind.name for kind in KINDS if kind.name not in _names(scene)]
    return names[int(rng.integers(len(names)))]


def _pick(things: list[Thing], rng: np.random.Generator) -> Thing:
    return things[int(rng.integers(len(things)))]


def _unique(scene: Scene) -> list[Thing]:
    """Objects that are the only one of their name."""
    names = [thing.name for thing in scene.things]
    return [thing for thing in scene.things if names.count(thing.name) == 1]


def _unique_pair(scene: Scene) -> list[Thing] | None:
    unique = _unique(scene)
    return unique if len(unique) >= 2 else None


def _presence(scene: Scene, rng: np.random.Generator) -> Question:
    present = bool(rng.random() < 0.5)
    name = _pick(list(scene.things), rng).name if present else _absent(scene, rng)
    return Question("presence", f"is there {article(name)}?", "yes" if present else "no")


def _colour_presence(scene: Scene, rng: np.random.Generator) -> Question:
    thing = _pick([thing for thing in scene.things if thing.colour], rng)
    present = {other.colour for other in scene.things if other.name == thing.name}
    if rng.random() < 0.5:
        asked, answer = thing.colour, "yes"
    else:
        others = [colour for colour in COLOURS if colour not in present]
        asked, answer = others[int(rng.integers(len(others)))], "no"
    return Question("colour", f"is there {article(f'{asked} {thing.name}')}?", answer)


def _count(scene: Scene, rng: np.random.Generator) -> Question:
    zero = bool(rng.random() < 0.3)
    name = _absent(scene, rng) if zero else _pick(list(scene.things), rng).name
    number = sum(thing.name == name for thing in scene.things)
    return Question("count", f"how many {OBJECTS[name].plural} are there?", COUNT_WORDS[number])


def _colour(scene: Scene, rng: np.random.Generator) -> Question:
    thing = _pick([thing for thing in scene.things if thing.colour], rng)
    alike = {other.colour for other in scene.things if other.name == thing.name}
    if len(alike) > 1:
        return _colour_presence(scene, rng)
    return Question("colour", f"what color is the {thing.name}?", str(thing.colour))


def _background(scene: Scene, rng: np.random.Generator) -> Question:
    if rng.random() < 0.7:
        return Question("background", "what is the background color?", scene.background)
    if rng.random() < 0.5:
        asked = scene.background
    else:
        others = [name for name in BACKGROUNDS if name != scene.background]
        asked = others[int(rng.integers(len(others)))]
    answer = "yes" if asked == scene.background else "no"
    return Question("background", f"is the background {asked}?", answer)


def _relation(scene: Scene, rng: np.random.Generator) -> Question:
    unique = _unique(scene)
    first, second = (unique[int(i)] for i in rng.permutation(len(unique))[:2])
    held = relations(first, second)
    if not held:
        return _presence(scene, rng)
    relation, answer = held[0], "yes"
    if rng.random() < 0.5:
        relation, answer = opposite(relation), "no"
    asked = f"is the {first.name} {RELATION_WORDS[relation]} the {second.name}?"
    return Question("relation", asked, answer)


def _size(scene: Scene, rng: np.random.Generator) -> Question:
    thing = _pick(_unique(scene), rng)
    return Question("size", f"is the {thing.name} small or large?", thing.size)


def edits(scene: Scene, rng: np.random.Generator) -> list[Edit]:
    """One edit of each kind that the scene allows."""
    made = [_recolour_background(scene, rng)]
    unique = [i for i, thing in enumerate(scene.things) if thing in _unique(scene)]
    if not unique:
        return made
    i = unique[int(rng.integers(len(unique)))]
    thing = scene.things[i]
    if thing.colour:
        others = [colour for colour in COLOURS if colour != thing.colour]
        colour = others[int(rng.integers(len(others)))]
        after = _with(scene, i, replace(thing, colour=colour))
        made.append(Edit("recolour", f"make the {thing.name} {colour}", after, (i,)))
    if len(scene.things) > 1:
        rest = tuple(other for j, other in enumerate(scene.things) if j != i)
        after = replace(scene, things=rest)
        made.append(Edit("remove", f"remove the {thing.name}", after, (i,)))
    name = _absent(scene, rng)
    colour_or_none = (
        tuple(COLOURS)[int(rng.integers(len(COLOURS)))] if OBJECTS[name].recolourable else None
    )
    after = _with(scene, i, replace(thing, name=name, colour=colour_or_none))
    said = noun_phrase((name, colour_or_none))
    made.append(Edit("replace", f"replace the {thing.name} with {said}", after, (i,)))
    return made


def _recolour_background(scene: Scene, rng: np.random.Generator) -> Edit:
    others = [name for name in BACKGROUNDS if name != scene.background]
    background = others[int(rng.integers(len(others)))]
    after = replace(scene, background=background)
    return Edit("background", f"change the background to {background}", after, ())


def _with(scene: Scene, index: int, thing: Thing) -> Scene:
    things = list(scene.things)
    things[index] = thing
    return replace(scene, things=tuple(things))


def corpus(sentences: int, seed: int) -> list[str]:
    """Captions, questions and answers, to train tokenizers on: every word of the world occurs."""
    rng = np.random.default_rng(seed)
    lines = [word for kind in KINDS for word in (kind.name, kind.plural)]
    lines += [f"{colour} on a {background}" for colour in COLOURS for background in BACKGROUNDS]
    for i in range(sentences):
        scene = sample(seed + i)
        lines.append(caption(scene, rng))
        lines += [f"{q.text} {q.answer}" for q in questions(scene, rng, 2)]
        lines += [edit.instruction for edit in edits(scene, rng)]
    return lines
