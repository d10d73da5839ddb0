"""Verify: the step that checks claims on pictures with two independent witnesses.

One witness is the detector, with the crops it finds re-checked for colour; another answers
questions in words; a third looks at the crops by themselves. They are different networks trained
on different tasks. A verdict needs two of them to agree and none to contradict: a disagreement
is never a silent pass, it is `unsure`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from pydantic import JsonValue

from agent import recheck, witnesses, words
from agent.checklist import Claim
from agent.state import Check, Verdict, Witness
from agent.witnesses import Found, Seen
from tools.base import Record
from tools.errors import InvalidInput, ToolError
from tools.toolbox import Toolbox
from tools.values import Image

MOST_CROPS = 8  # boxes of one noun that are looked at by themselves
SCENES = ("plain background", "room", "street", "forest", "sky")


async def verify(image: Image, claims: Sequence[Claim], toolbox: Toolbox) -> tuple[Check, ...]:
    """Check each claim on one picture; see `verify_many`."""
    (checks,) = await verify_many([image], claims, toolbox)
    return checks


async def verify_many(
    images: Sequence[Image], claims: Sequence[Claim], toolbox: Toolbox
) -> list[tuple[Check, ...]]:
    """Check each claim on each picture; every tool is called once, for all of them.

    A tool that is absent or fails leaves its witness unsure; so no claim can pass without it.

    Returns:
        For each picture its checks, in the order of the claims.
    """
    seen = await observe(images, claims, toolbox)
    return [tuple(check(claim, one) for claim in claims) for one in seen]


async def observe(images: Sequence[Image], claims: Sequence[Claim], toolbox: Toolbox) -> list[Seen]:
    """What the tools say about each picture, as far as the claims need it."""
    seen = [Seen(image) for image in images]
    if images and claims:
        alive = set(toolbox.names())
        await asyncio.gather(
            _look(seen, claims, toolbox, alive), _ask(seen, claims, toolbox, alive)
        )
    return seen


def standing(checks: Sequence[Check]) -> tuple[int, int, float]:
    """How good a picture is, smaller is better: fails, unsures, and minus mean support."""
    fails = sum(one.verdict == "fail" for one in checks)
    unsures = sum(one.verdict == "unsure" for one in checks)
    supports = [witness.support for one in checks for witness in one.witnesses]
    return fails, unsures, -sum(supports) / max(1, len(supports))


async def _look(
    seen: Sequence[Seen], claims: Sequence[Claim], toolbox: Toolbox, alive: set[str]
) -> None:
    """Boxes of all nouns, then what their crops show."""
    nouns = witnesses.phrases(claims)
    if nouns and "ground" in alive:
        inputs = [{"image": one.image, "phrases": nouns} for one in seen]
        for one, found in zip(seen, await called(toolbox, "ground", inputs), strict=True):
            if found is None:
                continue
            boxes: dict[str, list[Found]] = {noun: [] for noun in nouns}
            for detection in found.boxes:
                boxes[detection.phrase].append(Found(detection.box, detection.score))
            one.boxes = witnesses.one_thing_one_name(boxes)
    if "classify" in alive:
        await _classify(seen, claims, toolbox)


async def _classify(seen: Sequence[Seen], claims: Sequence[Claim], toolbox: Toolbox) -> None:
    inputs: list[dict[str, Any]] = []
    readers: list[tuple[dict[Any, dict[str, float]], object, tuple[str, ...]]] = []
    coloured = witnesses.coloured(claims)
    for one in seen:
        for noun, boxes in one.boxes.items():
            for found in boxes[:MOST_CROPS]:
                labels = recheck.labels(witnesses.phrases(claims))
                inputs.append({"image": one.image, "labels": labels, "box": found.box})
                readers.append((one.names, (noun, found.box), labels))
                if colours := coloured.get(noun):
                    labels = tuple(f"{colour} {noun}" for colour in colours)
                    inputs.append({"image": one.image, "labels": labels, "box": found.box})
                    readers.append((one.colours, (noun, found.box), colours))
        for claim in claims:
            scene = claim.background
            if scene and not words.colour(scene):
                labels = tuple(dict.fromkeys([scene, *SCENES]))
                inputs.append({"image": one.image, "labels": labels})
                readers.append((one.scenes, scene, labels))
    results = await called(toolbox, "classify", inputs) if inputs else []
    for (known, key, choices), request, result in zip(readers, inputs, results, strict=True):
        if result is not None:
            given = {labelled.label: labelled.probability for labelled in result.probabilities}
            known[key] = {
                choice: given[label]
                for choice, label in zip(choices, request["labels"], strict=True)
            }


async def _ask(
    seen: Sequence[Seen], claims: Sequence[Claim], toolbox: Toolbox, alive: set[str]
) -> None:
    asked = tuple(dict.fromkeys(q for claim in claims for q in witnesses.questions(claim)))
    if "vqa" not in alive:
        return
    inputs = [{"image": one.image, "question": question} for one in seen for question in asked]
    results = iter(await called(toolbox, "vqa", inputs))
    for one in seen:
        for question in asked:
            result = next(results)
            if result is not None:
                guess = result.guess or result.answer  # an unsure answer is weighed all the same
                one.answers[question] = (guess.strip().lower(), result.confidence)


async def called(toolbox: Toolbox, name: str, inputs: Sequence[dict[str, Any]]) -> list[Any]:
    """Results in order; None where the tool gave none."""
    tool = toolbox.tool(name)
    try:
        requests: list[Record] = [tool.parse(one) for one in inputs]
    except InvalidInput:
        return [None] * len(inputs)  # more nouns or longer words than the tool takes
    results = await toolbox.call_many(name, requests)
    return [None if isinstance(result, ToolError) else result for result in results]


def check(claim: Claim, seen: Seen) -> Check:
    """The verdict on one claim, from what the tools said."""
    said = [witnesses.by_detector(claim, seen), witnesses.by_answers(claim, seen)]
    crops, answers = recheck.by_recheck(claim, seen), said[1]
    if crops is not None and claim.kind != "count":
        said.append(crops)
    elif crops is not None and answers.says != "unsure":
        said[0] = crops  # the same boxes, looked at twice: one witness
    elif crops is not None and (answers.support > 0.5) == (crops.says == "pass"):
        said.append(crops)  # two, while the answer does not lean to another number
    evidence = _evidence(claim, seen)
    return Check(claim=claim, verdict=agreed(said), witnesses=tuple(said), evidence=evidence)


def agreed(said: Sequence[Witness]) -> Verdict:
    """The verdict of two witnesses or more, if no other contradicts them."""
    opinions = [witness.says for witness in said if witness.says != "unsure"]
    return opinions[0] if len(opinions) > 1 and len(set(opinions)) == 1 else "unsure"


def _evidence(claim: Claim, seen: Seen) -> dict[str, JsonValue]:
    nouns = [noun for noun in (claim.subject, claim.other) if noun]
    evidence: dict[str, JsonValue] = {"image": seen.image.id}
    if nouns:
        evidence["boxes"] = [
            {"phrase": noun, "box": list(found.box), "score": found.score}
            for noun in nouns
            for found in seen.boxes.get(noun, [])
        ]
    answers = {q: seen.answers[q][0] for q in witnesses.questions(claim) if q in seen.answers}
    if answers:
        evidence["answers"] = dict(answers)
    crops = {
        f"{noun} {index + 1}": dict(shares)
        for index, ((noun, _), shares) in enumerate(seen.colours.items())
        if noun in nouns and (claim.colour or claim.other_colour)
    }
    if crops:
        evidence["crops"] = {key: {**shares} for key, shares in crops.items()}
    if claim.background in seen.scenes:
        evidence["scene"] = {**seen.scenes[str(claim.background)]}
    return evidence
