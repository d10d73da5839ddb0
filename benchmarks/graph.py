"""Graph: what a caption says, as objects, relation and background, to hold against a scene."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from miniature.world.scene import Group, Scene, relations
from miniature.world.vocabulary import (
    BACKGROUNDS,
    COLOURS,
    COUNT_WORDS,
    OBJECTS,
    RELATION_WORDS,
    SIZES,
    Relation,
)

BACKGROUND = re.compile(rf"\bon an? ({'|'.join(BACKGROUNDS)}) background\b")
RELATION = re.compile("|".join(RELATION_WORDS.values()))
NOUNS = {word: kind.name for kind in OBJECTS.values() for word in (kind.plural, kind.name)}


@dataclass(frozen=True)
class Graph:
    """What was said.

    Attributes:
        groups: how many of each (name, colour).
        relation: of the first object named to the second, if one was said.
        order: the groups in the order they were named.
        background: its word, if one was said.
    """

    groups: dict[Group, int]
    relation: Relation | None
    order: tuple[Group, ...]
    background: str | None


def parse(caption: str) -> Graph | None:
    """Read a caption; None if a phrase of it makes no sense."""
    text = caption.lower().strip(" .")
    ground = BACKGROUND.search(text)
    text = BACKGROUND.sub("", text).strip()
    said = RELATION.search(text)
    relation = next((r for r, words in RELATION_WORDS.items() if said and words == said[0]), None)
    phrases = [part for part in re.split(rf"{RELATION.pattern}|,|\band\b", text) if part.strip()]
    groups: Counter[Group] = Counter()
    for phrase in phrases:
        read = _phrase(phrase.split())
        if read is None:
            return None
        group, count = read
        groups[group] += count
    order = tuple(groups)
    if not order or (relation and len(phrases) != 2):
        return None
    return Graph(dict(groups), relation, order, ground[1] if ground else None)


def _phrase(words: list[str]) -> tuple[Group, int] | None:
    """Such as "two small red cars": ("car", "red"), 2."""
    count = 1
    if words and words[0] in ("a", "an", *COUNT_WORDS):
        first = words.pop(0)
        count = COUNT_WORDS.index(first) if first in COUNT_WORDS else 1
    if words and words[0] in SIZES:
        words.pop(0)
    colour = words.pop(0) if words and words[0] in COLOURS else None
    if len(words) != 1 or words[0] not in NOUNS:
        return None
    return (NOUNS[words[0]], colour), count


def matches(graph: Graph | None, scene: Scene) -> bool:
    """Whether a caption names just what is there.

    All objects with colour and number and the background must be named and right, and the
    relation, if one is named, must hold.
    """
    if graph is None or graph.groups != scene.groups or graph.background != scene.background:
        return False
    if graph.relation is None:
        return True
    if len(graph.order) != 2 or len(scene.things) != 2:
        return False
    ordered = sorted(scene.things, key=lambda thing: graph.order.index(thing.group))
    return graph.relation in relations(*ordered)
