"""World: `sightloop world`, pictures of StickerWorld with their exact truth."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tools.errors import InvalidInput
from ui.console import print_json, progress, screen

if TYPE_CHECKING:
    from miniature.world.scene import Scene

MAX_SIZE = 2048  # px
MAX_SHEET = 400  # scenes

app = typer.Typer(
    no_args_is_help=True, help="StickerWorld: the pictures the miniature models were trained on."
)
Seed = Annotated[int, typer.Option(help="Seed of the first scene; the next scene takes the next.")]
HeldOut = Annotated[
    bool,
    typer.Option(
        "--held-out",
        help="Scenes that training never sees: seeds from 1,000,000,000 on (a lower seed is moved "
        "up by that much), each with a pair of things, or of thing and colour, that is held out.",
    ),
]
Size = Annotated[int, typer.Option(help="Side of the square pictures, in pixels.")]


@app.command()
def sample(
    out: Annotated[Path, typer.Option(help="Folder for the PNGs and scenes.jsonl.")],
    seed: Seed = 0,
    count: Annotated[int, typer.Option(help="How many scenes.")] = 10,
    held_out: HeldOut = False,
    size: Size = 128,
) -> None:
    """Write scenes as PNG files, and all that is known of them in scenes.jsonl."""
    seeds = _seeds(seed, count, held_out)
    _check_size(size)
    out.mkdir(parents=True, exist_ok=True)
    console = screen()
    with (out / "scenes.jsonl").open("w") as lines, progress(console) as bar:
        task = bar.add_task("drawing scenes", total=count)
        for each in seeds:
            record = _write(each, held_out, size, out)
            lines.write(json.dumps(record) + "\n")
            bar.advance(task)
    console.print(f"{count} scenes in {out}, described in {out / 'scenes.jsonl'}", soft_wrap=True)


@app.command()
def vocabulary(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List every word of the world."""
    from miniature.world import vocabulary as words

    if as_json:
        print_json(
            {
                "objects": [
                    {
                        "name": kind.name,
                        "plural": kind.plural,
                        "category": kind.category,
                        "recolourable": kind.recolourable,
                    }
                    for kind in words.KINDS
                ],
                "colours": list(words.COLOURS),
                "backgrounds": list(words.BACKGROUNDS),
                "sizes": list(words.SIZES),
                "relations": dict(words.RELATION_WORDS),
                "counts": list(words.COUNT_WORDS),
            }
        )
        return
    console = screen()
    for category in dict.fromkeys(kind.category for kind in words.KINDS):
        kinds = [kind for kind in words.KINDS if kind.category == category]
        named = ", ".join(f"{kind.name}{'*' if kind.recolourable else ''}" for kind in kinds)
        console.print(f"[bold]{category}[/]  {named}")
    console.print(f"[bold]colours[/]  {', '.join(words.COLOURS)}  (for the things marked *)")
    console.print(f"[bold]backgrounds[/]  {', '.join(words.BACKGROUNDS)}")
    console.print(f"[bold]sizes[/]  {', '.join(words.SIZES)}")
    console.print(f"[bold]relations[/]  {', '.join(words.RELATION_WORDS.values())}")


@app.command()
def sheet(
    seed: Seed = 0,
    count: Annotated[int, typer.Option(help="How many scenes.")] = 24,
    out: Annotated[Path, typer.Option(help="The PNG to write.")] = Path("sheet.png"),
    held_out: HeldOut = False,
    size: Size = 128,
) -> None:
    """Draw many scenes on one sheet, each above its description."""
    from ui.sheet import contact_sheet

    seeds = _seeds(seed, count, held_out)
    _check_size(size)
    if count > MAX_SHEET:
        raise InvalidInput(f"a sheet holds at most {MAX_SHEET} scenes, not {count}")
    out.parent.mkdir(parents=True, exist_ok=True)
    contact_sheet([_scene(each, held_out) for each in seeds], size).save(out, format="PNG")
    screen().print(f"{count} scenes on {out}", soft_wrap=True)


def _seeds(first: int, count: int, held_out: bool) -> range:
    from miniature.world.splits import HELD_OUT_SEED

    if first < 0:
        raise InvalidInput(f"seed {first} is below 0")
    if count < 1:
        raise InvalidInput(f"count {count} is below 1")
    if held_out and first < HELD_OUT_SEED:
        first += HELD_OUT_SEED
    if first < HELD_OUT_SEED < first + count:
        raise InvalidInput(
            f"seeds {first} to {first + count - 1} would cross {HELD_OUT_SEED}, where held-out "
            "scenes start; ask for each side by itself"
        )
    return range(first, first + count)


def _check_size(size: int) -> None:
    if not 32 <= size <= MAX_SIZE:
        raise InvalidInput(f"size {size} is not between 32 and {MAX_SIZE} pixels")


def _scene(seed: int, held_out: bool) -> Scene:
    from miniature.world import scene

    return scene.sample(seed, held_out_pair=True if held_out else None)


def _write(seed: int, held_out: bool, size: int, out: Path) -> dict[str, Any]:
    """Write the pictures of one scene; return all that is known about it."""
    import numpy as np

    from miniature.world import language, splits
    from miniature.world.scene import boxes, masks, relations
    from tools.values import Mask

    scene = _scene(seed, held_out)
    rng = np.random.default_rng(seed)
    names = [f"{seed:010d}.png"]
    _save(scene, size, out / names[0])
    edits = []
    for number, edit in enumerate(language.edits(scene, rng), start=1):
        names.append(f"{seed:010d}-edit{number}.png")
        _save(edit.after, size, out / names[-1])
        edits.append(
            {
                "kind": edit.kind,
                "instruction": edit.instruction,
                "after": names[-1],
                "scene": asdict(edit.after),
                "touched": list(edit.touched),
                "mask": _edit_mask(scene, edit.after, size).rle(),
            }
        )
    things = scene.things
    return {
        "seed": seed,
        "held_out_seed": seed >= splits.HELD_OUT_SEED,
        "held_out_pair": splits.has_held_out_pair(thing.group for thing in things),
        "image": names[0],
        "width": size,
        "height": size,
        "scene": {
            **asdict(scene),
            "relations": [
                {"subject": i, "relation": relation, "object": j}
                for i in range(len(things))
                for j in range(len(things))
                if i != j
                for relation in relations(things[i], things[j])
            ],
        },
        "boxes": boxes(scene, size).tolist(),
        "masks": [Mask(mask).rle() for mask in masks(scene, size)],
        "captions": [language.describe(scene), *(language.caption(scene, rng) for _ in range(3))],
        "questions": [asdict(question) for question in language.questions(scene, rng, 6)],
        "edits": edits,
    }


def _save(scene: Scene, size: int, path: Path) -> None:
    from PIL import Image

    from miniature.world.scene import draw

    Image.fromarray(draw(scene, size)).save(path)


def _edit_mask(before: Scene, after: Scene, size: int) -> Any:
    """Where the two pictures differ, as a mask; all of it when the background changes."""
    from miniature.world.scene import draw
    from tools.values import Mask

    return Mask((draw(before, size) != draw(after, size)).any(axis=2))
