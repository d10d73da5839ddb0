"""Doctor: `sightloop doctor`, what works here, what is missing, how to get it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from typing import Literal, NamedTuple

import typer

from tools.errors import ToolError
from ui.console import print_json, screen
from ui.home import home
from ui.specialists import JsonOption, ProfileOption

State = Literal["ok", "missing", "warning"]
SIGNS: dict[State, str] = {
    "ok": "[green]ok     [/]",
    "missing": "[red]missing[/]",
    "warning": "[yellow]warning[/]",
}
LIBRARIES = ("torch", "transformers", "diffusers", "langchain", "langgraph", "xllamacpp", "ray")
PROVIDERS = ("anthropic", "google_genai", "groq", "mistralai", "ollama", "openai")
FREE_GIB = 1.0


class Finding(NamedTuple):
    """One thing looked at.

    Attributes:
        about: what it is.
        remedy: what to do about it; empty when nothing is to do.
    """

    about: str
    state: State
    detail: str
    remedy: str = ""


def doctor(profile: ProfileOption = "miniature", as_json: JsonOption = False) -> None:
    """Say what works here, what is missing and how to get it; exit code 2 if something is."""
    findings = [*_machine(), *_libraries(), *_storage(), *_tools(profile), *_planner()]
    if as_json:
        print_json({"profile": profile, "findings": [each._asdict() for each in findings]})
    else:
        console = screen()
        for each in findings:
            console.print(
                f"{SIGNS[each.state]}  [bold]{each.about}[/]  {each.detail}", soft_wrap=True
            )
            if each.remedy:
                console.print(f"         → {each.remedy}", soft_wrap=True)
    if any(each.state == "missing" for each in findings):
        raise typer.Exit(2)


def _machine() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding("python", "ok", f"{platform.python_version()}, {cores} cores, {sys.platform}")


def _libraries() -> Iterator[Finding]:
    required = importlib.metadata.requires("sightloop") or ()
    names = [
        re.split(r"[^\w.-]", text, maxsplit=1)[0] for text in required if "extra ==" not in text
    ]
    for name in dict.fromkeys((*LIBRARIES, *names)):
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield Finding(
                name, "missing", "not installed", f"`pip install {name}`, or install again"
            )
        else:
            if name in LIBRARIES:  # the others matter only when they are missing
                yield Finding(name, "ok", version)
    import torch

    if torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory / 2**30
        yield Finding("accelerator", "ok", f"{torch.cuda.get_device_name(0)}, {memory:.0f} GiB")
    else:
        yield Finding("accelerator", "ok", "none: the miniature runs on the CPU")


def _storage() -> Iterator[Finding]:
    folder = home()
    present = next(each for each in (folder, *folder.parents) if each.exists())
    free = shutil.disk_usage(present).free / 2**30
    if not os.access(present, os.W_OK):
        yield Finding(
            "pictures",
            "missing",
            f"{folder} cannot be written",
            "set SIGHTLOOP_HOME to a folder of yours",
        )
    elif free < FREE_GIB:
        yield Finding(
            "pictures", "warning", f"{folder}, only {free:.1f} GiB free", "free some space"
        )
    else:
        yield Finding("pictures", "ok", f"{folder}, {free:.0f} GiB free")
    yield _database()
    yield _bucket()


def _database() -> Finding:
    from agent.storage import open_database

    if not os.environ.get("SIGHTLOOP_DATABASE"):
        return Finding("database", "ok", f"SQLite {sqlite3.sqlite_version}, in the home folder")
    try:
        database = open_database(home() / "store" / "store.sqlite")
        ((version,),) = database.rows("SHOW server_version")
    except ToolError as error:
        return Finding("database", "missing", "SIGHTLOOP_DATABASE", str(error))
    return Finding("database", "ok", f"Postgres {version}, {database.where}")


def _bucket() -> Finding:
    from agent.storage import open_bucket

    try:
        if (bucket := open_bucket()) is None:
            return Finding("picture storage", "ok", "files in the home folder")
        bucket.check()
    except ToolError as error:
        return Finding("picture storage", "missing", "SIGHTLOOP_PICTURES", str(error))
    return Finding("picture storage", "ok", f"{bucket.where}, copies in the home folder")


def _tools(profile: str) -> Iterator[Finding]:
    from models import weights
    from tools.profile import load_profile

    for name, settings in load_profile(profile).tools.items():
        try:
            weights.verify(settings.checkpoint, settings.sha256)
        except ToolError as error:
            yield Finding(f"tool {name}", "missing", settings.checkpoint, str(error))
        else:
            yield Finding(f"tool {name}", "ok", settings.checkpoint)


def _planner() -> Iterator[Finding]:
    from models import smollm

    here = smollm.present()
    fetch = "`sightloop models pull` fetches its language model (93 MB)"
    if here is None:
        yield Finding("planner", "warning", "embedded, fetched at the first request", fetch)
    else:
        yield Finding("planner", "ok", f"embedded, {here}")
    others = [name for name in PROVIDERS if importlib.util.find_spec(f"langchain_{name}")]
    detail = ", ".join(others) or "none installed"
    yield Finding("other planners", "ok", f"{detail} (--llm provider:model)")
