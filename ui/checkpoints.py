"""Checkpoints: `sightloop models`, the weights behind each tool: whose, where, whole or not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from tools.errors import Unavailable
from ui.console import complain, print_json, screen
from ui.specialists import JsonOption, ProfileOption

app = typer.Typer(no_args_is_help=True, help="The weights behind the tools.")
Named = Annotated[
    str | None,
    typer.Argument(help="A checkpoint; without it, all that the profile names.", metavar="[NAME]"),
]


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List the checkpoints of every profile: who uses them, are they here, their licence."""
    from models import smollm, weights
    from tools.profile import load_profile, profile_names

    rows: dict[str, dict[str, Any]] = {}
    for profile in profile_names():
        for tool, settings in load_profile(profile).tools.items():
            card = weights.card(settings.checkpoint)
            row = rows.setdefault(
                settings.checkpoint,
                {
                    "checkpoint": settings.checkpoint,
                    "what": card.what,
                    "licence": card.licence,
                    "paper": card.paper,
                    "path": _path(settings.checkpoint),
                    "used_by": [],
                },
            )
            row["used_by"].append({"profile": profile, "tool": tool})
    language_model = smollm.present()
    rows[smollm.FILE] = {
        "checkpoint": smollm.FILE,
        "what": "the planner's language model",
        "licence": "Apache-2.0",
        "paper": "Ben Allal et al. 2025, arXiv:2502.02737",
        "path": str(language_model) if language_model else None,
        "used_by": [],
    }
    if as_json:
        print_json({"checkpoints": list(rows.values())})
        return
    console = screen()
    for row in rows.values():
        users: dict[str, list[str]] = {}
        for use in row["used_by"]:
            users.setdefault(use["profile"], []).append(use["tool"])
        here = "[green]here[/]" if row["path"] else "[yellow]not here[/]"
        console.print(f"[bold]{row['checkpoint']}[/]  {here}", soft_wrap=True)
        console.print(f"    {row['what']}", soft_wrap=True)
        for profile, tools in users.items():
            console.print(f"    {', '.join(tools)} of profile {profile}", soft_wrap=True)
        console.print(f"    [dim]{row['licence']}[/]", soft_wrap=True)
    if not all(row["path"] for row in rows.values()):
        console.print("\n`sightloop models pull` fetches what is not here: NAME, or --profile P.")


@app.command()
def pull(
    name: Named = None, profile: ProfileOption = "miniature", as_json: JsonOption = False
) -> None:
    """Fetch checkpoints that are not here, and the planner's language model."""
    from models import hub, smollm

    console = screen(json_wanted=as_json)
    fetched = []
    for checkpoint in [name] if name else _checkpoints(profile):
        console.print(f"{checkpoint} …", soft_wrap=True)
        path = hub.pull(checkpoint)
        console.print(f"  lies in {path}", soft_wrap=True)
        fetched.append({"checkpoint": checkpoint, "path": str(path)})
    if not name:
        console.print(f"{smollm.FILE} (the planner) …")
        path = smollm.pull()
        console.print(f"  lies in {path}", soft_wrap=True)
        fetched.append({"checkpoint": smollm.FILE, "path": str(path)})
    if as_json:
        print_json({"checkpoints": fetched})


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(help="Of Segment Anything, MoCo v3 or ImageReward.")],
    folder: Annotated[Path, typer.Argument(help="New folder, to be named in a profile.")],
) -> None:
    """Turn weights as their authors saved them into a folder that a profile can name."""
    from models import originals

    screen().print(f"wrote {originals.convert(source, folder)}", soft_wrap=True)


@app.command()
def check(
    name: Named = None, profile: ProfileOption = "miniature", as_json: JsonOption = False
) -> None:
    """Compare checkpoints with the digests they should have; exit code 2 if one is not right."""
    from models import weights

    expected = _checkpoints(profile)
    console = screen(json_wanted=as_json)
    found = []
    for checkpoint in [name] if name else expected:
        try:
            digest = weights.verify(checkpoint, expected.get(checkpoint))
        except Unavailable as error:
            found.append({"checkpoint": checkpoint, "ok": False, "error": str(error)})
            complain(str(error))
        else:
            found.append({"checkpoint": checkpoint, "ok": True, "sha256": digest})
            console.print(f"[green]whole[/]  {checkpoint}  [dim]{digest[:12]}[/]", soft_wrap=True)
    if as_json:
        print_json({"checkpoints": found})
    if not all(each["ok"] for each in found):
        raise typer.Exit(2)


def digests() -> Iterator[tuple[str, str]]:
    """Digest and name of the weights that come with this program, the planner's adapter too."""
    from agent.embedded import ADAPTER
    from models import weights

    for checkpoint in sorted(_checkpoints("miniature")):
        if not checkpoint.startswith(weights.PACKAGE):
            try:
                yield weights.digest(checkpoint)[:16], checkpoint
            except Unavailable:
                yield "not here", checkpoint
    if ADAPTER.is_file():
        with ADAPTER.open("rb") as file:
            yield hashlib.file_digest(file, "sha256").hexdigest()[:16], "the planner's adapter"


def _checkpoints(profile: str) -> dict[str, str | None]:
    """The checkpoints of a profile, each once, with the digest the profile expects."""
    from tools.profile import load_profile

    return {each.checkpoint: each.sha256 for each in load_profile(profile).tools.values()}


def _path(checkpoint: str) -> str | None:
    from models import weights

    try:
        return str(weights.locate(checkpoint))
    except Unavailable:
        return None
