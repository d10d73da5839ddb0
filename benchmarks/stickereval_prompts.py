"""StickerEval prompts: 300 fixed requests in six GenEval-like kinds, 50 of each.

Kinds as in GenEval (Ghosh et al. 2023, arXiv:2310.11513), words of StickerWorld. In the kinds
that pair things, ten of fifty hold a pair that training never sees. Beside them stands
a harder set of 60 scenes: four things, some in colours, one relation, a background. The
files in the repository are the benchmark; this writes them again, the same for ever.

    python -m benchmarks.stickereval_prompts
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.expectation import KINDS, Expectation, PromptKind, Wanted
from miniature.world.splits import has_held_out_pair
from miniature.world.vocabulary import BACKGROUNDS, COLOURS, OBJECTS, RELATION_WORDS, Relation

FILE = Path(__file__).with_name("stickereval_prompts.jsonl")
SCENES_FILE = Path(__file__).with_name("stickereval_scenes.jsonl")
SCENES = 60
EACH = 50  # prompts of a kind
HELD_OUT = 10  # of these, with a held-out pair, in the kinds that can have one
SEED = 2026


@dataclass(frozen=True)
class Prompt:
    """One request, what its picture must show, and whether training never saw such a pair."""

    id: str
    kind: PromptKind
    text: str
    held_out: bool
    seed: int
    expectation: Expectation

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {**vars(self), "expectation": self.expectation.to_json()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Prompt:
        """Back from `to_json`."""
        return cls(**{**values, "expectation": Expectation.from_json(values["expectation"])})


def load(path: Path = FILE) -> list[Prompt]:
    """The prompts of a file, in its order."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [Prompt.from_json(json.loads(line)) for line in lines]


def make() -> list[Prompt]:
    """All prompts."""
    rng = np.random.default_rng(SEED)
    prompts: list[Prompt] = []
    for kind in KINDS:
        unseen_wanted = HELD_OUT if kind in PAIRED else 0
        taken: set[str] = set()
        for number in range(EACH):
            unseen = number >= EACH - unseen_wanted
            while True:
                expectation = MAKERS[kind](rng, number)
                groups = [(one.name, one.colour) for one in expectation.wanted]
                if has_held_out_pair(groups) == unseen and expectation.words() not in taken:
                    break
            taken.add(expectation.words())
            identity = f"{kind.replace(' ', '-')}-{number + 1:02d}"
            seed = 1000 * (len(prompts) + 1)  # room for a thousand draws of each prompt
            prompts.append(Prompt(identity, kind, expectation.words(), unseen, seed, expectation))
    return prompts


def make_scenes() -> list[Prompt]:
    """The harder set, of pairs that training saw."""
    rng = np.random.default_rng(SEED + 1)
    prompts: list[Prompt] = []
    while len(prompts) < SCENES:
        expectation = _scene(rng, len(prompts))
        groups = [(one.name, one.colour) for one in expectation.wanted]
        if len({name for name, _ in groups}) == len(groups) and not has_held_out_pair(groups):
            number = len(prompts) + 1
            prompts.append(
                Prompt(
                    *(f"scene-{number:02d}", "scene", expectation.words(), False),
                    *(1_000_000 + 1000 * number, expectation),
                )
            )
    return prompts


def _name(rng: np.random.Generator, *, painted: bool | None = None, other: str = "") -> str:
    names = [
        kind.name
        for kind in OBJECTS.values()
        if painted in (None, kind.recolourable) and kind.name != other
    ]
    return names[int(rng.integers(len(names)))]


def _colour(rng: np.random.Generator, other: str | None = None) -> str:
    words = [word for word in COLOURS if word != other]
    return words[int(rng.integers(len(words)))]


def _one(rng: np.random.Generator, number: int) -> Expectation:
    names = list(OBJECTS)
    if number < len(names):  # every object once, then ten of them in a colour
        return Expectation((Wanted(names[number]),))
    return Expectation((Wanted(_name(rng, painted=True), _colour(rng)),))


def _two(rng: np.random.Generator, number: int) -> Expectation:
    first = _name(rng)
    return Expectation((Wanted(first), Wanted(_name(rng, other=first))))


def _counting(rng: np.random.Generator, number: int) -> Expectation:
    return Expectation((Wanted(_name(rng), None, 2 + number % 3, True),))


def _colours(rng: np.random.Generator, number: int) -> Expectation:
    return Expectation((Wanted(_name(rng, painted=True), _colour(rng)),))


def _position(rng: np.random.Generator, number: int) -> Expectation:
    relation: Relation = tuple(RELATION_WORDS)[number % 4]
    first = _name(rng)
    return Expectation((Wanted(first), Wanted(_name(rng, other=first))), relation)


def _binding(rng: np.random.Generator, number: int) -> Expectation:
    first, colour = _name(rng, painted=True), _colour(rng)
    second = _name(rng, painted=True, other=first)
    return Expectation((Wanted(first, colour), Wanted(second, _colour(rng, other=colour))))


def _scene(rng: np.random.Generator, number: int) -> Expectation:
    """Two things in a relation, then two more, of two kinds or of one."""
    relation: Relation = tuple(RELATION_WORDS)[number % 4]
    first = Wanted(_name(rng, painted=True), _colour(rng)), Wanted(_name(rng))
    rest: tuple[Wanted, ...]
    if number % 8 < 4:
        rest = Wanted(_name(rng, painted=True), _colour(rng)), Wanted(_name(rng))
    else:
        rest = (Wanted(_name(rng), None, 2, True),)
    wanted = (*first, *rest)
    background = tuple(BACKGROUNDS)[number % len(BACKGROUNDS)]
    return Expectation(wanted, relation, background)


MAKERS: dict[PromptKind, Callable[[np.random.Generator, int], Expectation]] = {
    "one object": _one,
    "two objects": _two,
    "counting": _counting,
    "colours": _colours,
    "position": _position,
    "attribute binding": _binding,
}
PAIRED: tuple[PromptKind, ...] = ("two objects", "colours", "position", "attribute binding")


def main() -> None:
    """Write the files."""
    for file, prompts in ((FILE, make()), (SCENES_FILE, make_scenes())):
        lines = [json.dumps(prompt.to_json(), ensure_ascii=False) for prompt in prompts]
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
