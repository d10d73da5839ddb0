"""Parts: what Streamlit lacks, as its own components: no frame, no build step, no network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

HERE = Path(__file__).parent
CANVAS = """<canvas tabindex="0" role="application"></canvas><div role="status"></div>"""
CANVAS_STYLE = """
canvas {width: 100%; display: block; touch-action: none; cursor: crosshair; border-radius: .5rem}
canvas:focus-visible {outline: 3px solid var(--st-primary-color); outline-offset: 2px}
[role=status] {position: absolute; left: -9999px}
"""
SLIDER = """<div class="pair"><img><img></div><input type="range" min="0" max="100" value="50">"""
SLIDER_STYLE = """
.pair {--shown: 50%; display: grid; cursor: ew-resize; touch-action: pan-y; user-select: none}
.pair > * {grid-area: 1 / 1}
img {width: 100%; border-radius: .5rem; display: block; pointer-events: none}
img + img {clip-path: inset(0 0 0 var(--shown))}
.pair::after {content: ""; grid-area: 1 / 1; width: 3px; margin-left: calc(var(--shown) - 1px);
  background: #fff; box-shadow: 0 0 4px #000}
input {width: 100%; margin: .5rem 0 0; accent-color: var(--st-primary-color); cursor: ew-resize}
"""
VERSIONS = """<div class="versions"><svg aria-hidden="true"></svg><div class="rows"></div></div>"""
VERSIONS_STYLE = """
.versions {position: relative; font: .8rem var(--st-font)}
svg {position: absolute; inset: 0; width: 100%; height: 100%; overflow: visible}
path {fill: none; stroke: var(--st-text-color); stroke-opacity: .45; stroke-width: 1.5}
.rows {position: relative; display: grid; gap: 1.4rem}
.row {display: flex; flex-wrap: wrap; gap: .6rem; justify-content: center}
button {width: 6rem; padding: .25rem; border: 2px solid transparent; border-radius: .6rem;
  background: var(--st-secondary-background-color); color: var(--st-text-color); cursor: pointer;
  font: inherit}
button:hover, button:focus-visible {border-color: var(--st-text-color); outline: none}
button[aria-pressed=true] {border-color: var(--st-primary-color)}
button.undone img {opacity: .35; filter: grayscale(1)}
img {width: 100%; aspect-ratio: 1; object-fit: contain; border-radius: .4rem; display: block}
span {display: block; padding-top: .2rem; overflow-wrap: anywhere}
"""


def canvas(data: Mapping[str, Any], *, key: str, then: Callable[[], None]) -> None:
    """A picture to mark; `then` runs after a mark, which is in the state under key, `mark`.

    Args:
        data: src; width and height in px of the picture; mode click, box or brush; brush, px;
            points, [x, y, on]; label, for those who do not see.
        key: of the state.
        then: a callback.
    """
    _part("canvas", CANVAS, CANVAS_STYLE)(data=dict(data), key=key, on_mark_change=then)


def slider(before: tuple[str, str], after: tuple[str, str], *, label: str) -> None:
    """Two pictures, each as src and alt text, one over the other."""
    pair = {"before": before, "after": after}
    data = {name: {"src": src, "alt": alt} for name, (src, alt) in pair.items()}
    _part("slider", SLIDER, SLIDER_STYLE)(data={**data, "label": label}, key="slider")


def versions(
    rows: list[list[dict[str, Any]]],
    edges: list[tuple[str, str]],
    *,
    key: str,
    then: Callable[[], None],
) -> None:
    """A graph of pictures; the name of the chosen one is in the state under key, `chosen`.

    Args:
        rows: of nodes: name, tool, src, chosen, undone.
        edges: from name to name.
        key: of the state.
        then: a callback.
    """
    data = {"rows": rows, "edges": edges}
    _part("versions", VERSIONS, VERSIONS_STYLE)(data=data, key=key, on_chosen_change=then)


@cache  # a name is registered once
def _part(name: str, html: str, css: str) -> Callable[..., Any]:
    script = (HERE / f"{name}.js").read_text(encoding="utf-8")
    return st.components.v2.component(f"sightloop_{name}", html=html, css=css, js=script)
