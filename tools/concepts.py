"""Concepts: the things that a person has taught, kept in their home, and found in prompts."""

from __future__ import annotations

import hashlib
import re
import shutil
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, StringConstraints, ValidationError

from tools.base import Record
from tools.errors import InvalidInput
from tools.home import home

if TYPE_CHECKING:
    from models.diffusion import Order

Name = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        to_lower=True,
        pattern=r"^[A-Za-z][A-Za-z0-9_]*$",
        min_length=3,
        max_length=32,
    ),
]
"""One word that a prompt can hold."""

_CARD = "concept.json"


class Kept(Record):
    """A thing that was learnt."""

    name: Name = Field(description="the word by which prompts call it")
    kind: str = Field(description="what it is, such as: dog; may be empty")
    kin: str = Field(description="the shape of the network that learnt it; others cannot draw it")
    checkpoint: str = Field(description="what it was learnt on")
    digest: str = Field(description="SHA-256 of its files")
    pictures: int = Field(description="how many it was learnt from")
    steps: int = Field(description="of learning")
    bytes: int = Field(description="its files together")
    made: datetime


def folder(name: str = "") -> Path:
    """Where the files of a concept lie, or all concepts. Not made here."""
    return home() / "concepts" / name


def kept() -> list[Kept]:
    """All concepts, by name; what cannot be read is left out."""
    found = []
    for card in sorted(folder().glob(f"*/{_CARD}")):
        try:
            found.append(Kept.model_validate_json(card.read_bytes()))
        except (OSError, ValidationError):
            continue
    return found


def keep(concept: Kept, files: Path) -> None:
    """Put learnt files in their place; one of the same name goes."""
    (files / _CARD).write_text(concept.model_dump_json(indent=2), encoding="utf-8")
    place = folder(concept.name)
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(place, ignore_errors=True)
    shutil.move(files, place)


def forget(name: str) -> None:
    """Remove a concept.

    Raises:
        InvalidInput: there is none of that name; lists those there are.
    """
    names = [concept.name for concept in kept()]
    if name not in names:
        raise InvalidInput(f"no concept {name!r}; there are: {', '.join(names) or 'none'}")
    shutil.rmtree(folder(name))


def digest(files: Path) -> str:
    """SHA-256 over the weights in a folder."""
    total = hashlib.sha256()
    for path in sorted(files.glob("*.safetensors")):
        total.update(path.read_bytes())
    return total.hexdigest()


def named(text: str) -> list[Kept]:
    """The concepts whose names a text holds as words."""
    words = set(re.findall(r"[a-z0-9_]+", text.lower()))
    return [concept for concept in kept() if concept.name in words] if words else []


def facts(request: Record) -> dict[str, Any]:
    """The concepts that a request names, by their digests: learnt anew, one changes answers."""
    words = request.model_dump_json(exclude={"image", "images", "mask", "condition"})
    found = {concept.name: concept.digest for concept in named(words)}
    return {"concepts": found} if found else {}


def order(prompt: str, negative: str, seed: int, *, kin: str) -> Order:
    """What a network is told to draw, with the concepts that its prompt names.

    Args:
        prompt: what to draw.
        negative: what not to draw.
        seed: of its noise.
        kin: of the network, as in `Diffusion.kin`.

    Raises:
        InvalidInput: a concept was learnt on a network of another shape.
    """
    from models.diffusion import Concept, Order

    worn = named(prompt)
    for concept in worn:
        if concept.kin != kin:
            raise InvalidInput(
                f"concept {concept.name!r} was learnt on {concept.checkpoint}, this tool draws "
                "with a network of another shape; learn it again with this profile, or leave it out"
            )
    told = tuple(Concept(one.name, folder(one.name), one.digest) for one in worn)
    return Order(prompt, negative, seed, told)
