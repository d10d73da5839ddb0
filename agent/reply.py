"""Reply: what the agent says, every fact of it bound to a check or to what a tool gave."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from pydantic import JsonValue

from agent.checklist import Claim
from agent.drawing import Try
from agent.events import Sentence
from agent.state import CallRecord, Check, Spent, Stopped

SHOWN = 120  # characters of a value that a sentence repeats
ASK_FOR_A_PICTURE = "That needs a picture and none is here yet: please add one and ask again."


def picture_sentences(
    handle: str,
    checks: Sequence[Check],
    prompt: str | None,
    tool: str,
    call: str,
    size_wh: tuple[int, int],
) -> list[Sentence]:
    """What one picture meets, what it does not, and what is not certain.

    Args:
        prompt: what it was drawn from, if from words.
        tool: what made it.
        call: id of the call that did.
        size_wh: px.
    """
    if not checks:
        size = f"{size_wh[0]}×{size_wh[1]} pixels"
        made = f' is drawn from "{_short(prompt)}"' if prompt else f" was made by {tool}, {size}"
        return [
            Sentence(
                text=f"{handle}{made}; nothing in the request could be checked on it.",
                rests_on=(f"call:{call}",),
            )
        ]
    by_verdict: dict[str, list[tuple[int, Check]]] = {"pass": [], "fail": [], "unsure": []}
    for number, check in enumerate(checks):
        by_verdict[check.verdict].append((number, check))
    met, missed, unsure = by_verdict["pass"], by_verdict["fail"], by_verdict["unsure"]
    said: list[Sentence] = []
    if met:
        claims = _listed([check.claim.text for _, check in met])
        said.append(
            Sentence(
                text=f"{handle} meets {len(met)} of {len(checks)} checks: {claims}.",
                rests_on=_bound(handle, met),
            )
        )
    if missed:
        claims = _listed([f"{check.claim.text} ({_saw(check)})" for _, check in missed])
        said.append(
            Sentence(text=f"Not met in {handle}: {claims}.", rests_on=_bound(handle, missed))
        )
    if unsure:
        claims = _listed([f"{check.claim.text} ({_saw(check)})" for _, check in unsure])
        said.append(
            Sentence(
                text=f"The witnesses do not agree on {handle}: {claims}.",
                rests_on=_bound(handle, unsure),
            )
        )
    return said


def call_sentences(record: CallRecord, names: Mapping[str, str]) -> list[Sentence]:
    """What one call gave, or why it gave nothing.

    Args:
        names: picture id to handle.
    """
    bound = (f"call:{record.id}",)
    if record.status != "done":
        verb = {"failed": "failed", "skipped": "was skipped", "cancelled": "was cancelled"}
        why = (record.error or "").removeprefix("skipped: ")
        return [
            Sentence(
                text=f"{record.tool} {verb[record.status]}: {why}.".replace("..", "."),
                rests_on=bound,
            )
        ]
    output = record.output or {}
    about = names.get(str(record.input.get("image")), "")
    text = READERS.get(record.tool, _anything)(about or "the picture", record.input, output)
    return [Sentence(text=text, rests_on=bound)]


def ending_sentences(stopped: Stopped, spent: Spent, tries: Sequence[Try] = ()) -> list[Sentence]:
    """Why it stopped, and what the budget bought.

    Args:
        tries: repairs that were checked.
    """
    took = _took(spent)
    rests = ("budget",)
    said: list[Sentence] = []
    if stopped == "passed":
        said.append(Sentence(text=f"Every check passed ({took}).", rests_on=rests))
    elif stopped == "budget":
        text = f"I stopped because the budget of {_allowed(spent)} is used up ({took})."
        said.append(Sentence(text=text, rests_on=rests))
    elif stopped == "no_progress":
        text = f"I stopped because {spent.repairs} repairs brought nothing better ({took})."
        said.append(Sentence(text=text, rests_on=rests))
    elif stopped == "single":
        said.append(Sentence(text="Repair was switched off; it may mend what is not met."))
    if tries:
        said.append(Sentence(text=_bought(tries), rests_on=rests))
    return said


def advice(missed: Sequence[Claim], tools: Collection[str]) -> list[Sentence]:
    """What a person could try for claims that are not met, as far as living tools go."""
    ways: dict[str, str] = {}  # one for each kind: the same words for each thing help nobody
    for claim in missed:
        kind = "resized" if claim.than_before else claim.kind
        needs, way = _ADVICE.get(kind, ((), ""))
        if way and (not needs or any(tool in tools for tool in needs)):
            said = way.format(
                name=claim.thing, other=claim.other, it=claim.background, size=claim.size
            )
            ways.setdefault(kind, said)
    told = list(ways.values())[:2] or ["another seed or a larger budget"]
    return [Sentence(text=f"You could try: {'; or '.join(told)}.")] if missed else []


def _took(spent: Spent) -> str:
    """What was used of the budget."""
    of = f" of {spent.seconds:g}" if spent.seconds is not None else ""
    pictures = f"{spent.pictures} picture{'s' if spent.pictures != 1 else ''}"
    loading = f"; {spent.loading:.1f} s of loading not counted" if spent.loading >= 0.1 else ""
    return f"{spent.used:.1f}{of} s used, {pictures} drawn{loading}"


def _allowed(spent: Spent) -> str:
    if spent.most_calls is not None and spent.calls >= spent.most_calls:
        return f"{spent.most_calls} tool calls"
    return f"{spent.seconds:g} s" if spent.seconds is not None else "no limit"


def _bought(tries: Sequence[Try]) -> str:
    """What each kind of repair mended."""
    parts = []
    for arm in dict.fromkeys(tried.arm for tried in tries):
        mine = [tried for tried in tries if tried.arm == arm]
        mended = sum(tried.gained for tried in mine)
        gave = f"mended {mended:g} check{'s' if mended != 1 else ''}" if mended else "no better"
        parts.append(f"{arm} {len(mine)} time{'s' if len(mine) != 1 else ''}: {gave}")
    return f"Repairs: {'; '.join(parts)}."


_ADVICE: dict[str, tuple[tuple[str, ...], str]] = {
    "exists": (
        ("edit", "inpaint"),
        'ask for it by itself, "add a {name}", or for another thing: it may not be known',
    ),
    "absent": (("remove", "edit"), '"remove the {name}"'),
    "count": ((), "fewer things in one picture"),
    "colour": (("edit", "replace"), '"make the {name}" in so many words, as a change'),
    "relation": (("layout",), 'a place for each: "a {name} on the left, a {other} on the right"'),
    "background": (("edit",), '"change the background to {it}"'),
    "size": (("edit",), '"make the {name} bigger" or "smaller"'),
    "resized": (("replace",), '"replace the {name} with a {size} {name}"'),
    "unchanged": ((), '"undo that", and a smaller change'),
}
"""Kind of claim to the tools that would serve, any of them, and what to ask for."""


def _caption(about: str, given: Mapping[str, JsonValue], output: Mapping[str, JsonValue]) -> str:
    return f'{about} shows: "{_short(output.get("text"))}".'


def _vqa(about: str, given: Mapping[str, JsonValue], output: Mapping[str, JsonValue]) -> str:
    certainty = _certainty(output.get("confidence"))
    question, answer = _short(given.get("question")), _short(output.get("answer"))
    if answer == "unsure" and output.get("guess"):
        answer = f"unsure, perhaps {_short(output['guess'])}"
    return f'Asked "{question}" of {about}: {answer}{certainty}.'


def _ground(about: str, given: Mapping[str, JsonValue], output: Mapping[str, JsonValue]) -> str:
    phrases = given.get("phrases")
    boxes = output.get("boxes")
    found = [box for box in boxes if isinstance(box, dict)] if isinstance(boxes, list) else []
    parts = []
    for phrase in phrases if isinstance(phrases, list) else []:
        mine = [box for box in found if box.get("phrase") == phrase]
        places = "; ".join(_place(box) for box in mine)
        parts.append(f"{phrase}: {f'{len(mine)} found, {places}' if mine else 'none found'}")
    return f"In {about}: {', '.join(parts)}."


def _score(about: str, given: Mapping[str, JsonValue], output: Mapping[str, JsonValue]) -> str:
    score = output.get("score")
    return (
        f'"{_short(given.get("text"))}" fits {about} with a score of {_rounded(score)} from 0 to 1.'
    )


def _classify(about: str, given: Mapping[str, JsonValue], output: Mapping[str, JsonValue]) -> str:
    ranked = output.get("probabilities")
    shown = [
        f"{one.get('label')} {one.get('probability'):.0%}"
        for one in (ranked if isinstance(ranked, list) else [])[:3]
        if isinstance(one, dict) and isinstance(one.get("probability"), float)
    ]
    return f"{about} is most likely: {', '.join(shown)}."


def _segment(about: str, given: Mapping[str, JsonValue], output: Mapping[str, JsonValue]) -> str:
    masks = output.get("masks")
    number = len(masks) if isinstance(masks, list) else 0
    what = f' for "{_short(given.get("phrase"))}"' if given.get("phrase") else ""
    return f"In {about}: {number} mask{'s' if number != 1 else ''}{what}."


def _ocr(about: str, given: Mapping[str, JsonValue], output: Mapping[str, JsonValue]) -> str:
    text = str(output.get("text") or "").strip()
    if not text:
        return f"No text was read on {about}."
    held = output.get("lines")
    lines = [one for one in held if isinstance(one, dict)] if isinstance(held, list) else []
    scores = [score for one in lines if isinstance(score := one.get("score"), float)]
    return f'On {about} stands: "{_short(text)}"{_certainty(min(scores, default=None))}.'


def _retrieve(about: str, given: Mapping[str, JsonValue], output: Mapping[str, JsonValue]) -> str:
    held = output.get("matches")
    found = [one for one in held if isinstance(one, dict)] if isinstance(held, list) else []
    shown = [f"{_short(one.get('path'))} ({_rounded(one.get('score'))})" for one in found[:5]]
    sought = given.get("query")
    what = f'"{_short(sought)}"' if sought else f"pictures like {about}"
    return f"Found for {what}: {', '.join(shown) if shown else 'nothing'}."


def _customize(about: str, given: Mapping[str, JsonValue], output: Mapping[str, JsonValue]) -> str:
    images = given.get("images")
    number = len(images) if isinstance(images, list) else 0
    learnt = f"from {number} picture{'s' if number != 1 else ''}"
    return f"{output.get('name')} is learnt {learnt}: use that word in anything to be drawn."


def _anything(about: str, given: Mapping[str, JsonValue], output: Mapping[str, JsonValue]) -> str:
    shown = ", ".join(f"{name} {_short(value)}" for name, value in output.items())
    return f"On {about}: {shown}."


READERS = {
    "caption": _caption,
    "vqa": _vqa,
    "ground": _ground,
    "score": _score,
    "classify": _classify,
    "segment": _segment,
    "ocr": _ocr,
    "retrieve": _retrieve,
    "customize": _customize,
}


def _certainty(sure: JsonValue) -> str:
    return f" ({sure:.0%} sure)" if isinstance(sure, float) else ""


def _rounded(score: JsonValue) -> str:
    return f"{score:.2f}" if isinstance(score, float) else str(score)


def _place(box: Mapping[str, JsonValue]) -> str:
    corners = box.get("box")
    numbers = [c for c in corners if isinstance(c, float)] if isinstance(corners, list) else []
    score = box.get("score")
    at = ", ".join(f"{corner:.0f}" for corner in numbers)
    return f"box ({at})" + (f" score {score:.2f}" if isinstance(score, float) else "")


def _saw(check: Check) -> str:
    return "; ".join(f"{witness.name}: {witness.detail}" for witness in check.witnesses)


def _bound(handle: str, checks: Sequence[tuple[int, Check]]) -> tuple[str, ...]:
    return tuple(f"check:{handle}:{number}" for number, _ in checks)


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _short(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
