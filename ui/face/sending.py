"""Sending: a request on its way to the engine; one that cannot be sent loses no word."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agent.plan import Plan
from tools.errors import ToolError
from tools.values import Image, load_image
from ui.face import marking
from ui.face.engine import Engine, fresh_seed
from ui.face.session import Session


def submit(engine: Engine, state: Session, text: str, files: Sequence[bytes | Path] = ()) -> None:
    """Begin to work on a request, on the marked part of the picture if one is marked.

    In a callback: a page that is drawn twice at once may lose the timer that watches the run.
    """
    state.draft, state.problem = text, ""
    plan = None
    try:
        images = [load_image(data).image for data in files]
        if state.marks.mask is not None and not images:
            plan, images = _about_marks(engine, state, text)
    except ToolError as error:
        state.problem = str(error)
        return
    begin(engine, state, text or "describe this picture", images, plan=plan)


def begin(
    engine: Engine,
    state: Session,
    text: str,
    images: Sequence[Image],
    *,
    seed: int | None = None,
    plan: Plan | None = None,
) -> None:
    """Hand a request to the engine; for callbacks, after which the page is drawn anyway.

    Args:
        plan: what to do, where the person chose it; else the planner is asked.
    """
    if state.conversation is None:
        state.open(engine.store.conversation())
    talk = state.conversation
    assert talk is not None
    engine.start(talk, text, images, fresh_seed() if seed is None else seed, plan)
    state.look_at(None)
    state.draft, state.reveal = "", "now"


def _about_marks(engine: Engine, state: Session, text: str) -> tuple[Plan, list[Image]]:
    talk, mask = state.conversation, state.marks.mask
    assert talk is not None
    assert mask is not None
    handles = engine.store.handles(talk, hidden=False)
    handle = state.in_view(handles)
    new = f"img{len(engine.store.handles(talk)) + 1}"
    image = engine.store.get(handles[handle])
    wanted = marking.wanted(text, handle, image, mask, engine.toolbox, new)
    return wanted.plan, list(wanted.images)
