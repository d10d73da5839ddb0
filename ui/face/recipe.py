"""Recipe: what made a picture, to read, to take along, and to draw again in another way."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping

import streamlit as st
from PIL.PngImagePlugin import PngInfo
from pydantic import JsonValue

from agent.aims import worded
from agent.plan import Call, Plan
from agent.store import Origin
from tools.values import Image
from ui.face import sending
from ui.face.engine import Engine, fresh_seed
from ui.face.session import Session

HIDDEN = ("mask", "prompt", "seed", "n")  # said elsewhere, or too long to read


def show(
    engine: Engine, state: Session, identity: str, handle: str, handles: Mapping[str, str]
) -> None:
    """Seed and parameters of a picture, its file, and the way to another."""
    origin = engine.store.lineage(identity)[-1].origins[-1]
    names = {picture: name for name, picture in handles.items()}
    st.markdown("\n".join(f"- {line}" for line in lines(origin, names)))
    st.download_button(
        "Download the picture with its recipe",
        lambda: signed(engine.store.get(identity), origin),
        f"{handle}.png",
        "image/png",
        on_click="ignore",
        width="stretch",
        help="A PNG file; the recipe is in its text chunk `sightloop`.",
    )
    with st.expander("The recipe as JSON"):
        st.json(origin.model_dump(mode="json", exclude_none=True), expanded=1)
    if "prompt" in origin.input and again(origin, "", 0, names) is not None:
        _again(engine, state, origin, names)


def lines(origin: Origin, names: Mapping[str, str]) -> list[str]:
    """What made a picture, a line each."""
    if origin.tool == "upload":
        return ["**Yours**: it was brought into this conversation."]
    said = [f"made by **{origin.tool}**"]
    if origin.input.get("prompt"):
        said.append(f"from the words *{origin.input['prompt']}*")
    if origin.seed is not None:
        said.append(f"seed **{origin.seed}**")
    for name, value in origin.input.items():
        if name not in HIDDEN and value not in (None, "", []):
            text = names.get(str(value), str(value))
            said.append(f"{name}: {text if len(text) <= 60 else f'{text[:12]}…'}")
    return said


def signed(image: Image, origin: Origin) -> bytes:
    """A PNG file that carries the recipe."""
    notes = PngInfo()
    notes.add_text("sightloop", json.dumps(origin.model_dump(mode="json", exclude_none=True)))
    buffer = io.BytesIO()
    image.to_pil().save(buffer, "PNG", pnginfo=notes)
    return buffer.getvalue()


def again(origin: Origin, prompt: str, seed: int, names: Mapping[str, str]) -> Plan | None:
    """The same call with other words and another seed; None if its pictures are not here."""
    given: dict[str, JsonValue] = {}
    for name, value in origin.input.items():
        if isinstance(value, str) and value in origin.parents:
            if value not in names:
                return None
            value = names[value]
        given[name] = value
    given |= {"prompt": prompt, "seed": seed}
    if "n" in given:
        given["n"] = 1
    return Plan(calls=(Call(id="c1", tool=origin.tool, input=given),))


def _again(engine: Engine, state: Session, origin: Origin, names: Mapping[str, str]) -> None:
    st.markdown("#### Again with…")
    with st.form("again", border=False):
        prompt = st.text_input("Words", value=str(origin.input["prompt"]))
        seed = st.number_input("Seed", min_value=0, max_value=2**31, value=(origin.seed or 0) + 1)
        this, dice = st.columns(2)
        same = this.form_submit_button("This seed", width="stretch")
        other = dice.form_submit_button("Surprise me", width="stretch")
    if same or other:
        chosen = fresh_seed() if other else int(seed)
        plan = again(origin, prompt.strip(), chosen, names)
        assert plan is not None
        asked = worded(origin.tool, plan.calls[0].input) or f"draw {prompt.strip()}"
        sending.begin(engine, state, asked, (), seed=chosen, plan=plan)
        st.rerun()  # the whole page: a callback here would redraw the workspace alone
