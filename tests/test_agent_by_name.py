"""A tool that the embedded planner was never taught is called by its name."""

from __future__ import annotations

from collections.abc import Sequence

from agent.by_name import call_by_name
from agent.planner import PlanRequest
from tests.agent_drawn import HereToolbox
from tools.base import Progress, Record, Text, Tool
from tools.values import Image


class MirrorInput(Record):
    image: Image
    times: int = 1


class Mirror(Tool[MirrorInput, MirrorInput]):
    """Mirror a picture."""

    name, input, output = "mirror", MirrorInput, MirrorInput

    def load(self, checkpoint: str, device: str, dtype: str) -> None: ...

    def answer(
        self, requests: Sequence[MirrorInput], progress: Progress | None
    ) -> list[MirrorInput]:
        return list(requests)


class StampInput(Record):
    image: Image
    words: Text


class Stamp(Mirror):
    """Stamp words on a picture."""

    name, input = "stamp", StampInput  # type: ignore[assignment]


class Upscale(Mirror):
    """Stands for a tool that the planner was taught."""

    name = "upscale"


TOOLS = HereToolbox(Mirror, Stamp, Upscale)


def asked(text: str, *handles: str) -> object:
    plan = call_by_name(PlanRequest(text, TOOLS, handles=handles))
    return plan and [(call.tool, call.input) for call in plan.calls]


def test_it_gets_the_latest_picture_and_the_words_that_follow() -> None:
    assert asked("Please, mirror it", "img1", "img2") == [("mirror", {"image": "img2"})]
    assert asked("stamp hello world", "img1") == [
        ("stamp", {"image": "img1", "words": "hello world"})
    ]


def test_what_cannot_be_filled_is_left_to_the_model() -> None:
    assert asked("mirror it") is None
    assert asked("stamp", "img1") is None
    assert asked("draw a mirror", "img1") is None


def test_a_taught_tool_is_called_only_where_its_name_and_a_picture_are_all_that_is_said() -> None:
    assert asked("upscale it, please", "img1", "img2") == [("upscale", {"image": "img2"})]
    assert asked("Upscale img1", "img1", "img2") == [("upscale", {"image": "img1"})]
    assert asked("upscale it and describe it", "img1") is None
    assert asked("upscale it") is None
