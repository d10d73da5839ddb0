"""Opening: a drawing is begun with a layout where that has met whole checklists sooner."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent import loop, rates
from agent.drawing import Try
from agent.events import Done, Event, PlanMade, ToolStarted
from agent.plan import Call, Plan
from agent.store import Store
from tests.agent_drawn import Classify, Generate, Ground, HereToolbox, Scripted, Vqa
from tests.agent_hands import Layout
from tools.profile import load_profile
from tools.toolbox import LocalToolbox

REQUEST = "a red box to the left of a blue bar"


class Half(Generate):
    """Paint what is asked for every second time, from the first on."""

    def right(self, seed: int) -> bool:
        return seed % 2 == 0


@pytest.fixture
def tools() -> HereToolbox:
    return HereToolbox(Half, Ground, Vqa, Classify, Layout)


async def told(request: str, tools: HereToolbox, store: Store, **given: object) -> list[Event]:
    call = Call.model_validate({"id": "c1", "tool": "generate", "input": {"prompt": request}})
    call = call.model_copy(update={"input": {**call.input, **given}})
    planner = Scripted(Plan(calls=(call,)))
    return [event async for event in loop.run(request, toolbox=tools, planner=planner, store=store)]


def counted(store: Store, arm: str, gained: float) -> None:
    store.count_repair(Try(arm, "", "several things", 1000, gained, 1000.0), "digest of layout")


async def test_what_has_met_more_checklists_comes_first_and_says_why(
    tools: HereToolbox, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    counted(store, "layout", 1000)
    counted(store, "new seeds", 10)
    first = await told("draw a red box", tools, store)  # from now on the size is known
    assert not [one for one in first if isinstance(one, ToolStarted) and one.tool == "layout"]
    events = await told(REQUEST, tools, store)
    (plan,) = [one for one in events if isinstance(one, PlanMade)]
    assert [call.tool for call in plan.calls] == ["layout"]
    assert "met every check" in plan.calls[0].why
    done = events[-1]
    assert isinstance(done, Done)
    assert done.result.stopped == "passed"
    assert [image.tool for image in done.result.images] == ["layout"]
    assert next(one.tool for one in events if isinstance(one, ToolStarted)) == "layout"
    store.close()


@pytest.mark.parametrize("given", [{"seed": 3}, {"n": 2}])
async def test_who_names_number_or_seed_gets_just_those(
    given: dict[str, object], tools: HereToolbox, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    counted(store, "layout", 1000)
    await told("draw a red box", tools, store)
    events = await told(REQUEST, tools, store, **given)
    (plan,) = [one for one in events if isinstance(one, PlanMade)]
    assert [call.tool for call in plan.calls] == ["generate"]
    store.close()


async def test_each_first_shot_is_counted(tools: HereToolbox, tmp_path: Path) -> None:
    store = Store(tmp_path)
    await told(REQUEST, tools, store)
    rate = store.repair_rates(["digest of generate"])["new seeds", "several things"]
    assert (rate.tries, rate.gained) == (1, 1)
    assert rate.seconds > 0
    store.close()


def test_rates_of_the_miniature_stand_for_no_other_network() -> None:
    toolbox = LocalToolbox(load_profile("miniature"))
    assert toolbox.checkpoint_digest("generate") == rates.measured_with(), "measure repairs again"
    assert rates.layout_first(2, {}, rates.measured_with())
    assert not rates.layout_first(2, {}, "digest of another")


def test_drawn_at_once_where_that_is_as_likely() -> None:
    learnt = {
        (arm, "several things"): rates.Rate(tries=1000, gained=900, seconds=1000)
        for arm in (rates.AT_ONCE, rates.PLACED)
    }
    assert not rates.layout_first(2, learnt, rates.measured_with())
    assert rates.crowd(1) == "1 thing"
    assert rates.crowd(7) == rates.crowd(2) == "several things"
