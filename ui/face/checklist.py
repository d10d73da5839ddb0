"""Checklist: each claim with its verdict and what the witnesses said; strike and add."""

from __future__ import annotations

import streamlit as st

from agent.state import Check
from agent.wishing import claim
from tools.errors import InvalidInput
from ui.face.engine import Engine
from ui.face.session import Session

SIGNS = {"pass": "✅ pass", "fail": "❌ fail", "unsure": "❔ unsure"}


def show(engine: Engine, state: Session, checks: list[Check]) -> None:
    """The checks of one picture; a click on one shows what it stands on."""
    talk = state.conversation
    assert talk is not None
    passed = sum(check.verdict == "pass" for check in checks)
    st.markdown(f"### {passed} of {len(checks)} checks pass" if checks else "### No checks")
    for number, check in enumerate(checks):
        chosen = state.claim == check.claim.text
        text = f"{SIGNS[check.verdict]} · {check.claim.text}"
        label = f"**{text}**" if chosen else text
        if st.button(label, key=f"claim{number}", width="stretch", type="tertiary"):
            state.claim = None if chosen else check.claim.text
            st.rerun()
        if chosen:
            for witness in check.witnesses:
                st.caption(f"{witness.name} says {witness.says}: {witness.detail}")
            if st.button("Strike this claim", key=f"strike{number}"):
                engine.store.strike(talk, check.claim.text)
                st.toast("From the next request on, this is not checked.")
    _wishes(engine, talk)


def _wishes(engine: Engine, talk: str) -> None:
    wishes = engine.store.wishes(talk)
    with st.expander("Change what is checked"):
        for text in (*wishes.struck, *(one.text for one in wishes.added)):
            kind = "struck" if text in wishes.struck else "added"
            if st.button(f"Take back ({kind}): {text}", key=f"wish-{text}", type="tertiary"):
                engine.store.forget_wish(talk, text)
                st.rerun()
        with st.form("claim", clear_on_submit=False, border=False):
            words = st.text_input("One more claim", placeholder="there are two dogs")
            if st.form_submit_button("Check this too") and words.strip():
                try:
                    engine.store.add_claim(talk, claim(words))
                except InvalidInput as error:
                    st.error(str(error))
                else:
                    st.rerun()
