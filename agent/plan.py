"""Plan: a small typed graph of tool calls, checked as a whole before any model runs.

Arguments are literals, a picture handle (`img1`) where a picture is wanted, or a reference
to a field of an earlier call (`@c1.images[0]`). This file runs nothing: `agent/act.py` does.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from pydantic import Field, JsonValue

from agent import schema
from agent.references import REFERENCE, Reference, read, type_of
from tools.base import Record, Tool
from tools.errors import InvalidInput
from tools.toolbox import Toolbox
from tools.values import Image

AnyTool = Tool[Any, Any]
CALL_ID = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}")


class Call(Record):
    """One call of one tool."""

    id: str = Field(description="unique in the plan, such as c1")
    tool: str = Field(description="name of a tool that is alive in this profile")
    input: dict[str, JsonValue] = Field(
        default_factory=dict, description="argument name to literal, img1 or @c1.images[0]"
    )
    why: str = Field("", description="what decided for it, where that was not the planner")

    def references(self) -> list[Reference]:
        """References to earlier calls, in the order they are written."""
        return [read(text) for text in _strings(self.input) if REFERENCE.fullmatch(text)]

    def needs(self) -> tuple[str, ...]:
        """Ids of the calls whose output this call takes, each once."""
        return tuple(dict.fromkeys(reference.call for reference in self.references()))


class Plan(Record):
    """Calls to run, or a reply, or both."""

    calls: tuple[Call, ...] = ()
    reply: str | None = Field(default=None, description="what to say when no tool is needed")
    tokens: int = Field(default=0, ge=0, description="that the language model read and wrote")


def validate(
    plan: Plan,
    toolbox: Toolbox,
    handles: Collection[str],
    finished: Mapping[str, str] | None = None,
) -> None:
    """Refuse a plan that could not run, with everything that is wrong with it in one line.

    Args:
        handles: names of the pictures of this conversation.
        finished: id to tool name of calls that have already ended well and may be referred to.

    Raises:
        InvalidInput: ids, tools, arguments, references, types, pictures or cycles are wrong.
    """
    problems: list[str] = []
    if not plan.calls and not (plan.reply or "").strip():
        problems.append("the plan has neither calls nor a reply; give one of them")
    known: dict[str, AnyTool | None] = {}
    for identity, name in (finished or {}).items():
        known[identity] = toolbox.tool(name)
    for call in plan.calls:
        if not CALL_ID.fullmatch(call.id):
            problems.append(f"call id {call.id!r} must be a letter, then letters or digits")
        if call.id in known:
            problems.append(f"call id {call.id!r} is used twice; ids must differ")
        try:
            known[call.id] = toolbox.tool(call.tool)
        except InvalidInput as error:
            known[call.id] = None
            problems.append(f"{call.id}: {error}")
    for call in plan.calls:
        tool = known[call.id]
        if tool is not None and tool.name == call.tool:
            problems += _input_problems(call, tool, known, handles)
    problems += _cycles(plan.calls)
    if problems:
        raise InvalidInput("; ".join(dict.fromkeys(problems)))


def order(calls: Sequence[Call]) -> list[Call]:
    """Calls in an order in which each comes after those it needs (Kahn 1962).

    Raises:
        InvalidInput: the calls need each other in a circle.
    """
    waiting = {call.id: call for call in calls}
    placed: list[Call] = []
    while waiting:
        ready = [c for c in waiting.values() if not any(need in waiting for need in c.needs())]
        if not ready:
            raise InvalidInput("; ".join(_cycles(calls)))
        placed += [waiting.pop(call.id) for call in ready]
    return placed


def resolve(
    call: Call, tool: AnyTool, outputs: Mapping[str, Record], pictures: Mapping[str, Image]
) -> Record:
    """The tool's own input, with handles and references replaced by their values.

    Args:
        outputs: call id to what that call gave.
        pictures: handle to picture.

    Raises:
        InvalidInput: a value is out of range or of the wrong type, or a reference points
            past the end of what its call gave.
    """
    values: dict[str, object] = {}
    for name, given in call.input.items():
        field = tool.input.model_fields[name]
        wants_picture = schema.takes_pictures(field.annotation)
        values[name] = _value(given, outputs, pictures if wants_picture else {})
    return schema.parse(tool, values)


def renamed(plan: Plan, taken: Collection[str]) -> Plan:
    """The plan with new ids for calls whose ids are in `taken`, references included."""
    names: dict[str, str] = {}
    used = set(taken) | {call.id for call in plan.calls}
    for call in plan.calls:
        if call.id in taken:
            number = 2
            while f"{call.id}_{number}" in used:
                number += 1
            names[call.id] = f"{call.id}_{number}"
            used.add(names[call.id])
    if not names:
        return plan
    calls = tuple(
        Call(
            id=names.get(call.id, call.id),
            tool=call.tool,
            input={key: _renamed_value(value, names) for key, value in call.input.items()},
        )
        for call in plan.calls
    )
    return plan.model_copy(update={"calls": calls})


def dependents(calls: Sequence[Call], roots: Collection[str]) -> set[str]:
    """Ids of the calls that need one of `roots`, directly or through others."""
    found: set[str] = set()
    for call in order(calls):
        if any(need in roots or need in found for need in call.needs()):
            found.add(call.id)
    return found


def draws(tool: AnyTool) -> bool:
    """Whether a tool makes pictures from words and a seed, so that it can be asked again."""
    return {"prompt", "seed"} <= tool.input.model_fields.keys() and (
        "images" in tool.output.model_fields
    )


def wants_missing_picture(plan: Plan, toolbox: Toolbox) -> bool:
    """Whether a call wants a picture of the conversation, not one that an earlier call makes."""
    for call in plan.calls:
        if call.tool not in toolbox.names():
            continue
        for name, field in toolbox.tool(call.tool).input.model_fields.items():
            silent = name not in call.input and not field.is_required()
            earlier = REFERENCE.fullmatch(str(call.input.get(name, "")))
            if schema.takes_pictures(field.annotation) and not (silent or earlier):
                return True
    return False


def _input_problems(
    call: Call, tool: AnyTool, known: Mapping[str, AnyTool | None], handles: Collection[str]
) -> Iterator[str]:
    fields = tool.input.model_fields
    for name, value in call.input.items():
        where = f"{call.id}.{name}"
        if name not in fields:
            had = ", ".join(tool.arguments)
            yield f"{where}: {call.tool} has no argument {name!r}; it has {had}"
            continue
        wanted = fields[name].annotation
        references = list(_strings(value))
        if any(REFERENCE.fullmatch(text) for text in references):
            yield from _reference_problems(where, value, wanted, known)
        elif schema.takes_pictures(wanted):
            yield from _picture_problems(where, value, handles)
        elif problem := schema.problem(fields[name], value):
            yield f"{where}: {problem}"
    for name, field in fields.items():
        if field.is_required() and name not in call.input:
            yield f"{call.id}.{name}: missing; {call.tool} needs {schema.wanted(field)}"


def _reference_problems(
    where: str, value: JsonValue, wanted: object, known: Mapping[str, AnyTool | None]
) -> Iterator[str]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            element = schema.element(wanted)
            yield from _reference_problems(f"{where}[{index}]", item, element, known)
        return
    if not isinstance(value, str) or not REFERENCE.fullmatch(value):
        if problem := schema.mismatch(wanted, value):
            yield f"{where}: {problem}"
        return
    reference = read(value)
    if reference.call not in known:
        calls = ", ".join(known) or "none"
        yield f"{where}: {value!r} names no call of this plan; there are: {calls}"
        return
    source = known[reference.call]
    if source is None:
        return
    try:
        given = type_of(reference, source.output)
    except InvalidInput as error:
        yield f"{where}: {error}"
        return
    if not schema.fits(given, wanted):
        kinds = f"{schema.kind(given)}, but {schema.kind(wanted)} is wanted"
        yield f"{where}: {value!r} is {kinds}"


def _picture_problems(where: str, value: JsonValue, handles: Collection[str]) -> Iterator[str]:
    names = value if isinstance(value, list) else [value]
    for name in names:
        if not isinstance(name, str) or name not in handles:
            there = ", ".join(handles) if handles else "none; add a picture first"
            yield f"{where}: no picture {name!r} in this conversation; there are: {there}"


def _cycles(calls: Sequence[Call]) -> list[str]:
    waiting = {call.id: set(call.needs()) for call in calls}
    waiting = {identity: needs & waiting.keys() for identity, needs in waiting.items()}
    while ready := [identity for identity, needs in waiting.items() if not needs]:
        for identity in ready:
            del waiting[identity]
        for needs in waiting.values():
            needs.difference_update(ready)
    if not waiting:
        return []
    path = [min(waiting)]
    while (following := min(waiting[path[-1]])) not in path:
        path.append(following)
    circle = " -> ".join([*path[path.index(following) :], following])
    return [f"the calls need each other in a circle: {circle}"]


def _strings(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)


def _value(
    given: JsonValue, outputs: Mapping[str, Record], pictures: Mapping[str, Image]
) -> object:
    if isinstance(given, str):
        if given in pictures:
            return pictures[given]
        if REFERENCE.fullmatch(given) and (reference := read(given)).call in outputs:
            return reference.value(outputs[reference.call])
        return given
    if isinstance(given, list):
        return tuple(_value(item, outputs, pictures) for item in given)
    if isinstance(given, dict):
        return {key: _value(item, outputs, pictures) for key, item in given.items()}
    return given


def _renamed_value(value: JsonValue, names: Mapping[str, str]) -> JsonValue:
    if isinstance(value, str) and REFERENCE.fullmatch(value):
        reference = read(value)
        new = names.get(reference.call, reference.call)
        return f"@{new}{value[1 + len(reference.call) :]}"
    if isinstance(value, list):
        return [_renamed_value(item, names) for item in value]
    if isinstance(value, dict):
        return {key: _renamed_value(item, names) for key, item in value.items()}
    return value
