"""Serve: `sightloop serve`, the tools as replicas behind HTTP doors, and `sightloop keys`."""

from __future__ import annotations

import ipaddress
import signal
import time
from contextlib import ExitStack
from typing import Annotated

import typer

from tools.errors import InvalidInput, Unavailable
from ui.console import print_json, progress, screen
from ui.home import home
from ui.specialists import JsonOption, ProfileOption

keys_app = typer.Typer(no_args_is_help=True, help="Keys that open the HTTP doors.")


def serve(
    profile: ProfileOption = "miniature",
    address: Annotated[
        str, typer.Option(help="HOST:PORT; other than this machine only once there are keys.")
    ] = "127.0.0.1:8000",
    llm: Annotated[str, typer.Option("--llm", help="Who plans; as for `sightloop run`.")] = (
        "embedded"
    ),
) -> None:
    """Serve the tools and the agent over HTTP until Ctrl-C."""
    from serving.cluster import local
    from serving.config import ServingConfig
    from serving.deployed import deploy
    from tools.profile import load_profile

    host, port = _address(address)
    console = screen()
    chosen = load_profile(profile)
    groups = ServingConfig.of(chosen).groups.values()
    cores = sum(group.cpus * (group.most_replicas or group.replicas) for group in groups)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a supervisor's way of Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where a shell had it ignored
    with ExitStack() as running:
        with progress(console) as bar:
            task = bar.add_task("starting Ray", total=None)
            running.enter_context(local(cores=cores, host=host, port=port))
            bar.update(task, description="loading the tools")
            deploy(chosen, home(), llm)
        console.print(f"ready: http://{host}:{port}  (Ctrl-C ends it)")
        while True:
            time.sleep(3600)


@keys_app.command("add")
def add(name: Annotated[str, typer.Argument(help="Whose key it is.")]) -> None:
    """Make a key and show it, this once."""
    from serving.doors import Keys

    print(Keys(home()).add(name))


@keys_app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List the keys by name; the keys themselves are kept nowhere."""
    from serving.doors import Keys

    keys = Keys(home()).all()
    if as_json:
        print_json([{"id": key.id, "name": key.name, "made": key.made} for key in keys])
        return
    console = screen()
    for key in keys:
        console.print(f"{key.name}  [dim]{key.id}[/]")
    if not keys:
        console.print("no key yet, so only this machine is served; `sightloop keys add NAME`")


@keys_app.command("remove")
def remove(name: Annotated[str, typer.Argument(help="Name or id of a key.")]) -> None:
    """Take a key away."""
    from serving.doors import Keys

    Keys(home()).remove(name)


def _address(text: str) -> tuple[str, int]:
    """Host and port, if they may be served.

    Raises:
        InvalidInput: it is no address.
        Unavailable: it can be reached from elsewhere and there is no key.
    """
    from serving.doors import Keys

    host, colon, port = text.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    if not colon or not port.isdigit() or not 0 < int(port) < 2**16:
        raise InvalidInput(f"--address is HOST:PORT, such as 127.0.0.1:8000, not {text!r}")
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback and not Keys(home()).all():
        raise Unavailable(
            f"{host} can be reached from elsewhere and there is no key; "
            "make one with `sightloop keys add NAME`, or serve 127.0.0.1"
        )
    return host, int(port)
