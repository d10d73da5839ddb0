"""Model page: which tools are alive, on what weights, what is missing and how to get it."""

from __future__ import annotations

import resource
import sys

import streamlit as st

from agent import embedded_weights
from models import weights
from ui.face.engine import Engine

UNIT = 2**30 if sys.platform == "darwin" else 2**20  # ru_maxrss: bytes there, KiB elsewhere


def show(engine: Engine) -> None:
    """A table of tools, and what this profile's world is."""
    profile = engine.toolbox.profile
    st.title("Models")
    st.write(f"Profile **{profile.name}**. {profile.description}")
    absent = engine.toolbox.absent()
    lines = ["| tool | state | checkpoint | device | licence |", "|---|---|---|---|---|"]
    for name, settings in profile.tools.items():
        state = "❌ missing" if name in absent else "✅ ready"
        licence = weights.card(settings.checkpoint).licence
        lines.append(
            f"| {name} | {state} | `{settings.checkpoint}` | {settings.device} | {licence} |"
        )
    st.markdown("\n".join(lines))  # a data frame would load pandas, seconds on a busy machine
    for name, why in absent.items():
        st.warning(f"**{name}** is not there: {why}")
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / UNIT
    st.caption(f"Memory of this process, at its peak: {used:.1f} GiB")
    if engine.llm == "embedded" and embedded_weights.present() is None:
        st.info("The planner's language model (93 MB) is fetched at the first request.")
    else:
        st.caption(f"Planner: {engine.llm}")
    if "segment" not in profile.tools:
        st.info("This profile has no `segment`: a click on a picture cannot cut things out yet.")
    if profile.name == "miniature":
        _world()


def _world() -> None:
    from miniature.world import vocabulary

    st.markdown("## The miniature's world")
    st.write(", ".join(sorted(kind.name for kind in vocabulary.KINDS)))
    st.write(f"in {', '.join(vocabulary.COLOURS)}; on {', '.join(vocabulary.BACKGROUNDS)}.")
    st.caption("Anything else, photos above all, needs another profile: `--profile sd15`.")
