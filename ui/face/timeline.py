"""Timeline: the plan of a request, how its calls go, and what they gave."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from agent.state import CallRecord, RunResult, Spent
from ui.face import canvas
from ui.face.job import Job, Step
from ui.show import summary

SIGNS = {"done": "✅", "failed": "❌", "skipped": "⏭️", "cancelled": "⏹️"}
PREVIEW = 220  # px
EVERY = 1.0  # s between looks at a running job


@st.fragment(run_every=EVERY)
def live(job: Job) -> None:
    """A running job; the page is drawn anew when it ends."""
    if job.ended:
        st.rerun()
    with st.chat_message("assistant"):
        st.markdown(f"**{_doing(job)}**")
        for level in levels(list(job.steps.values())):
            for column, step in zip(st.columns(len(level)), level, strict=True):
                with column:
                    _step(step)
        for note in list(job.notes):
            st.caption(f"↻ {note}")
        for text in job.claims:
            check = job.checks.get(text)
            st.caption(f"{check.verdict if check else 'to check'}: {text}")
        if st.button("Stop", key="stop", disabled=job.cancelled):
            job.cancel()


def finished(result: RunResult) -> None:
    """A run that ended, folded away."""
    spent = result.budget
    failed = sum(call.status == "failed" for call in result.calls)
    steps = f"{len(result.calls)} step{'s' if len(result.calls) != 1 else ''}"
    label = f"{steps} in {spent.used:.1f} s" + (f", {failed} failed" if failed else "")
    if result.calls:
        with st.expander(label):
            for call in result.calls:
                st.markdown(line(call))
            st.caption(budget(spent))


def budget(spent: Spent) -> str:
    """What a run was allowed and what it used, in words."""
    of = "" if spent.seconds is None else f" of {spent.seconds:.0f} s"
    counts = [
        f"{number} {word}{'s' if number != 1 else ''}"
        for number, word in ((spent.pictures, "picture"), (spent.repairs, "repair"))
        if number
    ]
    drawn = f"; {', '.join(counts)}" if counts else ""
    return f"{spent.used:.1f} s{of} used, {spent.planner:.1f} s of them to plan{drawn}"


def line(call: CallRecord) -> str:
    """A call that ended, in one line of Markdown."""
    said = call.error if call.error is not None else summary(call.output)
    return f"{SIGNS[call.status]} `{call.id}` **{call.tool}** {said} · {call.seconds:.1f} s"


def levels(steps: Sequence[Step]) -> list[list[Step]]:
    """Steps side by side that can run at once, each row waiting for the one above."""
    depth: dict[str, int] = {}
    for step in steps:
        depth[step.call] = 1 + max((depth.get(need, 0) for need in step.needs), default=0)
    rows = sorted(set(depth.values()))
    return [[step for step in steps if depth[step.call] == row] for row in rows]


def _step(step: Step) -> None:
    if step.record is not None:
        st.markdown(line(step.record))
        return
    st.markdown(f"{'⏳' if step.started else '·'} `{step.call}` **{step.tool}**")
    if step.done is not None:
        st.progress(min(1.0, step.done), text=f"{step.done:.0%}")
    if step.preview is not None:
        st.image(
            canvas.source(step.preview), width=PREVIEW, alt=f"what {step.tool} has drawn so far"
        )


def _doing(job: Job) -> str:
    if job.cancelled:
        return "Stopping …"
    if not job.planned:
        return "Planning …"
    busy = any(step.record is None for step in job.steps.values())
    return "Working …" if busy else "Looking at what was made …"
