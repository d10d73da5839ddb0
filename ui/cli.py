"""The command `sightloop`: its commands, and how each ending becomes an exit code.

0 it did what was asked, 2 the request was wrong or something is missing, 130 Ctrl-C.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer

from tools.errors import ToolError
from ui import (
    ask,
    bench,
    checkpoints,
    concepts,
    doctor,
    index,
    launch,
    mapping,
    mcp,
    replay,
    serve,
    specialists,
    talks,
    world,
)
from ui.console import Interrupted, complain

BAD_INPUT = 2
INTERRUPTED = 130

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Ask for a picture in words; it is drawn, looked at, checked and repaired.",
)
ASK, KEEP, SERVE, LOOK_AFTER = "Ask", "Keep", "Serve", "Look after"  # headings of the help
app.command("run", rich_help_panel=ASK)(ask.run)
app.command("plan", rich_help_panel=ASK)(ask.plan)
app.command("ui", rich_help_panel=ASK)(launch.ui)
app.command("tool", rich_help_panel=ASK)(specialists.tool)
app.command("tools", rich_help_panel=ASK)(specialists.tools)
app.command("map", rich_help_panel=ASK)(mapping.map_folder)
app.add_typer(talks.app, name="talks", rich_help_panel=KEEP)
app.command("replay", rich_help_panel=KEEP)(replay.replay)
app.add_typer(index.app, name="index", rich_help_panel=KEEP)
app.add_typer(concepts.app, name="concepts", rich_help_panel=KEEP)
app.command("serve", rich_help_panel=SERVE)(serve.serve)
app.add_typer(serve.keys_app, name="keys", rich_help_panel=SERVE)
app.command("mcp", rich_help_panel=SERVE)(mcp.mcp)
app.command("doctor", rich_help_panel=LOOK_AFTER)(doctor.doctor)
app.add_typer(checkpoints.app, name="models", rich_help_panel=LOOK_AFTER)
app.command("bench", rich_help_panel=LOOK_AFTER, context_settings=bench.CONTEXT)(bench.bench)
app.add_typer(world.app, name="world", rich_help_panel=LOOK_AFTER)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"sightloop {version('sightloop')}")
        for digest, checkpoint in checkpoints.digests():
            print(f"  {digest}  {checkpoint}")
        raise typer.Exit


@app.callback()
def _options(
    shown: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Print the version, and the digests of the weights that come along.",
        ),
    ] = False,
) -> None:
    pass


def call(arguments: Sequence[str]) -> int:
    """Run one command line.

    Args:
        arguments: without the program's name.

    Returns:
        The exit code: 0, 2 (with one line on stderr) or 130.
    """
    try:
        code = app(list(arguments), prog_name="sightloop", standalone_mode=False)
    except typer.TyperException as error:
        if said := error.format_message():  # empty when only the help was shown
            complain(said)
        return BAD_INPUT
    except ToolError as error:
        complain(str(error))
        return BAD_INPUT
    except Interrupted as interrupted:
        complain(str(interrupted), word="interrupted")
        return INTERRUPTED
    except OSError as error:
        complain(_disk(error))
        return BAD_INPUT
    if code == INTERRUPTED:
        complain("what was finished by now is kept", word="interrupted")
    return code if isinstance(code, int) else 0


def _disk(error: OSError) -> str:
    """What an error of the file system means for the person."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        place = f" for {error.filename}" if error.filename else ""
        return (
            f"no space left on the disk{place}; what was finished is kept: free some, "
            "or name another place with --out or SIGHTLOOP_HOME"
        )
    return f"{error.filename or 'the disk'}: {error.strerror or error}"


def _prepare() -> None:
    """Set what libraries read once, when they are imported.

    Our own warnings come through, one line each; libraries are kept from chattering.
    """
    # Threads that spin while they wait made one picture take 120 s instead of 13 s on two
    # cores that had other work too.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    warnings.simplefilter("ignore")
    for name in ("TRANSFORMERS_VERBOSITY", "DIFFUSERS_VERBOSITY"):
        os.environ.setdefault(name, "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    logging.basicConfig(level=logging.ERROR, format="note: %(message)s")
    for package in ("agent", "tools", "models"):
        logging.getLogger(package).setLevel(logging.WARNING)


def main() -> None:
    """Entry point of the command."""
    _prepare()
    sys.exit(call(sys.argv[1:]))
