"""Named: a call of a tool that the embedded planner was never taught, where a request names it."""

from __future__ import annotations

import re
from typing import Any

from agent.embedded_format import FREE, ON
from agent.plan import Call, Plan
from agent.planner import PlanRequest
from tools.base import Record
from tools.values import Image

TAUGHT = {*FREE, *ON, "customize"}


def call_by_name(request: PlanRequest) -> Plan | None:
    """One call of the tool, with the latest picture and the other words of the request.

    None where no untaught tool is named, or its arguments cannot be told from the request: it
    wants a picture and there is none, or anything but pictures and one text.
    """
    words = re.findall(r"[a-z0-9_]+", request.text.lower())
    for name in request.tools.names():
        if name not in TAUGHT and name in words:
            values = _values(request.tools.tool(name).input, request, name)
            if values is not None:
                return Plan(calls=(Call(id="c1", tool=name, input=values),))
    return None


def _values(wanted: type[Record], request: PlanRequest, name: str) -> dict[str, Any] | None:
    """Every field that must be given, filled; None if one cannot be."""
    rest = re.sub(rf"\b{re.escape(name)}\b", " ", request.text, flags=re.IGNORECASE)
    text, picture = " ".join(rest.split()), request.handles[-1] if request.handles else ""
    fields = {key: field for key, field in wanted.model_fields.items() if field.is_required()}
    kinds = [field.annotation for field in fields.values()]
    known: dict[Any, str] = {Image: picture, str: text}
    if kinds.count(str) > 1 or not all(kind in known and known[kind] for kind in kinds):
        return None
    return {key: known[field.annotation] for key, field in fields.items()}
