"""Checklist: each claim with its verdict and what the witnesses said; strike, add, check again."""

from __future__ import annotations

import streamlit as st

from agent.claims import one_claim
from agent.state import Check
from tools.errors import InvalidInput, ToolError
from ui.face import rechecking
from ui.face.engine import Engine
from ui.face.session import Session

SIGNS = {"pass": "✅ pass", "fail": "❌ fail", "unsure": "❔ unsure"}


def show(engine: Engine, state: Session, handle: str, identity: str, checks: list[Check]) -> None:
    """The checks of one picture; a click on one shows what it stands on."""
    talk = state.conversation
    assert talk is not None
    if checks:
        passed = sum(check.verdict == "pass" for check in checks)
        st.caption(
            f"**{passed} of {len(checks)} checks pass.** Click one to see what it stands on."
        )
    else:
        st.caption("Nothing was checked on this picture. Add a claim below, then check it.")
    for number, check in enumerate(checks):
        _check(engine, state, number, check)
    job = engine.jobs.get(talk)
    working = job is not None and not job.ended
    if st.button("Check again", key="recheck", disabled=working, width="stretch"):
        try:
            with st.spinner("Looking again …"):
                rechecking.again(engine, talk, handle, identity, checks)
        except ToolError as error:
            st.error(str(error))
        else:
            st.rerun()
    _wishes(engine, talk)


def _check(engine: Engine, state: Session, number: int, check: Check) -> None:
    chosen = state.claim == check.claim.text
    text = f"{SIGNS[check.verdict]} · {check.claim.text}"
    st.button(
        f"**{text}**" if chosen else text,
        key=f"claim{number}",
        width="stretch",
        type="tertiary",
        on_click=state.choose,
        args=(check.claim.text,),
    )
    if not chosen:
        return
    for witness in check.witnesses:
        st.caption(f"**{witness.name}** says {witness.says}: {witness.detail}")
    if st.button("Do not check this any more", key=f"strike{number}"):
        engine.store.strike(state.conversation or "", check.claim.text)
        st.toast("From now on this is not checked in this conversation.")


def _wishes(engine: Engine, talk: str) -> None:
    wishes = engine.store.wishes(talk)
    with st.expander("Change what is checked"):
        for text in (*wishes.struck, *(one.text for one in wishes.added)):
            kind = "left out" if text in wishes.struck else "added"
            st.button(
                f"Take back ({kind}): {text}",
                key=f"wish-{text}",
                type="tertiary",
                on_click=engine.store.forget_wish,
                args=(talk, text),
            )
        with st.form("claim", clear_on_submit=False, border=False):
            words = st.text_input("One more claim", placeholder="there are two dogs")
            if st.form_submit_button("Check this too") and words.strip():
                try:
                    engine.store.add_claim(talk, one_claim(words))
                except InvalidInput as error:
                    st.error(str(error))
                else:
                    st.toast("Added. Press “Check again” to see whether it holds.")
                    st.rerun(scope="fragment")
