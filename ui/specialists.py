"""Specialists: `sightloop tool` runs one tool by itself, `sightloop tools` lists them."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import JsonValue
from rich.table import Table

from tools.errors import InvalidInput
from ui.console import note, print_json, progress, screen
from ui.home import cache_folder
from ui.pictures import drop_if_empty, out_folder, read_pictures, shown, write_masks, write_picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic.fields import FieldInfo
    from rich.console import Console

    from tools.base import Record, Tool
    from tools.toolbox import LocalToolbox
    from tools.values import Image

ProfileOption = Annotated[
    str, typer.Option("--profile", "-p", help="Name of a profile, or the path of a .yaml file.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
ImageOption = Annotated[
    list[Path] | None,
    typer.Option("--image", "-i", help="A picture to work on; give -i again for more."),
]
OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out", "-o", help="Folder for pictures; a new one under sightloop-out if not given."
    ),
]


def tool(
    name: Annotated[str, typer.Argument(help="Name of a tool; `sightloop tools` lists them.")],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...", help="Its arguments; a value is text or JSON, a list a,b,c."
        ),
    ] = None,
    image: ImageOption = None,
    profile: ProfileOption = "miniature",
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run one tool by itself: `sightloop tool vqa -i photo.png question="is there a dog?"`."""
    console = screen(json_wanted=as_json)
    toolbox = open_toolbox(profile)
    specialist = toolbox.tool(name)
    given = parse_arguments(specialist, arguments or [])
    pictures = read_pictures(image or [], console)
    values = {**given, **place_pictures(specialist, given, pictures)}
    request = specialist.parse(values)
    specialist.check(request)
    started = time.perf_counter()
    output = asyncio.run(_call(toolbox, name, request, console))
    seconds = time.perf_counter() - started
    folder = out_folder(out, f"{name} {given.get('prompt', '')}")
    try:
        made = _write_pictures(output, folder)
        masks = write_masks(output.model_dump(mode="json"), folder, "mask")
    finally:
        drop_if_empty(folder)
    if out is not None and pictures:
        made += _write_boxes(output, pictures[0], out)
    if as_json:
        print_json(
            {
                "tool": name,
                "input": request.model_dump(mode="json"),
                "output": output.model_dump(mode="json"),
                "seconds": round(seconds, 3),
                "images": [{"path": str(path), "id": picture.id} for path, picture in made],
            }
        )
        return
    from ui.show import show_output

    files = [*(str(path) for path, _ in made), *masks]
    show_output(console, output, [shown(file) for file in files])
    console.print(f"[dim]{seconds:.1f} s, loading included[/]")


def tools(profile: ProfileOption = "miniature", as_json: JsonOption = False) -> None:
    """List the tools of a profile, what each takes and what it gives."""
    toolbox = open_toolbox(profile)
    absent = toolbox.absent()
    specialists = {name: toolbox.tool(name) for name in toolbox.names()}
    if as_json:
        print_json(
            {
                "profile": toolbox.profile.name,
                "tools": [
                    {
                        "name": name,
                        "description": each.description,
                        "input": each.input.model_json_schema(),
                        "output": each.output.model_json_schema(),
                    }
                    for name, each in specialists.items()
                ],
                "absent": absent,
            }
        )
        return
    console = screen()
    for name, each in specialists.items():
        console.print(f"[bold]{name}[/]  {each.description}")
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 4), pad_edge=True)
        for field in each.arguments:
            info = each.input.model_fields[field]
            table.add_row(field, _wanted(info), "" if info.is_required() else _default(info))
        console.print(table)
        console.print(f"    [dim]gives {', '.join(each.output.model_fields)}[/]\n")
    for name, why in absent.items():
        note(console, f"{name} is not there: {why}")


def open_toolbox(profile: str) -> LocalToolbox:
    """The tools of a profile in this process, with the results of earlier calls at hand.

    Raises:
        InvalidInput: there is no such profile.
    """
    from tools.cache import ResultCache
    from tools.profile import load_profile
    from tools.toolbox import LocalToolbox

    return LocalToolbox(load_profile(profile), ResultCache(cache_folder()))


def parse_arguments(specialist: Tool[Any, Any], arguments: Sequence[str]) -> dict[str, JsonValue]:
    """Read KEY=VALUE words by the types of the tool's fields.

    Raises:
        InvalidInput: a word has no `=`, a key is unknown or given twice.
    """
    fields = specialist.input.model_fields
    values: dict[str, JsonValue] = {}
    for word in arguments:
        key, equals, text = word.partition("=")
        if not equals:
            raise InvalidInput(
                f"{word!r} is no argument; write KEY=VALUE, keys: {', '.join(specialist.arguments)}"
            )
        if key not in fields:
            takes = ", ".join(specialist.arguments)
            raise InvalidInput(f"{specialist.name} takes no {key!r}; it takes: {takes}")
        if key in values:
            raise InvalidInput(f"{key!r} is given twice")
        values[key] = _value(fields[key], text)
    return values


def place_pictures(
    specialist: Tool[Any, Any], given: dict[str, JsonValue], pictures: Sequence[Image]
) -> dict[str, Any]:
    """Give the pictures to the picture fields, in order; a list field takes all that are left.

    Raises:
        InvalidInput: there are too few or too many.
    """
    waiting = list(pictures)
    need = f"{specialist.name} needs a picture; give one with -i PATH"
    placed: dict[str, Any] = {}
    for field, info in specialist.input.model_fields.items():
        schema = _schema(specialist, field)
        if field in given or not _takes_pictures(schema):
            continue
        if schema.get("type") == "array":
            if info.is_required() and not waiting:
                raise InvalidInput(need)
            placed[field], waiting = tuple(waiting), []
        elif waiting:
            placed[field] = waiting.pop(0)
        elif info.is_required():
            raise InvalidInput(need)
    if waiting:
        most = len(pictures) - len(waiting)
        takes = f"{most} picture{'s' if most != 1 else ''}" if most else "no picture"
        raise InvalidInput(f"{specialist.name} takes {takes}, not {len(pictures)}")
    return placed


def _schema(specialist: Tool[Any, Any], field: str) -> dict[str, Any]:
    schema: dict[str, Any] = specialist.input.model_json_schema()["properties"][field]
    return schema


def _takes_pictures(schema: dict[str, Any]) -> bool:
    return '"format": "image"' in json.dumps(schema)


def _value(info: FieldInfo, text: str) -> JsonValue:
    """Text for a field of text, a,b,c for a list, JSON for all else that is JSON."""
    from pydantic import TypeAdapter

    schema = TypeAdapter[Any](info.annotation or str).json_schema()
    kinds = {schema.get("type"), *(option.get("type") for option in schema.get("anyOf", ()))}
    if "string" in kinds and text != "null":
        return text
    try:
        value: JsonValue = json.loads(text)
    except json.JSONDecodeError:
        value = text
    if "array" in kinds and not isinstance(value, list):
        parts: list[JsonValue] = [part.strip() for part in text.split(",")]
        return parts if _of_texts(schema) else [_number(str(part)) for part in parts]
    return value


def _of_texts(schema: dict[str, Any]) -> bool:
    options = [schema, *schema.get("anyOf", ())]
    return any(option.get("items", {}).get("type") == "string" for option in options)


def _number(text: str) -> JsonValue:
    try:
        return float(text)
    except ValueError:
        return text


def _wanted(info: FieldInfo) -> str:
    return info.description or str(info.annotation)


def _default(info: FieldInfo) -> str:
    return f"[dim]default {info.default!r}[/]" if info.default is not None else "[dim]optional[/]"


async def _call(toolbox: LocalToolbox, name: str, request: Record, console: Console) -> Record:
    with progress(console) as bar:
        task = bar.add_task(name, total=None)

        def step(done: int, total: int, preview: Image | None) -> None:
            bar.update(task, completed=done, total=total)

        return await toolbox.call(name, request, step)


def _write_pictures(output: Record, folder: Path) -> list[tuple[Path, Image]]:
    from tools.cache import pictures_in

    named = enumerate(pictures_in(output), start=1)
    return [(write_picture(each, folder / f"img{number}.png"), each) for number, each in named]


def _write_boxes(output: Record, image: Image, out: Path) -> list[tuple[Path, Image]]:
    """The picture with the boxes that a tool gave for it, if it gave any."""
    from ui.overlay import Named, boxes_over

    listed = output.model_dump().get("boxes", ())
    boxes = [Named(f"{each['phrase']} {each['score']:.2f}", each["box"]) for each in listed]
    if not boxes:
        return []
    drawn = boxes_over(image, boxes)
    return [(write_picture(drawn, out_folder(out, "") / "boxes.png"), drawn)]
