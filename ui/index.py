"""Index: `sightloop index`, a person's own folders made searchable by words and pictures."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from tools.errors import InvalidInput
from ui.console import note, print_json, progress, screen
from ui.pictures import read_pictures, shown
from ui.specialists import JsonOption, ProfileOption, open_toolbox

if TYPE_CHECKING:
    from tools.index.catalogue import Catalogue, Vectors
    from tools.values import Pixels

SKIPPED = 5  # unreadable files named after adding; `index list NAME` names all

app = typer.Typer(no_args_is_help=True, help="Your own folders, searchable by words and pictures.")
NameOption = Annotated[str, typer.Option("--index", help="Which index.")]


@app.command()
def add(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(help="Folders; without any, those added before are looked through again."),
    ] = None,
    name: NameOption = "default",
    encoder: Annotated[
        str | None,
        typer.Option(
            help="Of a new index: clip, align, coca, vit, dino, beit, beitv2, eva, a folder or a "
            "hub id; what `retrieve` uses in the profile if not given."
        ),
    ] = None,
    profile: ProfileOption = "miniature",
    as_json: JsonOption = False,
) -> None:
    """Add folders, or look for what is new in them; ended in the middle, it goes on next time."""
    from tools.index.fill import fill

    console = screen(json_wanted=as_json)
    for folder in folders or []:
        if not folder.expanduser().is_dir():
            raise InvalidInput(f"{str(folder)!r} is not a folder; an index is made of folders")
    catalogue, embed = opened(name, encoder, profile, bool(folders))
    with catalogue, progress(console) as bar:
        task = bar.add_task(f"index {name}", total=None)
        given = folders or [Path(folder) for folder in catalogue.folders()]
        done = fill(catalogue, given, embed, lambda n, of: bar.update(task, completed=n, total=of))
        held = len(catalogue)
    if as_json:
        skipped = [{"path": each.path, "why": each.why} for each in done.skipped]
        counts = {"added": done.added, "unchanged": done.unchanged, "gone": done.gone}
        print_json({"index": name, "pictures": held, **counts, "skipped": skipped})
        return
    console.print(
        f"index {name}: {held} pictures; {done.added} added ({done.copies} of them copies), "
        f"{done.unchanged} unchanged, {done.gone} gone"
    )
    for each in done.skipped[:SKIPPED]:
        note(console, f"skipped {shown(each.path)}: {each.why}")
    if len(done.skipped) > SKIPPED:
        note(console, f"{len(done.skipped)} files skipped; `sightloop index list {name}` names all")


@app.command()
def remove(
    name: Annotated[str, typer.Argument(help="Which index.")] = "default",
    folder: Annotated[
        Path | None, typer.Option(help="Only what lies under this folder, not the whole index.")
    ] = None,
) -> None:
    """Forget an index, or one folder of it; the pictures stay where they are."""
    from tools.index.catalogue import Catalogue, drop
    from tools.index.nearest import settle

    console = screen()
    if folder is None:
        drop(name)
        console.print(f"index {name} is removed; your pictures stay where they are")
        return
    path = str(folder.expanduser().absolute().resolve())
    with Catalogue(name) as catalogue:
        if path not in catalogue.folders():
            raise InvalidInput(
                f"{path!r} is not in index {name!r}; in it are: "
                f"{', '.join(catalogue.folders()) or 'none'}"
            )
        gone = catalogue.unwatch(path)
        settle(catalogue)
    console.print(f"{gone} files of {shown(path)} are out of index {name}", soft_wrap=True)


@app.command("list")
def list_(
    name: Annotated[str | None, typer.Argument(help="One index, in full.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the indexes: how many pictures, of which folders, by which encoder."""
    from tools.index.catalogue import Catalogue, names

    found: list[dict[str, Any]] = []
    for each in [name] if name else names():
        try:
            with Catalogue(each) as catalogue:
                found.append(_facts(catalogue, full=name is not None))
        except InvalidInput as error:
            if name:
                raise
            found.append({"index": each, "error": str(error)})
    if as_json:
        print_json({"indexes": found})
        return
    console = screen()
    for facts in found:
        console.print(f"[bold]{facts.pop('index')}[/]")
        for bad in facts.pop("skipped_files", []):
            note(console, f"skipped {bad['path']}: {bad['why']}")
        for key, value in facts.items():
            said = ", ".join(value) if isinstance(value, list) else value
            console.print(f"    {key}: {escape(str(said))}", soft_wrap=True)
    if not found:
        console.print("no index yet; `sightloop index add FOLDER` makes one")


@app.command()
def search(
    query: Annotated[str | None, typer.Argument(help="Words.")] = None,
    image: Annotated[
        Path | None, typer.Option("--image", "-i", help="A picture that they should be like.")
    ] = None,
    name: NameOption = "default",
    k: Annotated[int, typer.Option("-k", help="How many, 1 to 100.")] = 5,
    profile: ProfileOption = "miniature",
    as_json: JsonOption = False,
) -> None:
    """Find pictures by words, by a picture, or by both."""
    console = screen(json_wanted=as_json)
    toolbox = open_toolbox(profile)
    pictures = read_pictures([image] if image else [], console)
    given = {"query": query, "image": pictures[0] if pictures else None, "index": name, "k": k}
    retrieve = toolbox.tool("retrieve")
    request = retrieve.parse(given)
    retrieve.check(request)  # what is wrong is said before anything is loaded
    output = asyncio.run(toolbox.call("retrieve", request)).model_dump(mode="json")
    if as_json:
        print_json({"index": name, "query": query, "matches": output["matches"]})
        return
    for match in output["matches"]:
        console.print(f"{match['score']:.3f}  {escape(shown(match['path']))}", soft_wrap=True)


@app.command()
def duplicates(name: NameOption = "default", as_json: JsonOption = False) -> None:
    """Find pictures that are the same to the eye: copies, scaled, or saved again."""
    from tools.index.catalogue import Catalogue
    from tools.index.duplicates import duplicates as alike

    console = screen(json_wanted=as_json)
    with Catalogue(name) as catalogue, progress(console) as bar:
        task = bar.add_task("comparing", total=None)
        groups = alike(catalogue, lambda n, of: bar.update(task, completed=n, total=of))
    if as_json:
        print_json({"index": name, "groups": [[one.path for one in group] for group in groups]})
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for number, group in enumerate(groups, start=1):
        for entry in group:
            table.add_row(str(number), escape(shown(entry.path)))
    console.print(table if groups else "no two pictures are the same to the eye")


def opened(name: str, encoder: str | None, profile: str, new: bool) -> tuple[Catalogue, Any]:
    """The index, made if it is not there, and what turns pictures into its vectors."""
    from models import weights
    from tools.index.catalogue import Catalogue, create, names
    from tools.profile import load_profile

    settings = load_profile(profile).tools.get("retrieve")
    if settings is None:
        raise InvalidInput(f"profile {profile!r} has no tool 'retrieve'; take another --profile")
    catalogue = Catalogue(name) if name in names() or not new else None
    from models import encoders

    wanted = encoders.checkpoint(encoder) if encoder else None
    if catalogue and wanted and wanted != catalogue.checkpoint:
        raise InvalidInput(
            f"index {name!r} was made with {catalogue.checkpoint!r}; vectors of two encoders do "
            "not mix: take another --index for this --encoder"
        )
    checkpoint = catalogue.checkpoint if catalogue else wanted or settings.checkpoint
    digest = weights.verify(checkpoint)
    if catalogue and digest != catalogue.digest:
        raise InvalidInput(
            f"index {name!r} was made with other weights of {checkpoint!r} than are here now; "
            f"`sightloop index remove {name}` and add its folders again"
        )
    network = encoders.load(checkpoint, settings.device, settings.dtype)

    def embed(pictures: Sequence[Pixels]) -> Vectors:
        found: Vectors = network.pictures(pictures).cpu().numpy()
        return found

    if catalogue is None:
        import numpy as np

        size = embed([np.full((32, 32, 3), 255, np.uint8)]).shape[1]
        catalogue = create(name, checkpoint, digest, dimensions=size, speaks=network.speaks)
    return catalogue, embed


def _facts(catalogue: Catalogue, *, full: bool) -> dict[str, Any]:
    skipped = catalogue.skipped()
    facts: dict[str, Any] = {
        "index": catalogue.name,
        "pictures": len(catalogue),
        "skipped": len(skipped),
        "folders": catalogue.folders(),
        "encoder": catalogue.checkpoint,
        "megabytes": round(sum(f.stat().st_size for f in catalogue.folder.iterdir()) / 1e6, 1),
    }
    if full:
        facts["skipped_files"] = [{"path": each.path, "why": each.why} for each in skipped]
    return facts
