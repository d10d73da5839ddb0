"""Reply: what the agent says, every fact of it bound to a check or to what a tool gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from agent.events import Sentence
from agent.state import CallRecord, Check, Spent, Stopped

SHOWN = 120  # characters of a value that a sentence repeats
ASK_FOR_A_PICTURE = "That needs a picture and none is here yet: please add one and ask again."


def picture_sentences(handle: str, checks: Sequence[Check], prompt: str | None) -> list[Sentence]:
    """What one picture meets, what it does not, and what is not certain."""
    if not checks:
        drawn = f"{handle} is drawn" + (f' from "{_short(prompt)}"' if prompt else "")
        return [Sentence(text=f"{drawn}; nothing in the request could be checked on it.")]
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
    text = _READERS.get(record.tool, _anything)(about or "the picture", record.input, output)
    return [Sentence(text=text, rests_on=bound)]


def ending_sentences(stopped: Stopped, spent: Spent) -> list[Sentence]:
    """Why it stopped, and what could be tried."""
    tried = f"{spent.pictures} picture{'s' if spent.pictures != 1 else ''} drawn"
    took = f"{spent.used:.1f} s used, {tried}"
    allowed = f"{spent.seconds:g} s" if spent.seconds is not None else "no limit"
    rests = ("budget",)
    if stopped == "passed":
        return [Sentence(text=f"Every check passed ({took}).", rests_on=rests)]
    if stopped == "budget":
        return [
            Sentence(
                text=f"I stopped because the budget of {allowed} is used up ({took}).",
                rests_on=rests,
            ),
            Sentence(text="A larger budget, another seed or a simpler request may do better."),
        ]
    if stopped == "no_progress":
        return [
            Sentence(
                text=f"I stopped because {spent.repairs} repairs brought nothing better ({took}).",
                rests_on=rests,
            ),
            Sentence(text="Another seed or other words may do better."),
        ]
    if stopped == "single":
        return [Sentence(text="Repair was switched off; it may mend what is not met.")]
    return []


def _caption(about: str, given: Mapping[str, JsonValue], output: Mapping[str, JsonValue]) -> str:
    return f'{about} shows: "{_short(output.get("text"))}".'


def _vqa(about: str, given: Mapping[str, JsonValue], output: Mapping[str, JsonValue]) -> str:
    sure = output.get("confidence")
    certainty = f" ({sure:.0%} sure)" if isinstance(sure, float) else ""
    question = _short(given.get("question"))
    return f'Asked "{question}" of {about}: {_short(output.get("answer"))}{certainty}.'


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
    shown = f"{score:.2f}" if isinstance(score, float) else str(score)
    return f'"{_short(given.get("text"))}" fits {about} with a score of {shown} from 0 to 1.'


def _classify(about: str, given: Mapping[str, JsonValue], output: Mapping[str, JsonValue]) -> str:
    ranked = output.get("probabilities")
    shown = [
        f"{one.get('label')} {one.get('probability'):.0%}"
        for one in (ranked if isinstance(ranked, list) else [])[:3]
        if isinstance(one, dict) and isinstance(one.get("probability"), float)
    ]
    return f"{about} is most likely: {', '.join(shown)}."


def _anything(about: str, given: Mapping[str, JsonValue], output: Mapping[str, JsonValue]) -> str:
    shown = ", ".join(f"{name} {_short(value)}" for name, value in output.items())
    return f"On {about}: {shown}."


_READERS = {
    "caption": _caption,
    "vqa": _vqa,
    "ground": _ground,
    "score": _score,
    "classify": _classify,
}


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
    text = str(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
