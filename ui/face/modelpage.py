"""Model page: which tools are alive, on what weights, what is missing and how to get it."""

from __future__ import annotations

import resource
import sys
from collections import defaultdict

import streamlit as st

from models import smollm, weights
from tools.profile import Profile, load_profile, profile_names
from tools.registry import discover
from ui.face.engine import Engine

UNIT = 2**30 if sys.platform == "darwin" else 2**20  # ru_maxrss: bytes there, KiB elsewhere


def show(engine: Engine) -> None:
    """The networks with the tools they serve, and what this profile's world is."""
    profile = engine.toolbox.profile
    absent = engine.toolbox.absent()
    st.title("Models")
    st.write(f"Profile **{profile.name}**: {profile.description}")
    for name, why in absent.items():
        st.warning(f"**{name}** is not there: {why}")
    for checkpoint, names in networks(profile).items():
        with st.container(border=True):
            alive = [name for name in names if name not in absent]
            sign = "✅" if len(alive) == len(names) else "❌"
            st.markdown(f"{sign} **{', '.join(names)}**")
            settings = profile.tools[names[0]]
            licence = weights.card(checkpoint).licence
            st.caption(f"`{checkpoint}` · device {settings.device}, {settings.dtype} · {licence}")
    _process(engine)
    for name, others in lacking(profile).items():
        where = " or ".join(f"`sightloop ui --profile {other}`" for other in others)
        st.info(f"This profile has no **{name}**" + (f"; {where} has." if where else "."))
    if profile.name == "miniature":
        _world()


def lacking(profile: Profile) -> dict[str, list[str]]:
    """Tools that a profile does not have, each with the profiles that come with us and have it."""
    others = [load_profile(name) for name in profile_names()]
    return {
        name: [other.name for other in others if name in other.tools]
        for name in discover()
        if name not in profile.tools
    }


def networks(profile: Profile) -> dict[str, list[str]]:
    """Checkpoint to the tools it serves."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, settings in profile.tools.items():
        found[settings.checkpoint].append(name)
    return dict(found)


def _process(engine: Engine) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / UNIT
    planner = engine.llm
    if planner == "embedded":
        planner = "the embedded language model"
        if smollm.present() is None:
            planner += " (93 MB, fetched at the first request)"
    st.caption(f"Requests are planned by {planner}. This process took {used:.1f} GiB at its peak.")


def _world() -> None:
    from miniature.world import vocabulary

    st.markdown("## The miniature's world")
    st.write(", ".join(sorted(kind.name for kind in vocabulary.KINDS)))
    st.write(f"in {', '.join(vocabulary.COLOURS)}; on {', '.join(vocabulary.BACKGROUNDS)}.")
    st.caption("Anything else, photos above all, needs another profile: `--profile sd15`.")
