"""Repair: what is proposed for each failed check, what is chosen, and how it ends in a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent import loop, rates
from agent.arranging import arrange, free_box, occupied
from agent.budget import Budget
from agent.checklist import Claim, compile_checklist
from agent.drawing import Candidate, Drawing, Try
from agent.events import Done, Event, Repair, Repaired
from agent.loop import Work
from agent.opening import first_batch
from agent.plan import Call, Plan
from agent.rates import Rate
from agent.refine import variants
from agent.repair import repairs
from agent.running import Order
from agent.state import Check, RunResult, Verdict
from agent.store import Store
from agent.timing import Timing
from tests.agent_drawn import Classify, Generate, Ground, HereToolbox, Scripted, Vqa, painted
from tests.agent_hands import Edit, Inpaint, Layout, Remove
from tools.generate import GenerateInput
from tools.values import Box, Image, Mask

SIZE = (64, 64)
ALL = {
    "generate": (),
    "layout": (),
    "inpaint": (),
    "remove": (),
    "replace": (),
    "edit": ("image", "instruction", "mask"),
}
ONE, TWO = (4.0, 4.0, 24.0, 24.0), (36.0, 4.0, 56.0, 24.0)


def drawing(request: str, verdicts: dict[str, Verdict], boxes: dict[str, list[Box]]) -> Drawing:
    claims = compile_checklist(request)
    places = [
        {"phrase": n, "box": list(b), "score": 0.9} for n, held in boxes.items() for b in held
    ]
    checks = tuple(
        Check(
            claim=claim,
            verdict=verdicts.get(claim.text, "pass"),
            witnesses=(),
            evidence={"boxes": list(places)},
        )
        for claim in claims
    )
    return Drawing(
        call="c1",
        tool="generate",
        input={"prompt": request},
        wanted=1,
        fields=tuple(GenerateInput.model_fields),
        claims=claims,
        variants=variants(request, "", 7.5, claims),
        best=(Candidate(image="p" * 64, seed=0, call="c1", checks=checks),),
        next_seed=1,
    )


@pytest.mark.parametrize(
    ("request_", "failed", "boxes", "arm", "given"),
    [
        (
            "a red box and a bar",
            "there is a bar",
            {"box": [ONE]},
            "inpaint",
            {"prompt": "a bar"},
        ),
        (
            "two boxes",
            "there are exactly two boxes",
            {"box": [ONE]},
            "inpaint",
            {"prompt": "a box"},
        ),
        (
            "one box",
            "there is exactly one box",
            {"box": [ONE, TWO]},
            "remove",
            {"boxes": [[32.0, 0.0, 60.0, 28.0]]},
        ),
        (
            "a red box",
            "the box is red",
            {"box": [ONE]},
            "edit",
            {"instruction": "make the box red"},
        ),
        ("a red box", "the box is red", {"box": [ONE]}, "replace", {"prompt": "a red box"}),
        (
            "a red box",
            "the box is red",
            {"box": [(4.0, 4.0, 60.0, 60.0)]},
            "masked edit",
            {"mask": Mask(np.ones((64, 64), np.bool_)).rle()},
        ),
        (
            "a box without a bar",
            "there is no bar",
            {"bar": [ONE]},
            "remove",
            {"boxes": [[0.0, 0.0, 28.0, 28.0]]},
        ),
        (
            "a big box",
            "the box is large",
            {"box": [(20.0, 20.0, 40.0, 40.0)]},
            "inpaint",
            {"prompt": "a box", "boxes": [[11.0, 11.0, 49.0, 49.0]]},
        ),
        (
            "a box on a blue background",
            "the background is blue",
            {"box": [ONE]},
            "edit",
            {"instruction": "change the background to blue"},
        ),
    ],
)
def test_each_failed_check_has_its_repairs(
    request_: str, failed: str, boxes: dict[str, list[Box]], arm: str, given: dict[str, Any]
) -> None:
    held = drawing(request_, {failed: "fail"}, boxes)
    found = repairs(held, tools=ALL, size_wh=SIZE, pictures=4)
    fitting = [one for one in found if one.arm == arm and given.items() <= one.input.items()]
    assert fitting, [(one.arm, one.input) for one in found]
    assert fitting[0].why.startswith(failed)
    assert {"new seeds", "layout"} <= {one.arm for one in found}


def test_only_living_tools_repair_and_nothing_is_tried_twice() -> None:
    held = drawing("a red box", {"the box is red": "fail"}, {"box": [ONE]})
    alone = repairs(held, tools={"generate": ()}, size_wh=SIZE, pictures=4)
    assert {one.tool for one in alone} == {"generate"}
    again = held.model_copy(update={"tried": tuple(one.key() for one in alone)})
    assert repairs(again, tools={"generate": ()}, size_wh=SIZE, pictures=4) == []
    failed = tuple(one.key(seeded=False) for one in alone)
    later = held.model_copy(update={"tried": failed, "next_seed": held.next_seed + 1})
    assert repairs(later, tools={"generate": ()}, size_wh=SIZE, pictures=4) == []


def test_a_missing_thing_is_put_on_the_side_it_belongs() -> None:
    request = "a bar to the right of a box"
    held = drawing(request, {"there is a bar": "fail"}, {"box": [(0.0, 20.0, 20.0, 40.0)]})
    found = repairs(held, tools={"inpaint": ()}, size_wh=SIZE, pictures=1)
    held_in = next(one.input["boxes"] for one in found if one.arm == "inpaint")
    assert isinstance(held_in, list)
    (place,) = held_in
    assert isinstance(place, list)
    assert float(str(place[0])) >= 16


def _holds(claim: Claim, placed: Sequence[tuple[str, Box]]) -> bool:
    def middle(noun: str, colour: str | None) -> list[tuple[float, float]]:
        named = f"{colour} {noun}" if colour else noun
        return [((b[0] + b[2]) / 2, (b[1] + b[3]) / 2) for p, b in placed if p.endswith(named)]

    mine = middle(claim.subject, claim.colour)
    if claim.kind == "relation":
        axis = 0 if claim.relation in ("left of", "right of") else 1
        sign = 1 if claim.relation in ("left of", "above") else -1
        others = middle(str(claim.other), claim.other_colour)
        return all((b[axis] - a[axis]) * sign > 0 for a in mine for b in others)
    return len(mine) == (claim.count or 1)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "request_",
    [
        "an apple",
        "four apples",
        "a dog and a cat and a bee",
        "a red car to the left of a blue star",
        "a yellow bird above a purple bird",
        "two dogs to the right of a cat",
        "a cat above a dog and a star to the left of the dog",
        "a cat above a dog and five bees",
    ],
)
def test_an_arrangement_meets_the_claims_it_was_made_from(request_: str, seed: int) -> None:
    claims = compile_checklist(request_)
    placed = arrange(claims, (128, 128), seed)
    assert all(_holds(c, placed) for c in claims if c.kind in ("exists", "count", "relation"))
    for number, (_, (x0, y0, x1, y1)) in enumerate(placed):
        assert 0 <= x0 < x1 <= 128
        assert 0 <= y0 < y1 <= 128
        for _, (a0, b0, a1, b1) in placed[:number]:
            assert x1 <= a0 or a1 <= x0 or y1 <= b0 or b1 <= y0


@pytest.mark.parametrize("seed", range(4))
def test_what_has_no_relation_stands_where_there_is_room(seed: int) -> None:
    claims = compile_checklist("a red key to the right of a turtle and two donuts")
    placed = arrange(claims, (128, 128), seed)
    assert len(placed) == 4
    assert {x1 - x0 for _, (x0, _, x1, _) in placed} == {40}  # small, as the networks know it


def test_free_space_is_found_or_there_is_none() -> None:
    box = free_box([(0, 0, 64, 128)], (128, 128))
    assert box is not None
    assert box[0] >= 64
    assert free_box([(0, 0, 128, 128)], (128, 128)) is None


def test_what_nobody_claimed_is_not_painted_over() -> None:
    photo = painted(("red", "box"), None, ("blue", "bar"))  # the right half is free
    box = free_box(occupied(photo), photo.size_wh)
    assert box is not None
    assert box[0] >= 24
    full = Image.from_pixels(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    assert free_box(occupied(full), full.size_wh) is None


def test_what_mends_most_a_second_is_taken_and_failures_turn_it() -> None:
    held = drawing("a red box", {"the box is red": "fail"}, {"box": [ONE]})
    ways = repairs(held, tools=ALL, size_wh=SIZE, pictures=1)
    learnt = {
        ("edit", "colour"): Rate(tries=10, gained=9, seconds=10),
        ("new seeds", "colour"): Rate(tries=10, gained=2, seconds=10),
    }

    def choice(tries: Sequence[Try] = (), seconds: float = 60.0) -> str | None:
        found = rates.best(
            ways, learnt=learnt, tries=tries, a_picture=1.0, alone=1.0, seconds=seconds
        )
        return found[0].arm if found else None

    assert choice() == "edit"
    assert choice([Try("edit", "the box is red", "colour", 1, 0.0, 1.0)] * 40) != "edit"
    assert choice(seconds=0.01) is None


def test_rates_are_kept_in_the_store_by_weights(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for gained in (0.0, 1.0):
        store.count_repair(Try("edit", "", "colour", 1, gained, 2.0), "abc")
    assert store.repair_rates(["abc"]) == {
        ("edit", "colour"): Rate(tries=2, gained=1.0, seconds=4.0)
    }
    assert store.repair_rates(["other"]) == {}
    store.close()


# whole runs, with tools that really paint


class Wrong(Generate):
    """Paint, always wrong."""

    def right(self, seed: int) -> bool:
        return False


def result_of(events: Sequence[Event]) -> RunResult:
    assert isinstance(events[-1], Done), events[-1]
    return events[-1].result


async def run(
    store: Store,
    request: str,
    tools: HereToolbox,
    *calls: Call,
    images: Sequence[Image] = (),
    talk: str | None = None,
) -> list[Event]:
    stream = loop.run(
        request,
        images,
        toolbox=tools,
        planner=Scripted(Plan(calls=calls)),
        store=store,
        seed=1,
        conversation=talk,
    )
    return [event async for event in stream]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store before anybody measured anything: what ships was measured with other tools."""
    monkeypatch.setattr(rates, "SHIPPED", tmp_path / "none.json")
    rates.shipped.cache_clear()
    yield Store(tmp_path / "store")
    rates.shipped.cache_clear()


@pytest.mark.parametrize(
    ("request_", "tool"),
    [
        ("a red box to the left of a blue bar", Layout),
        ("a red box and a blue bar", Inpaint),
        ("a red box", Edit),
    ],
)
async def test_what_new_seeds_cannot_mend_another_tool_does(
    store: Store, request_: str, tool: type[Any]
) -> None:
    tools = HereToolbox(Wrong, Ground, Vqa, Classify, tool)
    call = Call(id="c1", tool="generate", input={"prompt": request_, "seed": 1})
    events = await run(store, f"draw {request_}", tools, call)
    result = result_of(events)
    assert result.stopped == "passed", result.reply
    used = [event for event in events if isinstance(event, Repair)]
    kept = [event.kept for event in events if isinstance(event, Repaired)]
    assert used[-1].tool == tool.name
    assert kept[-1]
    assert len(kept) == len(used)
    assert tool.name in {arm for arm, _ in store.repair_rates([f"digest of {tool.name}"])}


async def test_a_change_is_checked_to_leave_the_rest_alone(store: Store) -> None:
    photo = painted(("red", "box"), ("blue", "bar"))
    tools = HereToolbox(Ground, Vqa, Classify, Remove)
    call = Call(id="c1", tool="remove", input={"image": "img1", "phrase": "bar"})
    result = result_of(await run(store, "remove the bar", tools, call, images=[photo]))
    assert result.stopped == "passed"
    assert {c.claim.kind: c.verdict for c in result.checks} == {
        "absent": "pass",
        "unchanged": "pass",
    }
    assert [image.handle for image in result.images] == ["img2"]
    assert result.images[0].parents == (photo.id,)


async def test_a_change_that_spoils_the_rest_fails_its_check(store: Store) -> None:
    class Spoil(Remove):
        """Paint everything over."""

        def paint(self, image: Image, box: Box) -> Image:
            return painted()

    photo = painted(("red", "box"), ("blue", "bar"), ("green", "box"), ("green", "box"))
    tools = HereToolbox(Ground, Vqa, Classify, Spoil)
    call = Call(id="c1", tool="remove", input={"image": "img1", "phrase": "bar"})
    result = result_of(await run(store, "remove the bar", tools, call, images=[photo]))
    assert {c.claim.kind: c.verdict for c in result.checks}["unchanged"] == "fail"
    assert result.stopped == "no_progress"


async def test_changes_follow_each_other_on_what_was_drawn(store: Store) -> None:
    tools = HereToolbox(Generate, Ground, Vqa, Classify, Edit, Remove)
    calls = (
        Call(id="c1", tool="generate", input={"prompt": "a red box and a blue bar", "seed": 4}),
        Call(
            id="c2",
            tool="edit",
            input={"image": "@c1.images[0]", "instruction": "make the box green"},
        ),
        Call(id="c3", tool="remove", input={"image": "@c2.image", "phrase": "bar"}),
    )
    result = result_of(await run(store, "draw, recolour, remove", tools, *calls))
    assert [image.tool for image in result.images] == ["generate", "edit", "remove"]
    assert result.stopped == "passed", result.reply


async def test_the_same_again_is_what_the_picture_was_last_without_what_was_undone(
    store: Store,
) -> None:
    tools = HereToolbox(Generate, Ground, Vqa, Classify, Edit)
    draw = Call(id="c1", tool="generate", input={"prompt": "a red box", "seed": 4})
    result_of(await run(store, "draw a red box and a blue bar", tools, draw))
    (talk,) = store.conversations()
    for request, image in (("make the box green", "img1"), ("make the bar yellow", "img2")):
        change = Call(id="c1", tool="edit", input={"image": image, "instruction": request})
        await run(store, request, tools, change, talk=talk)
    await run(store, "undo that", tools, talk=talk)
    events = await run(store, "draw the same on a white background", tools, draw, talk=talk)
    assert {claim.text for claim in result_of(events).checklist} == {
        "there is a box",
        "the box is green",
        "there is a bar",
        "the bar is blue",
        "the background is white",
    }


async def test_a_follow_up_is_checked_by_its_own_words_not_by_the_planners(store: Store) -> None:
    tools = HereToolbox(Generate, Ground, Vqa, Classify, Edit)
    draw = Call(id="c1", tool="generate", input={"prompt": "a red box", "seed": 4})
    await run(store, "draw a red box", tools, draw)
    (talk,) = store.conversations()
    wrong = Call(id="c1", tool="edit", input={"image": "img1", "instruction": "make the box blue"})
    events = await run(store, "the same on a blue background", tools, wrong, talk=talk)
    result = result_of(events)
    assert [claim.text for claim in result.checklist] == [
        "there is a box",
        "the box is red",
        "the background is blue",
    ]
    assert result.stopped != "passed"


def test_a_batch_costs_a_fixed_part_and_one_a_picture() -> None:
    timing = Timing()
    assert timing.of(3) == 0
    timing = timing.plus(1, 1.5)
    assert timing.of(2) == pytest.approx(1.5 + 0.9)  # believed until it is measured
    timing = timing.plus(4, 3.0)
    assert timing.of(1) == pytest.approx(1.5)
    assert timing.of(8) == pytest.approx(5.0)
    assert timing.faded().of(8) == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("seconds", "mends", "number"),
    [
        (None, 0.9, 1),
        (60.0, 0.9, 1),
        (4.5, 0.9, 1),
        (3.2, 0.3, 4),
        (3.2, 0.9, 1),
        (2.9, 0.9, 3),
        (1.0, 0.9, 1),
    ],
)
async def test_the_first_batch_is_as_large_as_pays(
    store: Store, seconds: float | None, mends: float, number: int
) -> None:
    """Draws of 1.5 s and 0.5 s for each further one; looks cost nothing."""
    tools = HereToolbox(Wrong, Ground, Vqa, Classify, Layout)
    order = Order(request="a red box", budget_s=seconds)
    work = Work(order, tools, Scripted(), store, None)
    work.open((), None)
    work.run.budget = Budget(seconds, clock=lambda: 0.0)  # however busy the machine is
    work.run.budget.timings = {"draw": Timing().plus(1, 1.5).plus(4, 3.0)}
    work.run.learnt = {
        (arm, "colour"): Rate(tries=10, gained=10 * gained, seconds=10)
        for arm, gained in (("new seeds", 0.3), ("layout", mends))
    }
    claims = [one for one in compile_checklist("a red box") if one.kind == "colour"]
    assert first_batch(work.run, claims) == number


async def test_a_first_batch_gives_the_best_of_it(store: Store) -> None:
    tools = HereToolbox(Generate, Ground, Vqa, Classify)
    digest = tools.checkpoint_digest("generate")
    store.count_batches(digest, [("draw", 1, 2.0), ("draw", 8, 2.1)])
    call = Call(id="c1", tool="generate", input={"prompt": "a red box"})
    planner = Scripted(Plan(calls=(call,)))
    stream = loop.run("draw a red box", toolbox=tools, planner=planner, store=store, budget_s=3.5)
    result = result_of([event async for event in stream])
    assert result.calls[0].input["n"] == 8
    assert result.stopped == "passed"
    assert len(result.images) == 1
    assert result.budget.repairs == 0
