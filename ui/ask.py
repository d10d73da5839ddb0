"""Ask: `sightloop run` and `sightloop plan`, a request in words."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from agent.reply import ASK_FOR_A_PICTURE
from tools.errors import InvalidInput, Unavailable
from ui.console import Interrupted, print_json, screen
from ui.home import open_store
from ui.pictures import (
    drop_if_empty,
    out_folder,
    read_pictures,
    shown,
    write_masks,
    write_picture,
)
from ui.specialists import ImageOption, JsonOption, OutOption, ProfileOption, open_toolbox
from ui.talks import find_talk, short

if TYPE_CHECKING:
    from agent.planner import Planner
    from agent.state import RunResult
    from agent.store import Store

MAX_LETTERS = 2000

Request = Annotated[str, typer.Argument(metavar="TEXT", help="What you want, in words.")]
LlmOption = Annotated[
    str,
    typer.Option("--llm", help="Who plans: embedded, or a LangChain chat model as provider:model."),
]


def run(
    text: Request,
    image: ImageOption = None,
    profile: ProfileOption = "miniature",
    llm: LlmOption = "embedded",
    seed: Annotated[
        int | None, typer.Option(help="Same seed, same pictures; a new one if not given.", min=0)
    ] = None,
    budget: Annotated[
        float, typer.Option(help="Seconds that drawing, checking and repairing may take.", min=1)
    ] = 60.0,
    no_loop: Annotated[
        bool, typer.Option("--no-loop", help="Draw once and check; repair nothing.")
    ] = False,
    talk: Annotated[
        str | None,
        typer.Option(help="Go on with this conversation: its id, or the beginning of it."),
    ] = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Carry out a request: plan, draw, look, check, repair, and show the evidence."""
    request = _request(text)
    console = screen(json_wanted=as_json)
    pictures = read_pictures(image or [], console)
    toolbox = open_toolbox(profile)
    planner = _planner(llm, console)

    from agent import loop
    from ui.live import Follower
    from ui.report import run_report

    store = open_store()
    conversation = find_talk(store, talk) if talk else store.conversation()
    folder = out_folder(out, request)
    follower = Follower(console, folder / "previews")
    chosen = secrets.randbelow(2**31) if seed is None else seed
    stream = loop.run(
        request,
        pictures,
        toolbox=toolbox,
        planner=planner,
        store=store,
        seed=chosen,
        budget_s=budget,
        loop=not no_loop,
        conversation=conversation,
        adapt=seed is None,
    )
    try:
        result = asyncio.run(follower.follow(stream))
        files = _hand_over(result, store, folder)
        drawn = _draw_evidence(result, files, store, folder)
        for call in result.calls:
            masks = (call.output or {}).get("masks", [])  # not those that a change was held to
            drawn += write_masks({"masks": masks}, folder, f"{call.id}-mask")
        report = run_report(result, files, conversation)
        if files or drawn or out is not None:
            _write_json(report, folder / "run.json")
    except KeyboardInterrupt:
        raise Interrupted(_keep(follower.made, store, folder)) from None
    finally:
        drop_if_empty(folder)
    if as_json:
        print_json(report)
    else:
        _show(console, result, follower.said, [*files.values(), *drawn])
        if files and seed is None:
            console.print(f"[dim]--seed {chosen} draws it again[/]")
        if talk is None and result.stopped != "failed":
            console.print(f"[dim]--talk {short(conversation)} goes on from here[/]")
    if result.reply == ASK_FOR_A_PICTURE:
        raise InvalidInput(f"{ASK_FOR_A_PICTURE} Give it with -i PATH.")
    if result.stopped == "failed":
        raise Unavailable(result.reply)


def plan(
    text: Request,
    image: ImageOption = None,
    profile: ProfileOption = "miniature",
    llm: LlmOption = "embedded",
    as_json: JsonOption = False,
) -> None:
    """Show the plan for a request; nothing is run."""
    request = _request(text)
    console = screen(json_wanted=as_json)
    pictures = read_pictures(image or [], console)
    toolbox = open_toolbox(profile)
    planner = _planner(llm, console)

    from agent.plan import Plan, validate
    from agent.planner import PlanRequest
    from agent.requests import asks_about_a_picture
    from ui.report import plan_report
    from ui.show import show_plan

    handles = tuple(f"img{number}" for number in range(1, len(pictures) + 1))
    if not handles and asks_about_a_picture(request):
        made = Plan(reply=ASK_FOR_A_PICTURE)
    else:
        made = asyncio.run(planner.plan(PlanRequest(request, toolbox, handles=handles)))
        validate(made, toolbox, handles)
    if as_json:
        print_json(plan_report(made))
    else:
        show_plan(console, made.calls, made.reply)


def _request(text: str) -> str:
    """The request, without what surrounds it.

    Raises:
        InvalidInput: it is empty, too long or no text.
    """
    request = text.strip()
    if not request:
        raise InvalidInput(
            'the request is empty; say what you want, such as "a red apple to the left of a dog"'
        )
    if len(request) > MAX_LETTERS:
        raise InvalidInput(
            f"the request has {len(request)} letters; at most {MAX_LETTERS} are read"
        )
    return request


def _planner(spec: str, console: Console) -> Planner:
    """The planner, its language model fetched first if it is not here yet."""
    from agent import language
    from models import smollm

    if spec == "embedded" and smollm.present() is None:
        console.print("[dim]fetching the planner's language model, 93 MB, once …[/]")
        smollm.pull()
    return language.planner(spec)


def _hand_over(result: RunResult, store: Store, folder: Path) -> dict[str, str]:
    """Copy the pictures of a run to where the person looks; handle to absolute path."""
    return {
        each.handle: str(write_picture(store.get(each.id), folder / f"{each.handle}.png"))
        for each in result.images
    }


def _draw_evidence(
    result: RunResult, files: Mapping[str, str], store: Store, folder: Path
) -> list[str]:
    """Beside each picture that was checked, one with the boxes that its checks stand on."""
    from ui.overlay import boxes_over, evidence_boxes

    drawn = []
    for each in result.images:
        boxes = evidence_boxes(each.id, [check.evidence for check in result.checks])
        if boxes and each.handle in files:
            picture = boxes_over(store.get(each.id), boxes)
            drawn.append(str(write_picture(picture, folder / f"{each.handle}-boxes.png")))
    return drawn


def _show(console: Console, result: RunResult, said: list[str], files: list[str]) -> None:
    """What came of a run, for a person; what failed is said as an error instead."""
    from ui.show import show_checks, show_end

    if result.checks:
        show_checks(console, result.checks, {each.id: each.handle for each in result.images})
    if result.calls and result.stopped != "failed":
        show_end(console, said, [shown(file) for file in files])
    elif result.stopped == "reply" and result.reply != ASK_FOR_A_PICTURE:
        show_end(console, [result.reply], [])


def _keep(made: Sequence[str], store: Store, folder: Path) -> str:
    """After Ctrl-C: hand over what was drawn so far; says how much and where."""
    for number, identity in enumerate(made, start=1):
        write_picture(store.get(identity), folder / f"unfinished{number}.png")
    if not made:
        return "nothing was drawn yet"
    if len(made) == 1:
        return f"1 picture drawn so far: {shown(folder)}/unfinished1.png"
    return f"{len(made)} pictures drawn so far: {shown(folder)}/unfinished1.png and on"


def _write_json(report: dict[str, Any], path: Path) -> None:
    path.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
