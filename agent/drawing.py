"""Drawing: what is known about one request for pictures while it is drawn again and again.

Monotone: a candidate is kept only if it stands better than one that is kept already.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field, JsonValue

from agent.checklist import Claim
from agent.refine import Outcome, Variant
from agent.state import Check
from agent.verify import standing
from tools.base import Record


class Candidate(Record):
    """One picture that may be handed over."""

    image: str = Field(description="id")
    seed: int | None = None
    call: str = Field(description="id of the call that drew it")
    variant: int = Field(description="which way it was drawn, index into the drawing's variants")
    checks: tuple[Check, ...] = Field(default=(), description="empty until it is verified")

    def standing(self) -> tuple[int, int, float]:
        """Smaller is better: fails, unsures, minus support."""
        return standing(self.checks)

    def passes(self) -> bool:
        """Whether every check passed."""
        return self.standing()[:2] == (0, 0)


class Drawing(Record):
    """A drawing call of the plan and the best that came of it."""

    call: str = Field(description="id of the call in the plan")
    tool: str
    input: dict[str, JsonValue] = Field(description="arguments as first run")
    wanted: int = Field(ge=1, description="how many pictures are to be handed over")
    claims: tuple[Claim, ...]
    variants: tuple[Variant, ...] = ()
    best: tuple[Candidate, ...] = Field(default=(), description="verified, the best first")
    fresh: tuple[Candidate, ...] = Field(default=(), description="drawn, not verified yet")
    outcomes: tuple[Outcome, ...] = Field(default=(), description="of all verified candidates")
    next_seed: int = 0
    idle: int = Field(default=0, description="verified batches in a row without anything better")

    def passes(self) -> bool:
        """Whether nothing is left to repair."""
        return len(self.best) >= self.wanted and all(one.passes() for one in self.best)

    def failing(self) -> tuple[str, ...]:
        """Claims that some kept picture does not pass, each once."""
        return tuple(
            dict.fromkeys(
                check.claim.text
                for one in self.best
                for check in one.checks
                if check.verdict != "pass"
            )
        )

    def with_verified(self, verified: Sequence[Candidate]) -> Drawing:
        """The drawing after a batch was verified; what it keeps never stands worse."""
        kept = sorted([*self.best, *verified], key=Candidate.standing)[: self.wanted]
        before = [one.standing() for one in self.best]
        better = [one.standing() for one in kept] != before
        new = [
            Outcome(one.variant, fails + unsures / 2, -support)
            for one in verified
            for fails, unsures, support in [one.standing()]
        ]
        return self.model_copy(
            update={
                "best": tuple(kept),
                "fresh": (),
                "outcomes": (*self.outcomes, *new),
                "idle": 0 if better else self.idle + 1,
            }
        )
