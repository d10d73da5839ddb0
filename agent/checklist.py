"""Checklist: claims that a picture must satisfy, compiled from the words of the request.

A deterministic grammar, so that the same request always gives the same checks and no model
can talk itself out of one.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from agent import words
from agent.description import Description, Thing, read_descriptions
from agent.requests import descriptions
from tools.base import Record

MIRRORED = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}
"""How the other lies to the subject, by how the subject lies to the other."""
Kind = Literal["exists", "absent", "count", "colour", "relation", "background", "size", "unchanged"]


class Claim(Record):
    """One thing that can be true or false of a picture."""

    kind: Kind
    text: str = Field(description="the claim as a sentence without its full stop")
    subject: str = Field(default="", description="singular noun; empty for a background")
    colour: str | None = Field(
        default=None, description="the colour claimed, or the one that tells the subject apart"
    )
    count: int | None = Field(default=None, description="exactly how many")
    relation: Literal["left of", "right of", "above", "below"] | None = None
    other: str | None = Field(default=None, description="singular noun the subject relates to")
    other_colour: str | None = Field(default=None, description="tells the other apart")
    background: str | None = Field(default=None, description="a colour, or a scene such as beach")
    size: Literal["small", "large"] | None = Field(
        default=None, description="how large the subject is said to be"
    )
    several: bool = Field(default=False, description="whether the subject is more than one thing")
    than_before: bool = Field(
        default=False, description="whether a size is meant against that in the picture before"
    )

    @property
    def thing(self) -> str:
        """The subject as it is told from others: `red apple`, or `apple`."""
        return words.coloured(self.subject, self.colour)

    @property
    def other_thing(self) -> str:
        """What the subject relates to, likewise; empty if to nothing."""
        return words.coloured(self.other or "", self.other_colour)

    @property
    def compares(self) -> bool:
        """Whether it can be told only beside the picture that was changed."""
        return self.kind == "unchanged" or self.than_before


def compile_checklist(request: str, prompt: str | None = None) -> tuple[Claim, ...]:
    """The claims in a request for a picture, in the order of the words.

    Questions, small talk and work on pictures that are already there give none.

    Args:
        request: plain English.
        prompt: what a planner made of the request. A word that the request uses bare, without
            article, number or colour, is taken for a thing only if the prompt has it too.
    """
    found = read_descriptions(descriptions(request))
    if prompt is not None:
        _drop_doubtful(found, prompt)
    claims: list[Claim] = []
    for thing in found.things:
        claims += _thing_claims(thing, found)
    claims += [_relation(*relation, found) for relation in found.relations if _apart(relation)]
    claims += [_absent(thing) for thing in found.absent if not _contradicts(thing, found)]
    if found.background:
        claims.append(
            Claim(
                kind="background",
                text=f"the background is {_scene(found.background)}",
                background=found.background,
            )
        )
    return tuple(dict.fromkeys(claims))


def _drop_doubtful(found: Description, prompt: str) -> None:
    drawn = {words.singular(word) for word in prompt.lower().replace(",", " ").split()}
    doubtful = [t for t in found.things if t.bare and not drawn.issuperset(t.noun.split())]
    found.things = [thing for thing in found.things if thing not in doubtful]
    found.relations = [
        relation
        for relation in found.relations
        if relation[0] not in doubtful and relation[2] not in doubtful
    ]


def _thing_claims(thing: Thing, found: Description) -> list[Claim]:
    shared = _shares_noun(thing, found)
    apart = thing.colour if shared else None  # only a colour tells two apples apart
    name = words.coloured(thing.noun, apart)
    count = thing.count
    if count is None and (thing.named > 1 or (found.only and thing.single)):
        count = thing.named
    claims = []
    if count is not None:
        number = words.NUMBER_WORDS.get(count, str(count))
        many = f"are exactly {number} {words.plural(name)}"
        text = f"there {many if count != 1 else f'is exactly one {name}'}"
        claims.append(
            Claim(
                kind="count",
                text=text,
                subject=thing.noun,
                colour=apart,
                count=count,
                several=count != 1,
            )
        )
    else:
        what = f"are {words.plural(name)}" if thing.many else f"is {words.article(name)}"
        claims.append(Claim(kind="exists", text=f"there {what}", subject=thing.noun, colour=apart))
    if thing.colour and not shared:
        several = thing.many or (count or 1) > 1
        who = f"{words.plural(thing.noun)} are" if several else f"{thing.noun} is"
        claims.append(
            Claim(
                kind="colour",
                text=f"the {who} {thing.colour}",
                subject=thing.noun,
                colour=thing.colour,
                several=several,
            )
        )
    if thing.size and not shared:
        several = thing.many or (count or 1) > 1
        who = f"{words.plural(thing.noun)} are" if several else f"{thing.noun} is"
        claims.append(
            Claim.model_validate(
                {
                    "kind": "size",
                    "text": f"the {who} {thing.size}",
                    "subject": thing.noun,
                    "size": thing.size,
                    "several": several,
                }
            )
        )
    return claims


def _relation(subject: Thing, side: str, other: Thing, found: Description) -> Claim:
    colours = [thing.colour if _shares_noun(thing, found) else None for thing in (subject, other)]
    names = [
        words.coloured(thing.noun, colour)
        for colour, thing in zip(colours, (subject, other), strict=True)
    ]
    several = subject.many or (subject.count or 1) > 1
    place = f"to the {side}" if side in ("left of", "right of") else side
    verb = f"{words.plural(names[0])} are" if several else f"{names[0]} is"
    return Claim.model_validate(
        {
            "kind": "relation",
            "text": f"the {verb} {place} the {names[1]}",
            "subject": subject.noun,
            "colour": colours[0],
            "relation": side,
            "other": other.noun,
            "other_colour": colours[1],
            "several": several,
        }
    )


def _absent(thing: Thing) -> Claim:
    text = f"there is no {words.coloured(thing.noun, thing.colour)}"
    return Claim(kind="absent", text=text, subject=thing.noun, colour=thing.colour)


def _shares_noun(thing: Thing, found: Description) -> bool:
    return any(other is not thing and other.noun == thing.noun for other in found.things)


def _apart(relation: tuple[Thing, str, Thing]) -> bool:
    """Whether the two things can be told from each other at all."""
    subject, _, other = relation
    return (subject.noun, subject.colour) != (other.noun, other.colour)


def _contradicts(absent: Thing, found: Description) -> bool:
    return any(
        thing.noun == absent.noun and (absent.colour is None or thing.colour == absent.colour)
        for thing in found.things
    )


def _scene(background: str) -> str:
    return background if words.colour(background) else f"a {background}"
