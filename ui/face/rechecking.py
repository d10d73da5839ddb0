"""Rechecking: the checks of a picture made once more, as a turn of its own."""

from __future__ import annotations

import time
from collections.abc import Sequence

from agent.state import Check, RunResult, Spent
from agent.verify import verify
from tools.errors import InvalidInput
from ui.face.engine import Engine


def again(
    engine: Engine, conversation: str, handle: str, identity: str, checks: Sequence[Check]
) -> tuple[Check, ...]:
    """Look at a picture again, with the claims as the person has changed them by now.

    What was compared with the picture before stays as it was.

    Raises:
        InvalidInput: there is no claim to check.
        Unavailable: the picture cannot be read.
    """
    wishes = engine.store.wishes(conversation)
    claims = wishes.amend(tuple(check.claim for check in checks))
    compared = [check for check in checks if check.claim.compares]
    open_ = [claim for claim in claims if not claim.compares]
    if not open_:
        raise InvalidInput("There is nothing to check yet: add a claim below.")
    started = time.monotonic()
    image = engine.store.get(identity)
    found = (*engine.wait(verify(image, open_, engine.toolbox)), *compared)
    seconds = time.monotonic() - started
    passed = sum(check.verdict == "pass" for check in found)
    reply = f"{handle} again: {passed} of {len(found)} checks pass."
    spent = Spent(
        seconds=None,
        used=seconds,
        tools=seconds,
        planner=0.0,
        overhead=0.0,
        pictures=0,
        repairs=0,
    )
    result = RunResult(
        reply=reply, checks=found, checklist=claims, stopped="answered", budget=spent
    )
    turn = engine.store.begin_turn(conversation, f"check {handle} again")
    engine.store.end_turn(conversation, turn, "done", reply, result.model_dump_json())
    return found
