"""References: `@c1.images[0]`, a field of what an earlier call gives."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from agent.schema import element, kind, plain
from tools.base import Record
from tools.errors import InvalidInput

REFERENCE = re.compile(r"@([A-Za-z]\w*)((?:\.[A-Za-z]\w*|\[\d+\])+)")
STEP = re.compile(r"\.(\w+)|\[(\d+)\]")


@dataclass(frozen=True)
class Reference:
    """Where in the output of which call a value lies."""

    call: str
    path: tuple[str | int, ...]

    def __str__(self) -> str:
        steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path)
        return f"@{self.call}{''.join(steps)}"

    def value(self, output: Record) -> Any:
        """The value in `output`.

        Raises:
            InvalidInput: an index is past the end; how many there are is only known now.
        """
        found: Any = output
        for step in self.path:
            if isinstance(step, int):
                if step >= len(found):
                    have = f"{self.call} gave {len(found)} there"
                    raise InvalidInput(f"{str(self)!r} does not exist: {have}")
                found = found[step]
            else:
                found = getattr(found, step)
        return found


def read(text: str) -> Reference:
    """The reference written as `text`, which must match `REFERENCE`."""
    match = REFERENCE.fullmatch(text)
    assert match is not None
    steps = [int(index) if index else name for name, index in STEP.findall(match[2])]
    return Reference(match[1], tuple(steps))


def type_of(reference: Reference, output: type[BaseModel]) -> Any:
    """The declared type of what `reference` points at in an output record.

    Raises:
        InvalidInput: the record has no such field, or what is indexed is no list.
    """
    found: Any = output
    walked = f"@{reference.call}"
    for step in reference.path:
        if isinstance(step, int):
            item = element(found, step)
            if item is None:
                raise InvalidInput(f"{walked!r} is {kind(found)}, not a list of {step + 1} or more")
            found, walked = item, f"{walked}[{step}]"
            continue
        found = plain(found)
        if not (isinstance(found, type) and issubclass(found, BaseModel)):
            raise InvalidInput(f"{walked!r} is {_indexable(found)}, it has no field {step!r}")
        if step not in found.model_fields:
            there = ", ".join(found.model_fields)
            raise InvalidInput(f"{walked!r} has no field {step!r}; it has {there}")
        found, walked = found.model_fields[step].annotation, f"{walked}.{step}"
    return found


def _indexable(found: Any) -> str:
    if get_origin(found) in (tuple, list) and get_args(found):
        return f"{kind(found)} (take one with [0])"
    return kind(found)
