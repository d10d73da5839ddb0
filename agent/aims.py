"""Aims: which calls of a plan make pictures, and what the picture of each must satisfy."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue

from agent.changes import compile_changes
from agent.checklist import Claim, compile_checklist
from agent.claims import follow
from agent.plan import AnyTool, Call, Plan, draws
from agent.turns import Wishes
from tools.toolbox import Toolbox

WORDED = {  # a tool that changes a picture, and its call in words that can be read as claims
    "edit": "{instruction}",
    "remove": "remove the {phrase}",
    "replace": "replace the {phrase} with {prompt}",
    "inpaint": "add {prompt}",
}
NO_WISHES = Wishes()


def makes_pictures(tool: AnyTool) -> bool:
    """Whether a tool gives pictures."""
    return bool({"image", "images"} & tool.output.model_fields.keys())


def aims(
    plan: Plan,
    request: str,
    toolbox: Toolbox,
    *,
    before: tuple[Claim, ...] = (),
    wishes: Wishes = NO_WISHES,
) -> dict[str, tuple[Claim, ...]]:
    """Claims for each call that makes pictures, by its id; () where nothing can be checked.

    They come from the request. Where a plan makes several pictures, or the request says nothing
    that can be checked, they come from the call's own words.

    Args:
        before: the checklist of the turn that the request may follow, such as "now in green".
        wishes: what the person struck from or added to checklists.
    """
    making = [call for call in plan.calls if makes_pictures(toolbox.tool(call.tool))]
    alone = len(making) == 1
    found: dict[str, tuple[Claim, ...]] = {}
    for call in making:
        claims: tuple[Claim, ...] = ()
        if draws(toolbox.tool(call.tool)):
            claims = _of_drawing(call, request if alone else "", before)
        elif call.tool in WORDED:
            claims = _of_change(call, request if alone else "", before)
        found[call.id] = wishes.amend(claims) if claims else ()
    return found


def worded(tool: str, arguments: Mapping[str, JsonValue]) -> str:
    """A call that changes a picture as an instruction; empty if it says too little."""
    try:
        return WORDED[tool].format_map(arguments)
    except KeyError:
        return ""


def _of_change(call: Call, request: str, before: tuple[Claim, ...]) -> tuple[Claim, ...]:
    """What is asked of the person's words; the call's own count only where those say nothing."""
    own = compile_changes(worded(call.tool, call.input))
    if asked := compile_changes(request):
        return asked
    followed = follow(request, before) if before else ()
    if not followed:
        return own
    grounds = [{one.background for one in claims} for claims in (before, followed)]
    if grounds[0] != grounds[1]:  # then nearly every pixel is another
        return followed
    return (*followed, *(claim for claim in own if claim.compares))


def _of_drawing(call: Call, request: str, before: tuple[Claim, ...]) -> tuple[Claim, ...]:
    prompt = str(call.input.get("prompt", ""))
    own = compile_checklist(prompt)
    if before and (followed := follow(request, before)):
        return followed
    asked = compile_checklist(request, prompt) if request else ()
    return tuple(dict.fromkeys((*asked, *own) if before else asked or own))
