"""Expectation: what a picture must show, as structured truth; prompts and judge share it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from miniature.world.language import listed, noun_phrase
from miniature.world.vocabulary import RELATION_WORDS, Relation

PromptKind = Literal[
    "one object", "two objects", "counting", "colours", "position", "attribute binding", "scene"
]
KINDS: tuple[PromptKind, ...] = (
    "one object",
    "two objects",
    "counting",
    "colours",
    "position",
    "attribute binding",
)  # as GenEval has them; "scene" is a set of its own


@dataclass(frozen=True)
class Wanted:
    """Objects of one name.

    Attributes:
        name: a word of OBJECTS.
        colour: a word of COLOURS; None where any colour will do.
        count: how many.
        exactly: whether more than `count` is wrong, as GenEval counts; zero is always exact.
    """

    name: str
    colour: str | None = None
    count: int = 1
    exactly: bool = False


@dataclass(frozen=True)
class Expectation:
    """All that must hold at once.

    Attributes:
        wanted: the objects.
        relation: of the first of `wanted` to the second; None where any place will do.
        background: a word of BACKGROUNDS; None where any will do.
    """

    wanted: tuple[Wanted, ...] = ()
    relation: Relation | None = None
    background: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Expectation:
        """Back from `to_json`."""
        wanted = tuple(Wanted(**one) for one in values["wanted"])
        return cls(wanted, values["relation"], values["background"])

    def words(self) -> str:
        """The prompt that asks for it, such as "a red car above a dog"."""
        phrases = [noun_phrase((one.name, one.colour), one.count) for one in self.wanted]
        if self.relation:
            first, second, *rest = phrases
            phrases = [f"{first} {RELATION_WORDS[self.relation]} {second}", *rest]
        body = listed(phrases)
        return f"{body} on a {self.background} background" if self.background else body
