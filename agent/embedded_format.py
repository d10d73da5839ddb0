"""Embedded format: the short language between the embedded model and the code around it.

The model reads `img1,img2`, a line break and the request; it writes a JSON list of calls whose
first key is the tool, such as `[{"generate":"a cat"},{"vqa":"@c1","question":"..."}]`, or a
reply by its kind, `{"reply":"picture"}`. A grammar built for each request lets it write nothing
else: only tools that are alive, only pictures that exist. Knows no model and no tool's code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from typing import Any

from pydantic import JsonValue

from agent.plan import Call, Plan

FIRST = {  # the argument that stands at the tool's name
    "generate": "prompt",
    "caption": "image",
    "vqa": "image",
    "ground": "image",
    "score": "image",
    "classify": "image",
}
ABLE = {
    "generate": "draw a picture from words",
    "caption": "describe a picture",
    "vqa": "answer questions about one",
    "ground": "find things in it",
    "score": "say how well it fits a text",
    "classify": "choose between labels for it",
}
REPLIES = {
    "hello": "Hello! Tell me what to draw, or send a picture and ask about it. I can {able}.",
    "thanks": "You're welcome!",
    "bye": "Goodbye!",
    "help": "I can {able}. Try: draw a red apple to the left of a dog on a blue background.",
    "who": "I am Sightloop, a program that draws pictures and looks at them. I can {able}.",
    "okay": "All right. Tell me what to draw or which picture to look at.",
    "unclear": "I did not understand that. I can {able}. Which of these shall I do?",
    "picture": "I need a picture for that. Please add one, or ask me to draw one first.",
    "missing": "There is no such picture here. {have}",
    "edit": "I cannot change a picture yet. I can {able}.",
    "cutout": "I cannot cut out or mask things yet. I can {able}.",
    "cannot": "That is beyond what I can do. I can {able}.",
}
SHOWN = 6  # pictures named to the model; the grammar allows all

SPARE = r"""
text ::= "\"" first char{0,320} "\""
first ::= [^"\\\x00-\x20\x7F]
char ::= [^"\\\x00-\x1F\x7F]
seed ::= "0" | [1-9] [0-9]{0,8}
steps ::= [1-9] [0-9]?
n ::= [1-9] | "1" [0-6]
refusal ::= ("," "{\"reply\":\"" ("edit" | "cutout" | "cannot") "\"}")?"""
DRAW = r'''
draw ::= "{\"generate\":" text no? many? from? in? again? "}"
no ::= ",\"negative_prompt\":" text
many ::= ",\"n\":" n
from ::= ",\"seed\":" seed
in ::= ",\"steps\":" steps
again ::= ",\"again\":true"'''
MORE = {  # what follows the picture in a call that looks at it
    "caption": '""',
    "vqa": r'",\"question\":" text',
    "ground": r'",\"phrases\":[" text ("," text){0,7} "]"',
    "score": r'",\"text\":" text',
    "classify": r'",\"labels\":[" text ("," text){1,11} "]"',
}
DRAWS, LOOKS = 4, 8  # calls in one plan, at most


def prompt(text: str, handles: Sequence[str], last: str = "") -> str:
    """What the model reads.

    Args:
        text: the request, as written; marks of the chat format are taken out.
        handles: pictures of the conversation, oldest first; the latest few are shown.
        last: compact plan of the turn before, if there was one.
    """
    shown = [*handles[:1], *handles[1:][1 - SHOWN :]]
    lines = [f"last: {last}"] if last else []
    lines += [",".join(shown) or "none", _plain(text)]
    body = "\n".join(lines)
    return f"<|im_start|>user\n{body}<|im_end|>\n<|im_start|>assistant\n"


def _plain(text: str) -> str:
    return " ".join(re.sub(r"<\|[^|]*\|>", " ", text).split())


def grammar(handles: Sequence[str], tools: Collection[str]) -> str:
    """The GBNF grammar of all plans that are valid for these pictures and tools.

    Behind k pictures that the plan itself draws, `@c1` to `@ck` are pictures too.
    """
    looking = [tool for tool in MORE if tool in tools]
    draws = range(DRAWS + 1) if "generate" in tools else range(1)
    rules, plans = [SPARE], []
    if "generate" in tools:
        rules.append(DRAW)
    for drawn in draws:
        pictures = [*handles, *(f"@c{i + 1}" for i in range(drawn))]
        head = ' "," '.join(["draw"] * drawn)
        look = f"look{drawn}"
        if not (looking and pictures):
            plans += [head] * bool(drawn)
            continue
        calls = " | ".join(rf'"{{\"{tool}\":" image{drawn} {MORE[tool]} "}}"' for tool in looking)
        names = " | ".join(rf'"\"{name}\""' for name in pictures)
        rules += [f"{look} ::= {calls}", f"image{drawn} ::= {names}"]
        looks = f'{look} ("," {look}){{0,{LOOKS - 1}}}'
        plans.append(f'{head} ("," {looks})?' if drawn else looks)
    kinds = " | ".join(f'"{kind}"' for kind in REPLIES)
    rules.append(rf'reply ::= "{{\"reply\":\"" ({kinds}) "\"}}"')
    whole = [*(f'"[" {plan} refusal "]"' for plan in plans), "reply"]
    return "\n".join([f"root ::= {' | '.join(whole)}", *rules])


def plan(compact: str, handles: Sequence[str], tools: Collection[str]) -> Plan:
    """The plan that a compact one stands for; one broken off in the middle asks again.

    Calls are named c1, c2 … in order. A call that is there twice is made once.
    """
    try:
        held = json.loads(compact)
    except json.JSONDecodeError:
        held = {"reply": "unclear"}
    calls: list[Call] = []
    reply = None
    for entry in held if isinstance(held, list) else [held]:
        if "reply" in entry:
            reply = words(entry["reply"], handles, tools)
            continue
        tool, arguments = _call(entry, handles)
        if tool == "classify" and len(arguments["labels"]) < 2:  # type: ignore[arg-type]
            reply = words("unclear", handles, tools)
        elif tool == "generate" or all((tool, arguments) != (c.tool, c.input) for c in calls):
            calls.append(Call(id=f"c{len(calls) + 1}", tool=tool, input=arguments))
    return Plan(calls=tuple(calls), reply=reply)


def words(kind: str, handles: Sequence[str], tools: Collection[str]) -> str:
    """A reply of this kind, naming what can be done with these tools and pictures."""
    able = [ABLE[tool] for tool in ABLE if tool in tools] or ["do nothing, since no tool is alive"]
    listed = able[0] if len(able) == 1 else f"{', '.join(able[:-1])}, and {able[-1]}"
    have = f"There is {', '.join(handles)}." if handles else "There is none yet."
    return REPLIES[kind].format(able=listed, have=have)


def _call(entry: dict[str, Any], handles: Sequence[str]) -> tuple[str, dict[str, JsonValue]]:
    tool = next(iter(entry))
    arguments: dict[str, JsonValue] = {FIRST[tool]: entry[tool]}
    arguments |= {key: value for key, value in entry.items() if key not in (tool, "again")}
    if "labels" in entry:
        arguments["labels"] = list(dict.fromkeys(entry["labels"]))
    if "again" in entry:  # another seed, or the very same picture would come back
        arguments["seed"] = len(handles)
    if FIRST[tool] == "image" and str(entry[tool]).startswith("@"):
        arguments["image"] = f"{entry[tool]}.images[0]"
    return tool, arguments
