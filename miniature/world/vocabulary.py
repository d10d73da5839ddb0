"""Vocabulary: every word of StickerWorld, the OpenMoji drawing of each object, its palette."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Category = Literal["animal", "food", "vehicle", "nature", "thing"]
Size = Literal["small", "large"]
Relation = Literal["left", "right", "above", "below"]

Rgb = tuple[int, int, int]


@dataclass(frozen=True)
class Kind:
    """One kind of object.

    Attributes:
        name: the noun in captions, singular.
        plural: its plural.
        category: what it belongs to.
        codepoint: file name of the OpenMoji drawing, hexadecimal code point.
        paint: SVG colours, lower-case hex, that a colour word replaces, the one that fills most
            of it first; empty for objects drawn in their own colours only.
    """

    name: str
    plural: str
    category: Category
    codepoint: str
    paint: tuple[str, ...] = ()

    @property
    def recolourable(self) -> bool:
        """Whether a colour word applies to this kind."""
        return bool(self.paint)


KINDS: tuple[Kind, ...] = (
    Kind("dog", "dogs", "animal", "1F436"),
    Kind("cat", "cats", "animal", "1F431"),
    Kind("cow", "cows", "animal", "1F42E"),
    Kind("pig", "pigs", "animal", "1F437"),
    Kind("frog", "frogs", "animal", "1F438"),
    Kind("panda", "pandas", "animal", "1F43C"),
    Kind("fox", "foxes", "animal", "1F98A"),
    Kind("penguin", "penguins", "animal", "1F427"),
    Kind("turtle", "turtles", "animal", "1F422"),
    Kind("bee", "bees", "animal", "1F41D"),
    Kind("fish", "fish", "animal", "1F41F", ("#92d3f5", "#61b2e4")),
    Kind("butterfly", "butterflies", "animal", "1F98B", ("#92d3f5",)),
    Kind("banana", "bananas", "food", "1F34C"),
    Kind("pizza", "pizzas", "food", "1F355"),
    Kind("donut", "donuts", "food", "1F369"),
    Kind("strawberry", "strawberries", "food", "1F353"),
    Kind("watermelon", "watermelons", "food", "1F349"),
    Kind("burger", "burgers", "food", "1F354"),
    Kind("apple", "apples", "food", "1F34E", ("#ea5a47", "#d22f27")),
    Kind("airplane", "airplanes", "vehicle", "2708"),
    Kind("rocket", "rockets", "vehicle", "1F680"),
    Kind("tractor", "tractors", "vehicle", "1F69C"),
    Kind("car", "cars", "vehicle", "1F697", ("#ea5a47",)),
    Kind("tree", "trees", "nature", "1F333"),
    Kind("cactus", "cacti", "nature", "1F335"),
    Kind("sun", "suns", "nature", "2600"),
    Kind("mushroom", "mushrooms", "nature", "1F344"),
    Kind("flower", "flowers", "nature", "1F33C", ("#fcea2b", "#f1b31c")),
    Kind("star", "stars", "nature", "2B50", ("#fcea2b",)),
    Kind("house", "houses", "thing", "1F3E0"),
    Kind("book", "books", "thing", "1F4D5", ("#d22f27",)),
    Kind("umbrella", "umbrellas", "thing", "2602", ("#b399c8", "#8967aa")),
    Kind("balloon", "balloons", "thing", "1F388", ("#ea5a47", "#d22f27")),
    Kind("heart", "hearts", "thing", "2764", ("#d22f27",)),
    Kind("bell", "bells", "thing", "1F514", ("#fcea2b", "#f1b31c")),
    Kind("shirt", "shirts", "thing", "1F455", ("#61b2e4", "#92d3f5")),
    Kind("backpack", "backpacks", "thing", "1F392", ("#ea5a47", "#d22f27")),
    Kind("cap", "caps", "thing", "1F9E2", ("#5c9e31", "#b1cc33", "#186648")),
    Kind("key", "keys", "thing", "1F511", ("#f4aa41", "#e27022")),
    Kind("lock", "locks", "thing", "1F512", ("#fcea2b", "#f1b31c")),
)
OBJECTS: dict[str, Kind] = {kind.name: kind for kind in KINDS}

COLOURS: dict[str, tuple[Rgb, Rgb]] = {
    # word: light and dark shade of the paint
    "red": ((226, 59, 48), (178, 30, 28)),
    "orange": ((247, 138, 32), (211, 100, 14)),
    "yellow": ((252, 226, 43), (232, 176, 20)),
    "green": ((96, 180, 62), (58, 128, 40)),
    "blue": ((72, 143, 226), (35, 92, 178)),
    "purple": ((150, 92, 196), (108, 56, 152)),
    "pink": ((255, 150, 190), (226, 104, 150)),
}

BACKGROUNDS: dict[str, Rgb] = {
    # pale, so that an object never sinks into a background of its own colour
    "white": (255, 255, 255),
    "gray": (184, 186, 190),
    "yellow": (252, 240, 178),
    "green": (196, 230, 180),
    "blue": (178, 212, 244),
    "purple": (210, 190, 234),
    "pink": (252, 208, 224),
    "brown": (194, 160, 126),
}

SIZES: dict[Size, int] = {"small": 40, "large": 64}  # longest side in pixels on a 128 px canvas
COUNT_WORDS: tuple[str, ...] = ("zero", "one", "two", "three", "four")
RELATION_WORDS: dict[Relation, str] = {
    "left": "to the left of",
    "right": "to the right of",
    "above": "above",
    "below": "below",
}
OPPOSITE: dict[Relation, Relation] = {
    "left": "right",
    "right": "left",
    "above": "below",
    "below": "above",
}


def vocabulary() -> dict[str, object]:
    """All words as plain JSON values."""
    return {
        "objects": [
            {
                "name": kind.name,
                "plural": kind.plural,
                "category": kind.category,
                "recolourable": kind.recolourable,
            }
            for kind in KINDS
        ],
        "colours": list(COLOURS),
        "backgrounds": list(BACKGROUNDS),
        "sizes": list(SIZES),
        "relations": RELATION_WORDS,
        "counts": list(COUNT_WORDS),
    }
