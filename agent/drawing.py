"""Drawing: what is known about one request for pictures while it is drawn again and again.

Monotone: a candidate is kept only if it stands better than one that is kept already.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pydantic import Field, JsonValue

from agent.checklist import Claim
from agent.refine import Variant
from agent.state import Check
from agent.verify import standing
from tools.base import Record


class Try(NamedTuple):
    """One repair and what came of it."""

    arm: str  # what kind of repair
    claim: str  # the failed claim it was for
    kind: str  # of that claim
    pictures: int
    gained: float = 0.0  # checks mended; an unsure counts one half
    seconds: float = 0.0


class Candidate(Record):
    """One picture that may be handed over."""

    image: str = Field(description="id")
    seed: int | None = None
    call: str = Field(description="id of the call that drew it")
    arm: str = Field(default="", description="the kind of repair it came from; empty as planned")
    checks: tuple[Check, ...] = Field(default=(), description="empty until it is verified")
    fit: float = Field(
        default=0.0, ge=0, le=1, description="of the whole prompt, as `score` has it"
    )

    def standing(self) -> tuple[int, int, float]:
        """Smaller is better: fails, unsures, minus support and fit."""
        fails, unsures, support = standing(self.checks)
        return fails, unsures, support - self.fit

    def passes(self) -> bool:
        """Whether every check passed."""
        return self.standing()[:2] == (0, 0)


class Drawing(Record):
    """A drawing call of the plan and the best that came of it."""

    call: str = Field(description="id of the call in the plan")
    tool: str
    input: dict[str, JsonValue] = Field(description="arguments as first run")
    wanted: int = Field(ge=1, description="how many pictures are to be handed over")
    fields: tuple[str, ...] = Field(default=(), description="arguments that its tool takes")
    source: str | None = Field(default=None, description="id of the picture that it changes")
    claims: tuple[Claim, ...]
    variants: tuple[Variant, ...] = ()
    best: tuple[Candidate, ...] = Field(default=(), description="verified, the best first")
    fresh: tuple[Candidate, ...] = Field(default=(), description="drawn, not verified yet")
    trying: Try | None = Field(default=None, description="the repair that gave what is fresh")
    tries: tuple[Try, ...] = Field(default=(), description="repairs that were verified")
    tried: tuple[str, ...] = Field(default=(), description="keys of repairs, not to repeat one")
    next_seed: int = 0
    took: float = Field(default=0.0, ge=0, description="s of work on the first pictures")
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

    def misses(self) -> float:
        """Checks that the kept pictures do not pass; an unsure counts one half."""
        absent = (self.wanted - len(self.best)) * len(self.claims)
        held = [one.standing() for one in self.best]
        return absent + sum(fails + unsures / 2 for fails, unsures, _ in held)

    def with_verified(self, verified: Sequence[Candidate], seconds: float = 0.0) -> Drawing:
        """The drawing after a batch was verified; what it keeps never stands worse.

        Args:
            seconds: that the verification took.
        """
        kept = sorted([*self.best, *verified], key=Candidate.standing)[: self.wanted]
        before = [one.standing() for one in self.best]
        better = [one.standing() for one in kept] != before
        after = self.model_copy(
            update={
                "best": tuple(kept),
                "fresh": (),
                "trying": None,
                "idle": 0 if better else self.idle + 1,
            }
        )
        if self.trying is None:
            return after
        gained = max(0.0, self.misses() - after.misses())
        ended = self.trying._replace(gained=gained, seconds=self.trying.seconds + seconds)
        return after.model_copy(update={"tries": (*self.tries, ended)})
