"""By name: a call of a tool that a request names: one never taught, or nothing but its name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from agent.embedded_format import FREE, ON
from agent.plan import Call, Plan
from agent.planner import PlanRequest
from tools.base import Record
from tools.values import Image

TAUGHT = {*FREE, *ON, "customize"}
ALONE = ("caption", "ocr", "depth", "edges", "pose", "upscale")  # a picture is all they need
# Only what begins with the name orders the tool: "draw a mirror" does not.
LEAD = r"\W*(?:(?:please|now|then|and|can you|could you|would you)\b\W*)*"

# A taught tool is called where nothing but its name and a picture is said, such as "upscale it".
PICTURE = (
    r"(?:(?:(?:of|on|for)\s+)?(?:(?P<name>img\d+)|it|this|that"
    r"|(?:the|this|that|my) (?:picture|image|photo|drawing|pic|one)))?"
)
COURTESY = r"\W*(?:(?:please|pls|plz|now|thanks|thx)\b\W*)*"


def call_by_name(request: PlanRequest) -> Plan | None:
    """One call of the tool that a request begins with: the latest picture, the words that follow.

    None where it begins with none, or the arguments cannot be told from the request: the tool
    wants a picture and there is none, or anything but pictures and one text.
    """
    for name in request.tools.names():
        if name in TAUGHT:
            if name in ALONE and (picture := _alone(name, request)):
                return Plan(calls=(Call(id="c1", tool=name, input={"image": picture}),))
            continue
        if found := re.match(rf"{LEAD}{re.escape(name)}\b", request.text, re.IGNORECASE):
            text = " ".join(request.text[found.end() :].split())
            values = _values(request.tools.tool(name).input, request.handles, text)
            if values is not None:
                return Plan(calls=(Call(id="c1", tool=name, input=values),))
    return None


def _alone(name: str, request: PlanRequest) -> str | None:
    """The picture, where a request is a tool's name and one picture at most."""
    found = re.fullmatch(rf"{LEAD}{name}\b\W*{PICTURE}{COURTESY}", request.text, re.IGNORECASE)
    if not found or not request.handles:
        return None
    return (found["name"] or request.handles[-1]).lower()


def _values(wanted: type[Record], handles: Sequence[str], text: str) -> dict[str, Any] | None:
    """Every field that must be given, filled; None if one cannot be."""
    picture = handles[-1] if handles else ""
    fields = {key: field for key, field in wanted.model_fields.items() if field.is_required()}
    kinds = [field.annotation for field in fields.values()]
    known: dict[Any, str] = {Image: picture, str: text}
    if kinds.count(str) > 1 or not all(kind in known and known[kind] for kind in kinds):
        return None
    return {key: known[field.annotation] for key, field in fields.items()}
