"""Chat: what was said and drawn, the job at work, and the line to say more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from agent.state import RunResult
from agent.turns import Turn
from tools.errors import ToolError
from ui.face import canvas, describing, outside, sending, timeline, welcome, workspace
from ui.face.engine import Engine
from ui.face.job import Job
from ui.face.session import Session

KINDS = ["png", "jpg", "jpeg", "webp", "gif", "bmp", "tiff"]
WIDTH = 200  # px of a picture in the conversation


def show(engine: Engine, state: Session) -> None:
    """Draw the conversation with the picture beside it, and take the next request."""
    talk = state.conversation
    if talk is None:
        welcome.show(engine, state, lambda: _say(engine, state, working=False))
        _problem(engine, state)
        return
    job = engine.jobs.get(talk)
    working = job is not None and not job.ended
    pictures = bool(engine.store.handles(talk))
    left, right = st.columns([3, 2], gap="large") if pictures else (st.container(), None)
    with left, st.container(key="talk"):
        turns = engine.store.turns(talk)
        at_work = working and bool(turns) and turns[-1].state == "open"
        _turns(engine, state, turns[:-1] if at_work else turns)
        if job is not None:
            _job(engine, state, job)
        _problem(engine, state)
    if right is not None:
        with right, st.container(key="work"):
            workspace.show(engine, state)
    _say(engine, state, working=working)
    _scroll(state)


def _say(engine: Engine, state: Session, *, working: bool) -> None:
    st.chat_input(
        "Say what to draw, or add a picture and ask about it",
        accept_file="multiple",
        file_type=KINDS,
        key="say",
        disabled=working,
        on_submit=_said,
        args=(engine, state),
    )


def _said(engine: Engine, state: Session) -> None:
    said = st.session_state["say"]
    if said:
        sending.submit(engine, state, said.text, [file.getvalue() for file in said.files])


def _job(engine: Engine, state: Session, job: Job) -> None:
    if not job.ended:
        with st.container(key="now"):
            with st.chat_message("user"):
                st.markdown(job.request)
                for image in job.images:
                    st.image(canvas.source(image), width=WIDTH, alt="a picture you brought")
            timeline.live(job)
    elif job.error:
        with st.chat_message("assistant"):
            st.error(job.error)
            _try_again(engine, state, job.request)


def _problem(engine: Engine, state: Session) -> None:
    if state.problem:
        st.error(state.problem)
        if state.draft:
            st.caption("Your words are kept:")
            st.code(state.draft, language=None)
            st.button(
                "Send the words alone",
                on_click=sending.begin,
                args=(engine, state, state.draft, ()),
            )


def _try_again(engine: Engine, state: Session, request: str) -> None:
    look, models = st.columns(2)
    again = (engine, state, request, ())
    look.button("Try again", key="retry", on_click=sending.begin, args=again, width="stretch")
    models.link_button("See which tools are alive", "models", width="stretch")


def _turns(engine: Engine, state: Session, turns: Sequence[Turn]) -> None:
    shown: set[str] = set()
    brought = {one for _, one, turn, _ in engine.store.named(state.conversation or "") if not turn}
    for turn in turns:
        result = RunResult.model_validate(turn.result) if turn.result else None
        with st.chat_message("user"):
            st.markdown(turn.request)
            sent = [one for one in _looked_at(result) if one in brought and one not in shown]
            _pictures(engine, state, sent, "a picture you brought")
            outside.warn(engine, sent)
            shown.update(sent)
        last = turn is turns[-1]
        if result is not None:
            with st.chat_message("assistant"):
                _answer(engine, state, turn, result, last=last)
        elif turn.state == "cancelled":
            st.caption("Stopped; what was drawn by then is kept.")
        elif turn.state == "open":
            st.caption("This was cut short when the program ended.")
            if last:
                st.button(
                    "Go on from there",
                    on_click=engine.go_on,
                    args=(state.conversation or "", turn.request),
                )
        elif not last:
            with st.chat_message("assistant"):
                st.caption("This did not work.")


def _answer(engine: Engine, state: Session, turn: Turn, result: RunResult, *, last: bool) -> None:
    timeline.finished(result)
    _pictures(engine, state, [one.id for one in result.images], turn.request)
    if result.stopped != "failed":
        st.markdown(result.reply)
        return
    st.error(result.reply)
    if last:
        _try_again(engine, state, turn.request)


def _pictures(engine: Engine, state: Session, pictures: Sequence[str], words: str) -> None:
    if not pictures:
        return
    names = {
        identity: handle
        for handle, identity in engine.store.handles(state.conversation or "").items()
    }
    with st.container(horizontal=True):
        for identity in pictures:
            with st.container(width=WIDTH):
                try:
                    picture = engine.store.get(identity)
                except ToolError as error:
                    st.error(str(error))
                    continue
                handle = names.get(identity, "")
                told = describing.words(engine, picture) or words
                st.image(canvas.source(picture), width=WIDTH, alt=f"{handle}: {told}")
                st.button(
                    f"Look at {handle}",
                    key=f"look-{identity}-{words[:40]}",
                    on_click=state.show,
                    args=(handle,),
                    width="stretch",
                )


def _looked_at(result: RunResult | None) -> list[str]:
    """Ids in the inputs of the calls, each once."""
    values: list[Any] = [
        value for call in (result.calls if result else ()) for value in call.input.values()
    ]
    return list(dict.fromkeys(str(v) for v in values if isinstance(v, str) and len(v) == 64))


def _scroll(state: Session) -> None:
    """Bring what was asked for into view, once."""
    if state.reveal:
        st.html(
            f"<script>document.querySelector('.st-key-{state.reveal}')?.scrollIntoView("
            "{block: 'nearest'})</script>",
            unsafe_allow_javascript=True,
        )
        state.reveal = ""
