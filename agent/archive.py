"""Archive: a whole conversation as one file: JSON and PNG in a zip, and back.

What is read is data from somewhere: names are checked, sizes are limited, each picture's pixels
must have the id that its name claims, and nothing is written outside the store.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from pydantic import Field, ValidationError

from agent.store import Origin, Store
from agent.turns import Turn, Wishes
from tools.base import Record, explain
from tools.errors import InvalidInput
from tools.values import Image, load_image

FORMAT = 1
CONTENT = "conversation.json"
MOST_PICTURES = 10_000
MOST_BYTES = 2 * 2**30  # of all files together, unpacked
MOST_JSON = 64 * 2**20
MOST_PNG = 64 * 2**20


class Named(Record):
    """One handle of the conversation."""

    number: int = Field(ge=1)
    picture: str = Field(pattern=r"^[0-9a-f]{64}$")
    turn: int = Field(ge=0)
    hidden: bool = False


class Content(Record):
    """All of a conversation but the pixels."""

    format: int = FORMAT
    turns: tuple[Turn, ...]
    names: tuple[Named, ...]
    wishes: Wishes
    origins: dict[str, tuple[Origin, ...]] = Field(description="picture id to how it was made")


def export(store: Store, conversation: str) -> bytes:
    """A conversation with all its pictures, and those they were made from, as a zip file.

    Raises:
        InvalidInput: no such conversation.
    """
    names = store.named(conversation)
    kept = {one.id: one.origins for _, picture, _, _ in names for one in store.lineage(picture)}
    content = Content(
        turns=store.turns(conversation),
        names=tuple(
            Named(number=number, picture=picture, turn=turn, hidden=hidden)
            for number, picture, turn, hidden in names
        ),
        wishes=store.wishes(conversation),
        origins=kept,
    )
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(CONTENT, content.model_dump_json(indent=1))
        for identity in kept:
            file.writestr(
                zipfile.ZipInfo(f"pictures/{identity}.png"), store.path(identity).read_bytes()
            )
    return held.getvalue()


def bring_in(store: Store, source: Path | bytes, owner: str = "") -> str:
    """Read an exported conversation into the store as a new one; returns its id.

    Raises:
        InvalidInput: the file is no such export, is damaged, or is too large.
    """
    held = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        with zipfile.ZipFile(held) as file:
            content, pictures = _read(file)
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as error:
        raise InvalidInput(f"the file is no exported conversation: {error}") from error
    store.put_many(
        [
            (pictures[identity], origin)
            for identity, origins in content.origins.items()
            for origin in origins
        ]
    )
    names = [(one.number, one.picture, one.turn, one.hidden) for one in content.names]
    return store.take_over(owner, content.turns, names, content.wishes)


def _read(file: zipfile.ZipFile) -> tuple[Content, dict[str, Image]]:
    sizes = {one.filename: one.file_size for one in file.infolist()}
    if sum(sizes.values()) > MOST_BYTES or len(sizes) > MOST_PICTURES + 1:
        raise InvalidInput("the file unpacks to more than a conversation may hold")
    if sizes.get(CONTENT, 0) > MOST_JSON or CONTENT not in sizes:
        raise InvalidInput(f"the file is no exported conversation: no {CONTENT} of at most 64 MiB")
    try:
        content = Content.model_validate_json(_member(file, CONTENT, MOST_JSON))
    except ValidationError as error:
        raise InvalidInput(f"{CONTENT} is damaged: {explain(error)[:300]}") from error
    if content.format != FORMAT:
        raise InvalidInput(f"format {content.format} is not read; this version reads {FORMAT}")
    if missing := {one.picture for one in content.names} - content.origins.keys():
        raise InvalidInput(f"{len(missing)} pictures have a name but no origin")
    pictures = {}
    for identity, origins in content.origins.items():
        name = f"pictures/{identity}.png"
        if name not in sizes or not origins:
            raise InvalidInput(f"picture {identity[:12]!r} is not in the file")
        image = load_image(_member(file, name, MOST_PNG)).image
        if image.id != identity:
            raise InvalidInput(f"picture {identity[:12]!r} holds other pixels than it should")
        pictures[identity] = image
    return content, pictures


def _member(file: zipfile.ZipFile, name: str, most: int) -> bytes:
    """The bytes of one member; no more are unpacked than allowed, whatever its header says."""
    with file.open(name) as member:
        data = member.read(most + 1)
    if len(data) > most:
        raise InvalidInput(f"{name} is larger than {most // 2**20} MiB")
    return data
