"""Make: the pages and the picture of docs/ that follow from the code.

    python docs/make.py

Writes architecture.svg from the imports, models.md from the profiles and the cards of the weights,
and licences.md from what is installed.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from xml.sax.saxutils import escape

from packaging.requirements import Requirement

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
FLOORS = {
    "ui": "the doors: command line, chat in the browser",
    "serving": "the HTTP doors and the replicas behind them",
    "agent": "plan, act, verify, refine",
    "tools": "one typed file per specialist",
    "models": "network families; the only floor with torch",
}
WIDE, COLUMNS, CELL, HEAD = 1000, 7, 22, 30  # px, boxes in a row, px, px
LEFT, RIGHT = 16, 130  # px: the margins; arrows run in the right one
COLOURS = ("#e8f0fb", "#e6f4ea", "#fff6e0", "#fdeaea", "#efe8fb")
CLASSIFIER = "License :: OSI Approved :: "


def modules(floor: str) -> list[Path]:
    """The files of a floor, packages' own files left out where they are empty of imports."""
    files = sorted((ROOT / floor).rglob("*.py"))
    return [file for file in files if file.name != "__init__.py"]


def arrows() -> set[tuple[str, str]]:
    """Which floor imports which other."""
    found: set[tuple[str, str]] = set()
    for floor in FLOORS:
        for file in modules(floor):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                names = []
                if isinstance(node, ast.ImportFrom) and node.module:
                    names = [node.module]
                elif isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                tops = {name.split(".")[0] for name in names} & FLOORS.keys()
                found |= {(floor, top) for top in tops - {floor}}
    return found


def picture() -> str:
    """The floors with their modules, and which imports which, as SVG."""
    tops, high = {}, LEFT
    marks: list[str] = []
    for colour, (floor, about) in zip(COLOURS, FLOORS.items(), strict=True):
        files = modules(floor)
        tall = HEAD + CELL * -(-len(files) // COLUMNS) + 10
        tops[floor] = (high, tall)
        marks += _band(floor, about, colour, files, high, tall)
        high += tall + 12
    for place, (above, below) in enumerate(sorted(arrows(), key=_order)):
        marks.append(_arrow(tops[above], tops[below], place))
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {high}" width="{WIDE}" '
            f'height="{high}" font-family="sans-serif" font-size="12">',
            '<defs><marker id="tip" markerUnits="userSpaceOnUse" markerWidth="10" '
            'markerHeight="10" refX="9" refY="5" orient="auto"><path d="M0,0 L10,5 L0,10 z" '
            'fill="#555"/></marker></defs>',
            f'<rect width="{WIDE}" height="{high}" fill="white"/>',
            *marks,
            "</svg>",
            "",
        )
    )


def _order(arrow: tuple[str, str]) -> tuple[int, int]:
    """Short arrows first, so that they run nearest to the floors."""
    names = list(FLOORS)
    above, below = map(names.index, arrow)
    return below - above, above


def _band(
    floor: str, about: str, colour: str, files: list[Path], top: int, tall: int
) -> Iterator[str]:
    inner = WIDE - LEFT - RIGHT
    yield (
        f'<rect x="{LEFT}" y="{top}" width="{inner}" height="{tall}" rx="6" fill="{colour}" '
        'stroke="#bbb"/>'
    )
    yield (
        f'<text x="{LEFT + 10}" y="{top + 20}" font-size="14"><tspan font-weight="bold">{floor}/'
        f"</tspan> {escape(about)}</text>"
    )
    step = (inner - 10) / COLUMNS
    for number, file in enumerate(files):
        x = LEFT + 8 + step * (number % COLUMNS)
        y = top + HEAD + CELL * (number // COLUMNS)
        name = file.relative_to(ROOT / floor).with_suffix("").as_posix()
        yield (
            f'<rect x="{x:.0f}" y="{y}" width="{step - 6:.0f}" height="{CELL - 4}" rx="3" '
            'fill="white" stroke="#ccc"/>'
        )
        yield f'<text x="{x + 5:.0f}" y="{y + 13}" font-size="11">{escape(name)}</text>'


def _arrow(above: tuple[int, int], below: tuple[int, int], place: int) -> str:
    x = WIDE - RIGHT
    start = above[0] + above[1] - 10 - 5 * (place % 3)
    end = below[0] + 12 + 5 * (place % 4)
    far = x + 14 + 12 * place
    return (
        f'<path d="M{x},{start} H{far} V{end} H{x + 2}" fill="none" stroke="#555" '
        'stroke-width="1.5" marker-end="url(#tip)"/>'
    )


def models() -> str:
    """Every checkpoint of every profile, and the cards of those that come with this program."""
    from models import weights
    from tools.profile import load_profile, profile_names

    used: dict[str, dict[str, list[str]]] = {}
    for profile in profile_names():
        for tool, settings in load_profile(profile).tools.items():
            for checkpoint in (settings.checkpoint, *settings.parts.values()):
                tools = used.setdefault(checkpoint, {}).setdefault(profile, [])
                if tool not in tools:
                    tools.append(tool)
    rows = []
    for checkpoint, profiles in used.items():
        card = weights.card(checkpoint)
        page = f"../{checkpoint}/README.md"
        name = f"[{checkpoint}]({page})" if (DOCS / page).is_file() else checkpoint
        users = "; ".join(f"{profile}: {', '.join(tools)}" for profile, tools in profiles.items())
        rows.append((name, card.what, users, card.licence, card.paper))
    ours = sorted((ROOT / "miniature" / "weights").glob("*/README.md"))
    rest = [
        path.parent.name for path in ours if f"miniature/weights/{path.parent.name}" not in used
    ]
    lines = [
        "# Models",
        "",
        "Which checkpoint stands behind which tool, by profile. Made by `python docs/make.py`; "
        "`sightloop models list` says which of them are on your machine, `sightloop models check` "
        "whether they are whole. A card holds data, steps, figures and licence.",
        "",
        *_table(("checkpoint", "what it does", "used by", "licence", "paper"), rows),
        "",
        "Trained here and used by no profile: "
        + ", ".join(f"[{name}](../miniature/weights/{name}/README.md)" for name in rest)
        + " (the planner's adapter; the judge of the benchmarks).",
        "",
    ]
    return "\n".join(lines)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def closure() -> dict[str, metadata.Distribution]:
    """Everything that `pip install .` brings on this machine, by normalised name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found: dict[str, metadata.Distribution] = {}
    waiting = [Requirement(text) for text in project["dependencies"]]
    seen: set[tuple[str, str]] = set()
    while waiting:
        wanted = waiting.pop()
        name = re.sub(r"[-_.]+", "-", wanted.name).lower()
        for extra in ("", *wanted.extras):
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            try:
                found[name] = metadata.distribution(name)
            except metadata.PackageNotFoundError:
                continue  # of another platform
            needs = map(Requirement, metadata.requires(name) or ())
            waiting += [
                need
                for need in needs
                if need.marker is None or need.marker.evaluate({"extra": extra})
            ]
    return dict(sorted(found.items()))


def licence(held: metadata.Distribution) -> str:
    """What a distribution says of its licence, in a few words."""
    told = [
        each.removeprefix(CLASSIFIER)
        for each in held.metadata.get_all("Classifier") or []
        if each.startswith(CLASSIFIER)
    ]
    free = str(held.metadata["License"] or "").strip().partition("\n")[0]
    said = str(held.metadata["License-Expression"] or "") or ", ".join(told) or free[:60]
    return said or _first_line(held)


def _first_line(held: metadata.Distribution) -> str:
    """The heading of a licence that a distribution carries as a file only."""
    for file in held.files or ():
        if file.name.upper().startswith(("LICENSE", "LICENCE", "COPYING")):
            text = Path(str(file.locate())).read_text(encoding="utf-8", errors="replace")
            mit = "Permission is hereby granted, free of charge" in text
            return "MIT License" if mit else text.strip().partition("\n")[0].strip()
    return "not stated"


def licences() -> str:
    """Licences of our code, of all weights, and of every library that comes along."""
    from models import weights

    cards = [(name, card.what, card.licence) for name, card in weights.CARDS.items()]
    rows = [(name, licence(held)) for name, held in closure().items()]
    lines = [
        "# Licences",
        "",
        "The code is Apache-2.0 (`LICENSE`). Made by `python docs/make.py` on "
        f"{sys.platform}: other systems may bring other libraries. As the packages state them.",
        "",
        "## Weights",
        "",
        *_table(("checkpoint", "what it does", "licence"), cards),
        *_table_rows(),
        "",
        "Weights named by a hub id are not part of this program: you fetch them, under their "
        "licences. OpenRAIL licences forbid some uses.",
        "",
        "## Libraries",
        "",
        *_table(("library", "licence"), rows),
        "",
    ]
    return "\n".join(lines)


def _table_rows() -> list[str]:
    """Weights that no profile names."""
    from models import smollm

    ours = "Apache-2.0; trained on pictures drawn from OpenMoji (CC BY-SA 4.0)"
    return [
        f"| {smollm.FILE} | the planner's language model | Apache-2.0 |",
        "| miniature/weights/planner | adapter of the planner | Apache-2.0 |",
        f"| miniature/weights/judge | marks pictures in benchmarks | {ours} |",
    ]


PAGES = {"architecture.svg": picture, "models.md": models, "licences.md": licences}


def main() -> None:
    """Write them all."""
    for name, make in PAGES.items():
        (DOCS / name).write_text(make(), encoding="utf-8")
        print(f"docs/{name}")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
