"""Chat: what was said and drawn, the job at work, and the line to say more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from agent.state import RunResult
from agent.turns import Turn
from tools.errors import ToolError
from tools.values import Image, load_image
from ui.face import samples, timeline, workspace
from ui.face.engine import Engine, fresh_seed
from ui.face.session import Session

SUGGESTIONS = (
    "draw a yellow star",
    "draw a red apple on a blue background",
    "draw a purple car",
)
KINDS = ["png", "jpg", "jpeg", "webp", "gif", "bmp", "tiff"]
WIDTH = 200  # px of a picture in the conversation


def show(engine: Engine, state: Session) -> None:
    """Draw the conversation with the picture beside it, and take the next request."""
    talk = state.conversation
    handles = engine.store.handles(talk, hidden=False) if talk else {}
    job = engine.jobs.get(talk) if talk else None
    working = job is not None and not job.ended
    left, right = st.columns([3, 2], gap="large") if handles else (st.container(), None)
    with left:
        if talk is None:
            _welcome(engine, state)
        else:
            turns = engine.store.turns(talk)
            at_work = working and bool(turns) and turns[-1].state == "open"
            _turns(engine, state, turns[:-1] if at_work else turns)
        if job is not None and working:
            with st.chat_message("user"):
                st.markdown(job.request)
                for image in job.images:
                    st.image(image.png(), width=WIDTH, alt="a picture you brought")
            timeline.live(job)
        elif job is not None and job.error:
            st.error(job.error)
        _problem(engine, state)
    if right is not None:
        with right:
            workspace.show(engine, state, handles)
    said = st.chat_input(
        "Say what to draw, or add a picture and ask about it",
        accept_file="multiple",
        file_type=KINDS,
        key="say",
        disabled=working,
    )
    if said:
        submit(engine, state, said.text, [file.getvalue() for file in said.files])


def submit(engine: Engine, state: Session, text: str, files: Sequence[bytes] = ()) -> None:
    """Begin to work on a request; one that cannot be sent is kept as a draft."""
    state.draft, state.problem = text, ""
    try:
        images = [load_image(data).image for data in files]
        images += [engine.store.get(identity) for identity in state.attached]
    except ToolError as error:
        state.problem = str(error)
        st.rerun()
    send(engine, state, text or "describe this picture", images)


def send(
    engine: Engine, state: Session, text: str, images: Sequence[Image], seed: int | None = None
) -> None:
    """Hand a request to the engine, and show how it goes."""
    if state.conversation is None:
        state.open(engine.store.conversation())
    talk = state.conversation
    assert talk is not None
    engine.start(talk, text, images, fresh_seed() if seed is None else seed)
    state.picture = state.claim = None
    state.draft, state.attached = "", ()
    st.rerun()


def _problem(engine: Engine, state: Session) -> None:
    if state.problem:
        st.error(state.problem)
        if state.draft:
            st.caption("Your words are kept:")
            st.code(state.draft, language=None)
            if st.button("Send the words alone"):
                submit(engine, state, state.draft)


def _welcome(engine: Engine, state: Session) -> None:
    st.title("What shall we look at?")
    st.write(
        "Ask for a picture. It is drawn, looked at again, and every claim of your words is "
        "checked. Or add a picture and ask about it."
    )
    for column, words in zip(st.columns(len(SUGGESTIONS)), SUGGESTIONS, strict=True):
        if column.button(words, width="stretch"):
            submit(engine, state, words)
    st.markdown("## Or begin with a sample picture")
    for column, sample in zip(st.columns(4), samples.some(), strict=True):
        column.image(sample.png, width="stretch", caption=sample.text)
        if column.button("Describe it", key=f"sample{sample.seed}", width="stretch"):
            submit(engine, state, "describe this picture", [sample.png])
    if engine.toolbox.profile.name == "miniature":
        st.caption(
            "These are the miniature networks: 40 kinds of stickers, seven colours, eight "
            "backgrounds, 128×128 pixels. Photos need another profile, such as sd15: "
            "`sightloop ui --profile sd15`."
        )


def _turns(engine: Engine, state: Session, turns: Sequence[Turn]) -> None:
    shown: set[str] = set()
    brought = {one for _, one, turn, _ in engine.store.named(state.conversation or "") if not turn}
    for turn in turns:
        result = RunResult.model_validate(turn.result) if turn.result else None
        with st.chat_message("user"):
            st.markdown(turn.request)
            sent = [one for one in _looked_at(result) if one in brought and one not in shown]
            _pictures(engine, state, [(one, "a picture you brought") for one in sent])
            shown.update(sent)
        if result is not None:
            with st.chat_message("assistant"):
                _answer(engine, state, turn, result)
        elif turn.state == "cancelled":
            st.caption("Stopped; what was drawn by then is kept.")
        elif turn.state == "open":
            st.caption("This was cut short when the program ended. Ask again to go on.")


def _answer(engine: Engine, state: Session, turn: Turn, result: RunResult) -> None:
    timeline.finished(result)
    _pictures(engine, state, [(one.id, f"{one.handle}: {turn.request}") for one in result.images])
    st.markdown(result.reply)


def _pictures(engine: Engine, state: Session, pictures: Sequence[tuple[str, str]]) -> None:
    names = {
        identity: handle
        for handle, identity in engine.store.handles(state.conversation or "").items()
    }
    with st.container(horizontal=True):
        for identity, words in pictures:
            with st.container(width=WIDTH):
                try:
                    st.image(engine.store.get(identity).png(), width=WIDTH, alt=words)
                except ToolError as error:
                    st.error(str(error))
                    continue
                handle = names.get(identity, "")
                if st.button(f"Look at {handle}", key=f"look-{identity}-{words[:40]}"):
                    state.picture, state.claim = handle, None
                    st.rerun()


def _looked_at(result: RunResult | None) -> list[str]:
    """Ids in the inputs of the calls, each once."""
    values: list[Any] = [
        value for call in (result.calls if result else ()) for value in call.input.values()
    ]
    return list(dict.fromkeys(str(v) for v in values if isinstance(v, str) and len(v) == 64))
