"""Embedded format: the short language between the embedded model and the code around it.

The model reads `img1,img2`, a line break and the request; it writes a JSON list of calls whose
first key is the verb, such as `[{"generate":"a cat"},{"vqa":"@c1","question":"..."}]`, or a
reply by its kind, `{"reply":"picture"}`. A grammar built for each request lets it write nothing
else, and only pictures that exist. `agent/embedded_plan.py` turns it into a plan.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

ABLE: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("draw a picture from words", ("generate",)),
    ("place each thing of a drawing", ("layout",)),
    ("describe a picture", ("caption",)),
    ("answer questions about one", ("vqa",)),
    ("find things in it", ("ground",)),
    ("say how well it fits a text", ("score",)),
    ("choose between labels for it", ("classify",)),
    ("cut things out of it", ("segment",)),
    ("read the text on it", ("ocr",)),
    ("map its edges", ("edges",)),
    ("map its depth", ("depth",)),
    ("map the poses of people", ("pose",)),
    ("change it", ("edit", "inpaint")),
    ("remove or replace things in it", ("remove", "replace")),
    ("draw it in another style", ("restyle",)),
    ("extend it beyond its edges", ("outpaint",)),
    ("enlarge it", ("upscale",)),
    ("draw along its outlines", ("control",)),
    ("learn a thing and draw it again", ("customize",)),
    ("search pictures of yours", ("retrieve",)),
)
"""What is said of the tools that are alive; one of each group is enough."""
MAIN = ("generate", "caption", "vqa", "ground", "edit")  # what is named of them in passing
REPLIES = {
    "hello": "Hello! Tell me what to draw, or send a picture and ask about it. I can {mostly}.",
    "thanks": "You're welcome!",
    "bye": "Goodbye!",
    "help": "I can {able}. Try: draw a red apple to the left of a dog on a blue background.",
    "who": "I am Sightloop, a program that draws pictures and looks at them. I can {mostly}.",
    "okay": "All right. Tell me what to draw or which picture to look at.",
    "unclear": "I did not understand that. I can {mostly}. Which of these shall I do?",
    "what": "Please say a little more: what exactly shall I draw, change or look for?",
    "picture": "I need a picture for that. Please add one, or ask me to draw one first.",
    "missing": "There is no such picture here. {have}",
    "edit": "I cannot change a picture in that way. I can {mostly}.",
    "cannot": "That is beyond what I can do. I can {mostly}.",
    "absent": "No tool of this profile does that. I can {mostly}.",
}
GREETING = re.compile(
    r"(?:hi|hello|hey|good (?:morning|afternoon|evening))(?: there| again| sightloop)?\s*[.!,]*",
    re.IGNORECASE,
)
"""What is answered without the model, which sometimes does not understand it."""
SPOKEN = tuple(kind for kind in REPLIES if kind != "absent")  # what the model may say itself
SHOWN = 6  # pictures named to the model; the grammar allows all
CALLS = 8  # in one plan, at most

WORDS = r"""
text ::= "\"" first char{0,320} "\""
first ::= [^"\\\x00-\x20\x7F]
char ::= [^"\\\x00-\x1F\x7F]
name ::= "\"" [A-Za-z] [A-Za-z0-9_]{2,31} "\""
seed ::= "0" | [1-9] [0-9]{0,8}
steps ::= [1-9] [0-9]?
n ::= [1-9] | "1" [0-6]
px ::= [1-9] [0-9]{0,2}
side ::= "\"left\"" | "\"right\"" | "\"top\"" | "\"bottom\""
corner ::= "\"" ("top" | "bottom") " " ("left" | "right") "\""
place ::= side | corner | "\"middle\""
count ::= ",\"k\":" n
refusal ::= ("," "{\"reply\":\"" ("edit" | "cannot") "\"}")?"""
FREE = {  # verbs that need no picture; what follows their name
    "generate": r'text (",\"negative_prompt\":" text)? (",\"n\":" n)? (",\"seed\":" seed)? '
    r'(",\"steps\":" steps)? (",\"again\":true")?',
    "layout": r'"[" thing ("," thing){0,7} "]" (",\"on\":" text)? (",\"again\":true")?',
    "retrieve": "text count?",
}
THING = 'thing ::= "[" text "," place "]"'
ON = {  # verbs that take a picture; what follows it
    "caption": '""',
    "vqa": r'",\"question\":" text',
    "ground": r'",\"phrases\":[" text ("," text){0,7} "]"',
    "score": r'",\"text\":" text',
    "classify": r'",\"labels\":[" text ("," text){1,11} "]"',
    "segment": r'(",\"phrase\":" text)?',
    "ocr": '""',
    "depth": '""',
    "edges": '""',
    "pose": '""',
    "edit": r'",\"instruction\":" text',
    "inpaint": r'",\"prompt\":" text ",\"at\":" place',
    "remove": r'",\"phrase\":" text',
    "replace": r'",\"phrase\":" text ",\"prompt\":" text',
    "restyle": r'",\"prompt\":" text',
    "outpaint": r'",\"sides\":[" side ("," side){0,3} "]" (",\"px\":" px)?',
    "upscale": r'(",\"factor\":" n)?',
    "control": r'",\"kind\":\"" ("edges" | "depth" | "pose") "\",\"prompt\":" text',
    "similar": "count?",
}


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
    words = " ".join(re.sub(r"<\|[^|]*\|>", " ", text).split())
    return words.lower() if words.isupper() else words  # it hardly ever read capitals


def grammar(handles: Sequence[str]) -> str:
    """The GBNF grammar of all that may be written where these pictures exist.

    The first call can only take one of them; later calls may also take `@c1`, what the first
    call gives, and so on.
    """
    made = [f"@c{number}" for number in range(1, CALLS)]
    rules = [WORDS, THING]
    free = " | ".join(rf'"{{\"{verb}\":" {rest} "}}"' for verb, rest in FREE.items())
    rules.append(f"free ::= {free}")
    for number, pictures in enumerate((list(handles), [*handles, *made])):
        if not pictures:
            rules.append("call0 ::= free")
            continue
        names = " | ".join(rf'"\"{name}\""' for name in pictures)
        image = f"image{number}"
        on = [rf'"{{\"{verb}\":" {image} {rest} "}}"' for verb, rest in ON.items()]
        learn = rf'"{{\"customize\":[" {image} ("," {image})* "],\"name\":" name "}}"'
        rules += [f"{image} ::= {names}", f"call{number} ::= free | {' | '.join([*on, learn])}"]
    kinds = " | ".join(f'"{kind}"' for kind in SPOKEN)
    rules.append(rf'reply ::= "{{\"reply\":\"" ({kinds}) "\"}}"')
    root = f'root ::= "[" call0 ("," call1){{0,{CALLS - 1}}} refusal "]" | reply'
    return "\n".join([root, *rules])


def words(kind: str, handles: Sequence[str], tools: Collection[str]) -> str:
    """A reply of this kind, naming what can be done with these tools and pictures."""
    alive = {said: group for said, group in ABLE if any(tool in tools for tool in group)}
    main = [said for said, group in alive.items() if any(tool in MAIN for tool in group)]
    mostly = _listed([*main, 'more (say "help" for all)'] if len(main) < len(alive) else main)
    have = f"There is {', '.join(handles)}." if handles else "There is none yet."
    return REPLIES[kind].format(able=_listed(list(alive)), mostly=mostly, have=have)


def _listed(parts: Sequence[str]) -> str:
    if not parts:
        return "do nothing, since no tool is alive"
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])}, and {parts[-1]}"
