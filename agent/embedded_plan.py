"""Embedded plan: from what the embedded model wrote to a plan of tools that are alive.

The model writes verbs; which of them is a tool here decides the profile. A verb whose tool is
absent is done by another that can (`remove` by `edit`), or the reply says that nothing can.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from pydantic import JsonValue

from agent import placing
from agent.embedded_format import words
from agent.plan import Call, Plan
from agent.words import article

Entry = dict[str, Any]
PICTURE = {  # where in its output a tool has its picture
    "generate": "images[0]",
    "layout": "images[0]",
    "control": "images[0]",
    "retrieve": "images[0]",
    **dict.fromkeys(
        ("edit", "inpaint", "remove", "replace", "restyle", "outpaint", "upscale"), "image"
    ),
    **dict.fromkeys(("depth", "edges", "pose"), "image"),
}
PLACED = ("layout", "inpaint")  # verbs whose places need the size of the picture
FURTHER = 32  # px to extend by, where nobody says how far and the size is not known
Sizes = Mapping[str, tuple[int, int]]


class _Reader:
    """Reads one compact plan; calls are named c1, c2 … in order."""

    def __init__(self, handles: Sequence[str], tools: Collection[str], sizes: Sizes) -> None:
        self.handles = handles
        self.tools = tools
        self.sizes = sizes
        self.calls: list[Call] = []
        self.refusal: str | None = None
        self.made: list[str | None] = []  # the picture that `@c1`, `@c2` … stand for

    def read(self, entry: Entry) -> None:
        """Add the calls of one entry, or note why there are none."""
        if "reply" in entry:
            self.refusal = entry["reply"]
            return
        verb = next(iter(entry))
        ready = self._pictured(verb, entry)
        if ready is None:
            self._refuse("picture")
            return
        sized = verb not in PLACED or self.size(ready.get("image", "")) is not None
        while (verb not in self.tools or not sized) and verb in INSTEAD:
            sized = True
            verb, ready = INSTEAD[verb](ready)
        making = MAKERS.get(verb)
        calls = making(ready, self) if making else [(verb, ready)]
        if any(tool not in self.tools for tool, _ in calls):
            self._refuse("absent")
        elif verb == "classify" and len(calls[0][1]["labels"]) < 2:
            self._refuse("unclear")
        else:
            for tool, arguments in calls:
                identity, source = self._add(tool, arguments)
            picture = PICTURE.get(calls[-1][0])  # a call that draws nothing leaves its own
            self.made.append(f"@{identity}.{picture}" if picture else source)

    def _refuse(self, kind: str) -> None:
        self.refusal = self.refusal or kind
        self.made.append(None)

    def size(self, picture: str) -> tuple[int, int] | None:
        """Width and height of a picture in px, if they are known before anything runs.

        Args:
            picture: its handle; for one that is drawn first, or empty for one that will be, the
                size of those drawn before stands.
        """
        return self.sizes.get(picture) or self.sizes.get("")

    def _add(self, tool: str, arguments: Entry) -> tuple[str, str]:
        source = str(arguments.get("image", ""))
        for call in self.calls:  # a look asked twice is made once
            if tool != "generate" and (tool, arguments) == (call.tool, call.input):
                return call.id, source
        identity = f"c{len(self.calls) + 1}"
        self.calls.append(Call(id=identity, tool=tool, input=_json(arguments)))
        return identity, source

    def _pictured(self, verb: str, entry: Entry) -> Entry | None:
        """The entry by argument names, its pictures resolved; None if there is no such picture."""
        first, rest = entry[verb], {k: v for k, v in entry.items() if k != verb}
        if verb in ("generate", "retrieve", "layout"):
            return {"said": first, **rest}
        named = first if isinstance(first, list) else [first]
        found = [self._picture(name) for name in named]
        if not all(found):
            return None
        return {"image": found[0], **rest} if first is not named else {"images": found, **rest}

    def _picture(self, name: str) -> str | None:
        if not name.startswith("@c"):
            return name if name in self.handles else None
        number = int(name[2:]) - 1
        earlier = self.made[number] if number < len(self.made) else None
        if number >= len(self.made) and self.made:  # it counted wrong: the latest is meant
            earlier = self.made[-1]
        return earlier or None


def _json(arguments: Entry) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = json.loads(json.dumps(arguments))
    return found


def _generate(said: Entry, reader: _Reader) -> list[tuple[str, Entry]]:
    given = {"prompt": said["said"], **{k: v for k, v in said.items() if k not in _MARKS}}
    if "again" in said:  # another seed, or the very same picture would come back
        given["seed"] = len(reader.handles)
    return [("generate", given)]


_MARKS = ("said", "again", "on")


def _layout(said: Entry, reader: _Reader) -> list[tuple[str, Entry]]:
    size = reader.size("")
    assert size is not None  # else another verb stands in
    things = [
        {"phrase": phrase, "box": list(placing.box_at(place, size))}
        for phrase, place in said["said"]
    ]
    given: Entry = {"prompt": placing.sentence(said["said"], said.get("on")), "things": things}
    if "again" in said:
        given["seed"] = len(reader.handles)
    return [("layout", given)]


def _inpaint(said: Entry, reader: _Reader) -> list[tuple[str, Entry]]:
    size = reader.size(said["image"])
    assert size is not None  # else another verb stands in
    box = placing.box_at(said["at"], size)
    return [("inpaint", {"image": said["image"], "prompt": said["prompt"], "boxes": [list(box)]})]


def _outpaint(said: Entry, reader: _Reader) -> list[tuple[str, Entry]]:
    size = reader.size(said["image"])
    px = said.get("px") or (max(8, min(size) // 4 // 8 * 8) if size else FURTHER)
    grown: Entry = {"image": said["image"], **dict.fromkeys(said["sides"], px)}
    if "caption" not in reader.tools:
        return [("outpaint", {**grown, "prompt": "the same scene"})]
    prompt = f"@c{len(reader.calls) + 1}.text"  # what is there says what goes on beyond
    return [("caption", {"image": said["image"]}), ("outpaint", {**grown, "prompt": prompt})]


def _control(said: Entry, reader: _Reader) -> list[tuple[str, Entry]]:
    kind = said["kind"]
    condition = f"@c{len(reader.calls) + 1}.{PICTURE[kind]}"
    drawn = {"prompt": said["prompt"], "kind": kind, "condition": condition}
    return [(kind, {"image": said["image"]}), ("control", drawn)]


def _segment(said: Entry, reader: _Reader) -> list[tuple[str, Entry]]:
    return [("segment", said if "phrase" in said else {**said, "everything": True})]


def _classify(said: Entry, reader: _Reader) -> list[tuple[str, Entry]]:
    return [("classify", {**said, "labels": list(dict.fromkeys(said["labels"]))})]


MAKERS: dict[str, Callable[[Entry, _Reader], list[tuple[str, Entry]]]] = {
    "generate": _generate,
    "layout": _layout,
    "inpaint": _inpaint,
    "outpaint": _outpaint,
    "control": _control,
    "segment": _segment,
    "classify": _classify,
    "retrieve": lambda said, _: [
        ("retrieve", {"query": said["said"]} | ({"k": said["k"]} if "k" in said else {}))
    ],
    "similar": lambda said, _: [("retrieve", said)],
    "upscale": lambda said, _: [
        ("upscale", {**said, "factor": min(4, max(2, said.get("factor", 2)))})
    ],
}


def _edited(image: str, instruction: str) -> tuple[str, Entry]:
    return "edit", {"image": image, "instruction": instruction}


INSTEAD: dict[str, Callable[[Entry], tuple[str, Entry]]] = {
    "remove": lambda e: _edited(e["image"], f"remove the {e['phrase']}"),
    "replace": lambda e: _edited(e["image"], f"replace the {e['phrase']} with {e['prompt']}"),
    "restyle": lambda e: _edited(e["image"], f"make it {article(e['prompt'])}"),
    "inpaint": lambda e: _edited(e["image"], f"add {e['prompt']} at the {e['at']}"),
    "layout": lambda e: (
        "generate",
        {**e, "said": placing.sentence(e["said"], e.get("on"))},
    ),
}
"""What stands in for a verb whose tool is absent."""


def plan(
    compact: str, handles: Sequence[str], tools: Collection[str], sizes: Sizes | None = None
) -> Plan:
    """The plan that a compact one stands for; one broken off in the middle asks again.

    Args:
        tools: those that are alive; a plan names no other.
        sizes: handle to width and height in px, for places inside pictures; "" stands for
            pictures that are yet to be drawn.
    """
    try:
        held = json.loads(compact)
    except json.JSONDecodeError:
        held = {"reply": "unclear"}
    reader = _Reader(handles, tools, sizes or {})
    for entry in held if isinstance(held, list) else [held]:
        reader.read(entry)
    reply = words(reader.refusal, handles, tools) if reader.refusal else None
    return Plan(calls=tuple(reader.calls), reply=reply)
