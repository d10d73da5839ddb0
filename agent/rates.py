"""Rates: how much each way to draw or mend gains and costs, as measured; what decides between them.

A bandit: for each kind of repair and of failed claim the store counts tries, what they mended
and their seconds. Before anything was counted the figures of `repair_rates.json` stand in,
measured by `python -m benchmarks.repair`. First shots are counted in the same way, a picture that
meets every check as a gain, under the number of things that it must show. The repair with the
largest expected gain for each second is taken; what failed on this very request counts for more
than what was measured before.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from pydantic import Field

from agent.drawing import Try
from agent.repair import Repair
from tools.base import Record

SHIPPED = Path(__file__).with_name("repair_rates.json")
KNOWN = 4.0  # tries that everything measured before this run weighs as, at most
UNKNOWN = 0.3  # gain a try that is believed before any; it counts as one, so that nothing is lost
ANEW = frozenset({"generate", "layout", "control"})  # tools whose repairs draw everything again
AT_ONCE, PLACED = "new seeds", "layout"
"""The two ways to begin: drawn from the words, and with a place for each thing."""
Arm = tuple[str, str]
"""A kind of repair, and the kind of claim it was for; or a first shot, and its `crowd`."""


class Rate(Record):
    """What was seen of one arm, a picture counting as a try."""

    tries: float = Field(0.0, ge=0)
    gained: float = Field(0.0, ge=0, description="checks mended in all; an unsure counts one half")
    seconds: float = Field(0.0, ge=0, description="in all, drawing and checking")

    def plus(self, tries: float, gained: float, seconds: float) -> Rate:
        """The rate after more was seen."""
        return Rate(
            tries=self.tries + tries,
            gained=self.gained + gained,
            seconds=self.seconds + seconds,
        )


class Worth(NamedTuple):
    """What is expected of one repair."""

    gain: float  # checks mended by the best of its pictures
    seconds: float  # for all of them
    a_second: float  # checks mended by one picture, for each second that it takes


@lru_cache(maxsize=1)
def shipped() -> dict[Arm, Rate]:
    """The measured rates that come with the program."""
    if not SHIPPED.is_file():
        return {}
    held = json.loads(SHIPPED.read_text(encoding="utf-8"))["rates"]
    return {(one["arm"], one["kind"]): Rate.model_validate(one["rate"]) for one in held}


def measured_with() -> str:
    """Digest of what `generate` drew with when the shipped rates were measured, if they were."""
    if not SHIPPED.is_file():
        return ""
    return str(json.loads(SHIPPED.read_text(encoding="utf-8"))["weights"])


def mean(arm: str, kind: str, learnt: Mapping[Arm, Rate]) -> float:
    """Checks that one picture of a repair mends on average, 0..1."""
    return min(1.0, _expected(_joined(learnt.get((arm, kind), Rate()), _given((arm, kind)))))


def crowd(things: int) -> str:
    """The kind of a whole picture, "1 thing" or "several things": finer ones are seldom seen."""
    return "1 thing" if things <= 1 else "several things"


def layout_first(things: int, learnt: Mapping[Arm, Rate], weights: str) -> str:
    """Why a picture of so many things is better begun by a layout; empty if it is not.

    Chances are of all that was seen with these weights. What they cost is compared as it was
    measured side by side, on one machine, if it was; else as it was counted here.

    Args:
        things: that the picture must show.
        learnt: counted in the store, over all runs.
        weights: digest of what `generate` draws with. Another network than the one that the
            shipped rates were measured with may draw several things well, or place them badly.
    """
    kind = crowd(things)
    seen = [learnt.get((arm, kind), Rate()) for arm in (AT_ONCE, PLACED)]
    ours = weights == measured_with()
    given = [_given((arm, kind)) if ours else Rate() for arm in (AT_ONCE, PLACED)]
    cost = given if ours else seen
    at_once, placed = (_joined(*pair) for pair in zip(seen, given, strict=True))
    if not all(rate.tries and rate.seconds for rate in cost) or not placed.gained:
        return ""
    slower = (cost[1].seconds / cost[1].tries) / (cost[0].seconds / cost[0].tries)
    if placed.gained / placed.tries <= at_once.gained / at_once.tries * slower:
        return ""
    return (
        f"a place for each thing: of {kind}, {placed.gained:.0f} of {placed.tries:.0f} pictures "
        f"so drawn met every check, {at_once.gained:.0f} of {at_once.tries:.0f} drawn at once; "
        f"one takes {slower:.1f} times as long"
    )


def worth(
    repair: Repair,
    *,
    learnt: Mapping[Arm, Rate],
    tries: Sequence[Try],
    a_picture: float,
    alone: float,
) -> Worth:
    """Expected gain and cost of a repair.

    Args:
        learnt: counted in the store, over all runs.
        tries: of this run, on this drawing.
        a_picture: s for drawing and checking one picture of a batch, as measured.
        alone: the same for a batch of one; other tools take their pictures one by one.
    """
    arm = (repair.arm, repair.claim.kind)
    before = _joined(learnt.get(arm, Rate()), _given(arm))
    weight = min(KNOWN, before.tries + 1)
    here = [t for t in tries if t.arm == repair.arm and _concerns(t, repair)]
    tried = sum(t.pictures for t in here)
    gain = (_expected(before) * weight + sum(t.gained for t in here)) / (weight + tried)
    mine = [t.seconds / t.pictures for t in tries if t.arm == repair.arm]
    slower = _slower(before, learnt)
    usual = a_picture if repair.tool == "generate" else alone
    seconds = sum(mine) / len(mine) if mine else usual * slower
    # of n pictures only the best counts: the chance that one of them mends, not the sum
    several = 1 - (1 - min(1.0, gain)) ** repair.pictures if repair.pictures > 1 else gain
    return Worth(several, seconds * repair.pictures, gain / max(seconds, 1e-6))


def best(
    repairs: Iterable[Repair],
    *,
    learnt: Mapping[Arm, Rate],
    tries: Sequence[Try],
    a_picture: float,
    alone: float,
    seconds: float,
) -> tuple[Repair, Worth] | None:
    """The repair with the largest expected gain a second among those that fit into `seconds`."""
    rated = [
        (repair, worth(repair, learnt=learnt, tries=tries, a_picture=a_picture, alone=alone))
        for repair in repairs
    ]
    fitting = [one for one in rated if one[1].seconds <= seconds]
    return max(fitting, key=lambda one: one[1].a_second, default=None)


def _concerns(tried: Try, repair: Repair) -> bool:
    """Whether a try says something about a repair: the same claim, or all drawn anew."""
    return repair.tool in ANEW or tried.claim == repair.claim.text


def _given(arm: Arm) -> Rate:
    """What came with the program."""
    return shipped().get(arm, Rate())


def _expected(seen: Rate) -> float:
    """Gain a try: a few that gained nothing do not say that none will."""
    return (seen.gained + UNKNOWN) / (seen.tries + 1)


def _joined(learnt: Rate, given: Rate) -> Rate:
    return given.plus(learnt.tries, learnt.gained, learnt.seconds)


def _slower(rate: Rate, learnt: Mapping[Arm, Rate]) -> float:
    """How many times as long as a new drawing a repair took, where both were counted."""
    anew = [one for (arm, _), one in learnt.items() if arm == AT_ONCE and one.tries]
    if not (anew and rate.tries and rate.seconds):
        return 1.0
    usual = sum(one.seconds for one in anew) / sum(one.tries for one in anew)
    return max(0.2, min(5.0, rate.seconds / rate.tries / usual)) if usual > 0 else 1.0
