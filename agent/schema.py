"""Schema: what a tool's arguments may be, and in words what is wrong with a given one."""

from __future__ import annotations

from collections.abc import Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from tools.base import Record, Tool
from tools.errors import InvalidInput
from tools.values import Image

NAMES: dict[Any, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    NoneType: "nothing",
    Image: "a picture",
}
SHOWN = 60  # characters of a wrong value that an error repeats


def plain(annotation: Any) -> Any:
    """The annotation without `Annotated` around it."""
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def element(annotation: Any, index: int = 0) -> Any:
    """The type of one element of a list or tuple type, or None if it is neither."""
    annotation = plain(annotation)
    if _is_union(annotation):
        return next((e for a in get_args(annotation) if (e := element(a, index)) is not None), None)
    if get_origin(annotation) not in (tuple, list, Sequence):
        return None
    items = get_args(annotation)
    if get_origin(annotation) is tuple and Ellipsis not in items:
        return items[index] if index < len(items) else None
    return items[0]


def fits(given: Any, wanted: Any) -> bool:
    """Whether a value declared as `given` may stand where `wanted` is declared."""
    given, wanted = plain(given), plain(wanted)
    if Any in (given, wanted):
        return True
    if _is_union(wanted):
        return any(fits(given, option) for option in get_args(wanted))
    if _is_union(given):
        return any(fits(option, wanted) for option in get_args(given) if option is not NoneType)
    if get_origin(given) is Literal:
        return all(fits(type(value), wanted) for value in get_args(given))
    if get_origin(wanted) is Literal:
        return fits(given, type(get_args(wanted)[0]))
    if element(wanted) is not None:
        length = _length(given), _length(wanted)
        same_length = None in length or length[0] == length[1]
        return element(given) is not None and same_length and fits(element(given), element(wanted))
    if not (isinstance(given, type) and isinstance(wanted, type)):
        return bool(given == wanted)
    return issubclass(given, wanted) or (wanted is float and given is int)


def takes_pictures(annotation: Any) -> bool:
    """Whether an argument is a picture or a list of pictures."""
    item = element(annotation)
    return fits(Image, annotation) or (item is not None and takes_pictures(item))


def kind(annotation: Any) -> str:
    """A type in words: `a picture`, `a list: text`."""
    annotation = plain(annotation)
    if annotation in NAMES:
        return NAMES[annotation]
    if _is_union(annotation):
        return " or ".join(kind(option) for option in get_args(annotation))
    if get_origin(annotation) is Literal:
        return "one of " + ", ".join(repr(value) for value in get_args(annotation))
    item = element(annotation)
    if item is not None:
        length = _length(annotation)
        return f"a list{f' of {length}' if length else ''}: {kind(item)}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"{annotation.__name__} ({', '.join(annotation.model_fields)})"
    return getattr(annotation, "__name__", str(annotation))


def wanted(field: FieldInfo) -> str:
    """What an argument takes: its type and, where given, its description."""
    return kind(field.annotation) + (f" ({field.description})" if field.description else "")


def problem(field: FieldInfo, value: object) -> str | None:
    """What is wrong with a literal argument, limits included, or None."""
    limited = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    return mismatch(limited, value)


def mismatch(annotation: Any, value: object) -> str | None:
    """What is wrong with a literal of a type, or None."""
    try:
        TypeAdapter(annotation).validate_python(value)
    except ValidationError as error:
        return _line(error.errors()[0], value)
    return None


def parse(tool: Tool[Any, Any], values: dict[str, object]) -> Record:
    """The tool's input record.

    Raises:
        InvalidInput: all that is wrong with the values, in one line.
    """
    try:
        record: Record = tool.input.model_validate(values)
    except ValidationError as error:
        lines = []
        for one in error.errors():
            where = ".".join(str(part) for part in one["loc"])
            lines.append(f"{tool.name}.{where}: {_line(one, one['input'])}")
        raise InvalidInput("; ".join(lines)) from None
    return record


def _line(error: Any, value: object) -> str:
    shown = repr(value)
    shown = shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}…"
    message = str(error["msg"])
    return f"{message[:1].lower()}{message[1:]}, not {shown}"


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, UnionType)


def _length(annotation: Any) -> int | None:
    items = get_args(annotation)
    fixed = get_origin(annotation) is tuple and items and Ellipsis not in items
    return len(items) if fixed else None
