"""Refine: ways to draw a request anew: other seeds, other words, more guidance."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from agent import words
from agent.checklist import MIRRORED, Claim
from tools.base import Record

MORE_GUIDANCE = 1.5
MOST_GUIDANCE = 20.0


class Variant(Record):
    """One way to draw a picture again."""

    action: str = Field(description="what is done differently, in words")
    prompt: str
    negative_prompt: str = ""
    guidance: float | None = Field(default=None, description="None is the tool's own")


def variants(
    prompt: str, negative_prompt: str, guidance: float | None, claims: Sequence[Claim]
) -> tuple[Variant, ...]:
    """Ways to draw a request again, the closest to what the plan asked for first.

    Args:
        prompt: as planned.
        guidance: as planned, or the tool's own; None if it is not known.
        claims: what the pictures must satisfy; the other wordings are made from these.
    """
    absent = ", ".join(claim.thing for claim in claims if claim.kind == "absent")
    avoid = negative_prompt or absent
    found = [
        Variant(
            action="new seeds", prompt=prompt, negative_prompt=negative_prompt, guidance=guidance
        )
    ]
    plain, turned = worded(claims), worded(claims, turned=True)
    if plain:
        found.append(
            Variant(
                action="plainer words, new seeds",
                prompt=plain,
                negative_prompt=avoid,
                guidance=guidance,
            )
        )
    if turned and turned != plain:
        found.append(
            Variant(
                action="other order of words, new seeds",
                prompt=turned,
                negative_prompt=avoid,
                guidance=guidance,
            )
        )
    if guidance is not None and guidance * MORE_GUIDANCE <= MOST_GUIDANCE:
        found.append(
            Variant(
                action="more guidance, new seeds",
                prompt=plain or prompt,
                negative_prompt=avoid,
                guidance=guidance * MORE_GUIDANCE,
            )
        )
    different: dict[tuple[str, str, float | None], Variant] = {}
    for variant in found:
        different.setdefault((variant.prompt, variant.negative_prompt, variant.guidance), variant)
    return tuple(different.values())


def worded(claims: Sequence[Claim], *, turned: bool = False) -> str:
    """The claims as one plain description, the way captions are written.

    Args:
        turned: name the things the other way round, relations mirrored.
    """
    things = _things(claims)
    relations = [claim for claim in claims if claim.kind == "relation"]
    parts: list[str] = []
    said: set[tuple[str, str | None]] = set()
    for claim in reversed(relations) if turned else relations:
        subject, other = (claim.subject, claim.colour), (str(claim.other), claim.other_colour)
        side = str(claim.relation)
        if turned:
            subject, other, side = other, subject, MIRRORED[side]
        place = f"to the {side}" if side in ("left of", "right of") else side
        parts.append(f"{things.get(subject, '')} {place} {things.get(other, '')}")
        said |= {subject, other}
    rest = [phrase for key, phrase in things.items() if key not in said]
    parts += reversed(rest) if turned else rest
    if not parts or any(not part.strip() for part in parts):
        return ""
    text = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    background = next((claim.background for claim in claims if claim.background), None)
    if background:
        scene = f"{background} background" if words.colour(background) else background
        text = f"{text} on {words.article(scene)}"
    return text


def _things(claims: Sequence[Claim]) -> dict[tuple[str, str | None], str]:
    """Noun phrase of each thing claimed, by noun and the colour that tells it apart."""
    colours = {claim.subject: claim.colour for claim in claims if claim.kind == "colour"}
    found: dict[tuple[str, str | None], str] = {}
    for claim in claims:
        if claim.kind not in ("exists", "count"):
            continue
        name = words.coloured(claim.subject, claim.colour or colours.get(claim.subject))
        if claim.count is not None and claim.count > 1:
            number = words.NUMBER_WORDS.get(claim.count, str(claim.count))
            phrase = f"{number} {words.plural(name)}"
        else:
            phrase = words.plural(name) if claim.several else words.article(name)
        found[claim.subject, claim.colour] = phrase
    return found
