"""Aims: which calls of a plan make pictures, and what the picture of each must satisfy."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue

from agent.changes import compile_changes
from agent.checklist import Claim, compile_checklist
from agent.plan import AnyTool, Call, Plan, draws
from tools.toolbox import Toolbox

WORDED = {  # a tool that changes a picture, and its call in words that can be read as claims
    "edit": "{instruction}",
    "remove": "remove the {phrase}",
    "replace": "replace the {phrase} with {prompt}",
    "inpaint": "add {prompt}",
}


def makes_pictures(tool: AnyTool) -> bool:
    """Whether a tool gives pictures."""
    return bool({"image", "images"} & tool.output.model_fields.keys())


def aims(
    plan: Plan, request: str, toolbox: Toolbox, *, follows: bool
) -> dict[str, tuple[Claim, ...]]:
    """Claims for each call that makes pictures, by its id; () where nothing can be checked.

    They come from the request. Where a plan makes several pictures, or the request says nothing
    that can be checked, they come from the call's own words.

    Args:
        follows: whether the request follows an earlier one; it may then say only what changes,
            so that both count.
    """
    making = [call for call in plan.calls if makes_pictures(toolbox.tool(call.tool))]
    found: dict[str, tuple[Claim, ...]] = {}
    for call in making:
        if draws(toolbox.tool(call.tool)):
            found[call.id] = _of_drawing(call, request, alone=len(making) == 1, follows=follows)
        elif call.tool in WORDED:
            asked = compile_changes(request) if len(making) == 1 else ()
            found[call.id] = asked or compile_changes(worded(call.tool, call.input))
        else:
            found[call.id] = ()
    return found


def worded(tool: str, arguments: Mapping[str, JsonValue]) -> str:
    """A call that changes a picture as an instruction; empty if it says too little."""
    try:
        return WORDED[tool].format_map(arguments)
    except KeyError:
        return ""


def _of_drawing(call: Call, request: str, *, alone: bool, follows: bool) -> tuple[Claim, ...]:
    prompt = str(call.input.get("prompt", ""))
    own = compile_checklist(prompt)
    asked = compile_checklist(request, prompt) if alone else ()
    both = (*asked, *own) if follows else asked or own
    return tuple(dict.fromkeys(both))
