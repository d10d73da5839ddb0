"""Repair: every way to mend what a picture does not meet, each as one call of a living tool.

What is proposed follows from the failed check, the boxes that stand as its evidence and the
tools that are alive; which of the ways is taken is decided by `agent/rates.py`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
from pydantic import Field, JsonValue

from agent import words
from agent.arranging import free_box, groups_of, laid_out
from agent.checklist import MIRRORED, Claim
from agent.drawing import Candidate, Drawing
from agent.state import Check
from tools.base import Record
from tools.values import Box, Mask

LAYOUTS = 2  # pictures of one arrangement; another arrangement is worth more than a third
MARGIN = 4.0  # px around a box that is painted anew, so that no edge of the old thing stays


class Repair(Record):
    """One way to mend a picture."""

    arm: str = Field(description="what kind of repair it is, as its success is counted")
    tool: str
    input: dict[str, JsonValue] = Field(description="arguments; pictures as ids")
    claim: Claim = Field(description="the failed claim that it is for")
    pictures: int = Field(1, ge=1, description="how many it gives")
    variant: int = Field(0, description="of a drawing anew: index into the drawing's variants")
    why: str = Field(description="in words")

    def key(self, *, seeded: bool = True) -> str:
        """The same for the same call with the same arguments, its seed among them or not."""
        given = {name: value for name, value in self.input.items() if seeded or name != "seed"}
        return f"{self.tool} {json.dumps(given, sort_keys=True)}"


def repairs(
    drawing: Drawing,
    *,
    tools: Mapping[str, Collection[str]],
    size_wh: tuple[int, int],
    pictures: int,
    singles: int = 1,
    taken: Sequence[Box] = (),
) -> list[Repair]:
    """All ways to mend the worst of a drawing's best pictures that were not tried yet.

    Args:
        tools: those that are alive, each with the names of its arguments.
        size_wh: of the pictures, px.
        pictures: most that one drawing anew may give, all in one batch.
        singles: most that may be drawn one after the other, as layouts are.
        taken: where the picture shows something, claimed or not; nothing is painted over it.
    """
    worst = drawing.best[-1]
    failing = sorted(
        (check for check in worst.checks if check.verdict != "pass"),
        key=lambda check: check.verdict != "fail",
    )
    if not failing:  # fewer pictures than were asked for
        return list(_anew(drawing, drawing.claims[0], pictures)) if drawing.claims else []
    found = list(_anew(drawing, failing[0].claim, pictures))
    if "layout" in tools:
        number = max(1, min(pictures, singles, LAYOUTS))
        found += _layouts(drawing, failing[0].claim, size_wh, number)
    mender = _Mender(drawing, worst, tools, size_wh, taken)
    for check in failing:
        found += mender.ways(check)
    done = set(drawing.tried)
    return [one for one in found if not {one.key(), one.key(seeded=False)} & done]


def _anew(drawing: Drawing, claim: Claim, pictures: int) -> Iterator[Repair]:
    """Draw again, with the words of each variant."""
    takes_n = "n" in drawing.fields
    for index, variant in enumerate(drawing.variants):
        changed: dict[str, JsonValue] = {
            "prompt": variant.prompt or None,
            "negative_prompt": variant.negative_prompt,
            "guidance": variant.guidance,
            "seed": drawing.next_seed,
            "n": pictures if takes_n else None,
        }
        changed = {k: v for k, v in changed.items() if k in drawing.fields and v is not None}
        yield Repair(
            arm=variant.action,
            tool=drawing.tool,
            input={**drawing.input, **changed},
            claim=claim,
            pictures=pictures if takes_n else 1,
            variant=index,
            why=f"{claim.text}: drawn anew, {variant.action}",
        )


def _layouts(
    drawing: Drawing, claim: Claim, size_wh: tuple[int, int], pictures: int
) -> Iterator[Repair]:
    plain = drawing.variants[min(1, len(drawing.variants) - 1)].prompt
    seed = drawing.next_seed
    given = laid_out({**drawing.input, "prompt": plain}, drawing.claims, size_wh, seed)
    if given is None or "prompt" not in drawing.fields:
        return
    yield Repair(
        arm="layout",
        tool="layout",
        input={**given, "seed": seed, "n": pictures},
        claim=claim,
        pictures=pictures,
        why=f"{claim.text}: drawn anew with a place for each thing",
    )


class _Mender:
    """Proposes repairs inside one picture, check by check."""

    def __init__(
        self,
        drawing: Drawing,
        picture: Candidate,
        tools: Mapping[str, Collection[str]],
        size_wh: tuple[int, int],
        taken: Sequence[Box],
    ) -> None:
        self.drawing = drawing
        self.image = picture.image
        self.tools = tools
        self.size_wh = size_wh
        self.taken = taken
        self.boxes: dict[str, list[Box]] = {}
        for check in picture.checks:
            self.boxes |= boxes_of(check)
        self.phrases = {
            (group.noun, group.apart): group.phrase for group in groups_of(drawing.claims)
        }

    def ways(self, check: Check) -> list[Repair]:
        """Repairs for one failed check, by the kind of its claim."""
        claim = check.claim
        by_kind = {
            "exists": self._missing,
            "absent": self._unwanted,
            "count": self._miscounted,
            "colour": self._miscoloured,
            "relation": self._misplaced,
            "background": self._background,
            "size": self._missized,
        }
        make = by_kind.get(claim.kind)
        return list(make(claim)) if make else []

    def _missing(self, claim: Claim) -> Iterator[Repair]:
        phrase = self._phrase(claim.subject, claim.colour)
        room = free_box(self._taken(), self.size_wh, self._sides(claim.subject, claim.colour))
        if room:
            yield from self._fill(claim, room, phrase, "painted into free space")
        yield from self._edit(claim, f"add {phrase}")

    def _unwanted(self, claim: Claim) -> Iterator[Repair]:
        what = claim.thing
        yield from self._remove(claim, what, self.boxes.get(claim.subject, []))

    def _miscounted(self, claim: Claim) -> Iterator[Repair]:
        boxes = self.boxes.get(claim.subject, [])
        if len(boxes) > (claim.count or 0):
            yield from self._remove(claim, claim.subject, boxes[claim.count :])
        else:
            yield from self._missing(claim)

    def _miscoloured(self, claim: Claim) -> Iterator[Repair]:
        what = claim.thing
        for box in self.boxes.get(claim.subject, [])[:1]:
            yield from self._fill(claim, box, words.article(what), "painted anew in its box")
        if "replace" in self.tools and self.boxes.get(claim.subject):
            given: dict[str, JsonValue] = {"phrase": claim.subject, "prompt": words.article(what)}
            yield self._call("replace", claim, given, f"the {claim.subject} replaced")
        instruction = f"make the {claim.subject} {claim.colour}"
        yield from self._edit(claim, instruction)
        yield from self._edit_inside(claim, instruction, self.boxes.get(claim.subject, []))

    def _misplaced(self, claim: Claim) -> Iterator[Repair]:
        """Only a thing that is not there yet can be put on its side; else it is drawn anew."""
        if not self.boxes.get(claim.subject) and self.boxes.get(str(claim.other)):
            yield from self._missing(claim)

    def _background(self, claim: Claim) -> Iterator[Repair]:
        yield from self._edit(claim, f"change the background to {claim.background}")

    def _missized(self, claim: Claim) -> Iterator[Repair]:
        if claim.size == "large":
            for box in self.boxes.get(claim.subject, [])[:1]:
                phrase = self._phrase(claim.subject, None)
                yield from self._fill(claim, _grown(box), phrase, "painted anew, larger")
        word = "bigger" if claim.size == "large" else "smaller"
        yield from self._edit(claim, f"make the {claim.subject} {word}")

    def _fill(self, claim: Claim, box: Box, phrase: str, how: str) -> Iterator[Repair]:
        if "inpaint" in self.tools:
            wide = _widened(box, self.size_wh)
            given: dict[str, JsonValue] = {"prompt": phrase, "boxes": [list(wide)]}
            yield self._call("inpaint", claim, given, f"{phrase} {how}")

    def _remove(self, claim: Claim, what: str, boxes: Sequence[Box]) -> Iterator[Repair]:
        wide: list[JsonValue] = [list(_widened(box, self.size_wh)) for box in boxes]
        if "remove" in self.tools:
            given: dict[str, JsonValue] = {"boxes": wide} if wide else {"phrase": what}
            yield self._call("remove", claim, given, f"{len(wide) or 'every'} {what} removed")
        yield from self._edit(claim, f"remove the {what}")

    def _edit(self, claim: Claim, instruction: str) -> Iterator[Repair]:
        if "edit" in self.tools:
            given: dict[str, JsonValue] = {"instruction": instruction}
            yield self._call("edit", claim, given, f'edited: "{instruction}"')

    def _edit_inside(
        self, claim: Claim, instruction: str, boxes: Sequence[Box]
    ) -> Iterator[Repair]:
        if boxes and "mask" in self.tools.get("edit", ()):
            held = np.zeros(self.size_wh[::-1], np.bool_)
            for x0, y0, x1, y1 in (_widened(box, self.size_wh) for box in boxes):
                held[int(y0) : int(y1), int(x0) : int(x1)] = True
            given: dict[str, JsonValue] = {"instruction": instruction, "mask": Mask(held).rle()}
            made = self._call("edit", claim, given, f'edited in its box: "{instruction}"')
            yield made.model_copy(update={"arm": "masked edit"})

    def _call(self, tool: str, claim: Claim, given: dict[str, JsonValue], why: str) -> Repair:
        seed = self.drawing.next_seed
        arguments: dict[str, JsonValue] = {"image": self.image, **given, "seed": seed}
        return Repair(arm=tool, tool=tool, input=arguments, claim=claim, why=f"{claim.text}: {why}")

    def _phrase(self, noun: str, colour: str | None) -> str:
        return self.phrases.get((noun, colour)) or words.article(words.coloured(noun, colour))

    def _taken(self) -> list[Box]:
        return [*self.taken, *(box for boxes in self.boxes.values() for box in boxes)]

    def _sides(self, noun: str, colour: str | None) -> list[tuple[str, Box]]:
        """Where a missing thing must lie, by the relations claimed of it."""
        found: list[tuple[str, Box]] = []
        for claim in self.drawing.claims:
            if claim.kind != "relation" or claim.relation is None:
                continue
            if (claim.subject, claim.colour) == (noun, colour):
                found += [(claim.relation, box) for box in self.boxes.get(str(claim.other), [])]
            elif (claim.other, claim.other_colour) == (noun, colour):
                found += [
                    (MIRRORED[claim.relation], box) for box in self.boxes.get(claim.subject, [])
                ]
        return found


def boxes_of(check: Check) -> dict[str, list[Box]]:
    """Noun to the boxes that stand as evidence of a check, the surest first."""
    found: dict[str, list[Box]] = {}
    held = check.evidence.get("boxes")
    for one in held if isinstance(held, list) else []:
        if isinstance(one, dict) and isinstance(corners := one.get("box"), list):
            x0, y0, x1, y1 = (float(str(corner)) for corner in corners)
            found.setdefault(str(one.get("phrase")), []).append((x0, y0, x1, y1))
    return found


def _grown(box: Box) -> Box:
    """A box half as long again, around the same middle; it may leave the picture."""
    x0, y0, x1, y1 = box
    across, down = (x1 - x0) / 4, (y1 - y0) / 4
    return x0 - across, y0 - down, x1 + across, y1 + down


def _widened(box: Box, size_wh: tuple[int, int]) -> Box:
    x0, y0, x1, y1 = box
    width, height = size_wh
    return (
        max(0.0, x0 - MARGIN),
        max(0.0, y0 - MARGIN),
        min(float(width), x1 + MARGIN),
        min(float(height), y1 + MARGIN),
    )
