"""The face: what a person sees and clicks, without a browser."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PIL
from streamlit.testing.v1 import AppTest

from ui.face.engine import engine
from ui.face.job import Step
from ui.face.timeline import levels
from ui.launch import SCRIPT

Open = Callable[..., AppTest]
DRAW = {"calls": [{"id": "c1", "tool": "generate", "input": {"prompt": "a red apple"}}]}
LOOK = {"calls": [{"id": "c1", "tool": "caption", "input": {"image": "img1"}}]}


@pytest.fixture
def face(profile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens the page of a server whose planner serves these plans."""

    def opened(*plans: dict[str, object], talk: str | None = None) -> AppTest:
        script = tmp_path / f"plans{len(plans)}.json"
        script.write_text(json.dumps(plans))
        monkeypatch.setenv("SIGHTLOOP_PROFILE", str(profile))
        monkeypatch.setenv("SIGHTLOOP_LLM", f"script:{script}")
        monkeypatch.setenv("SIGHTLOOP_BUDGET", "1")  # untrained networks never draw what is asked
        page = AppTest.from_file(str(SCRIPT), default_timeout=60)
        if talk is not None:
            page.query_params["talk"] = talk
        return page.run()

    return opened


def ended(page: AppTest) -> AppTest:
    """The page once its job is over."""
    job = engine().jobs[page.session_state["session"].conversation]
    assert job.future is not None
    job.future.result(timeout=60)
    return page.run()


def png() -> bytes:
    buffer = io.BytesIO()
    PIL.fromarray(np.full((32, 32, 3), (220, 30, 30), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_suggestion_is_drawn_and_its_checks_are_shown(face: Open) -> None:
    page = face(DRAW)
    assert not page.exception
    next(b for b in page.button if b.label == "draw a red apple on a blue background").click()
    page = ended(page.run())
    assert not page.exception
    labels = [button.label for button in page.button]
    assert any("there is an apple" in label for label in labels)
    assert "Undo" in labels
    assert "This seed" in labels


def test_a_picture_in_the_input_can_be_asked_about(face: Open) -> None:
    page = face(LOOK)
    page.chat_input[0].set_value("what is this?").upload("a.png", png(), "image/png").run()
    page = ended(page)
    assert not page.exception
    assert any("img1 shows" in one.value for one in page.markdown)


def test_what_cannot_be_read_loses_no_words(face: Open) -> None:
    page = face(LOOK)
    page.chat_input[0].set_value("what is this?").upload("a.png", b"no picture", "image/png").run()
    assert "not a picture" in page.error[0].value
    assert page.code[0].value == "what is this?"


def test_a_conversation_is_there_again_in_another_session(face: Open) -> None:
    page = ended(face(LOOK).chat_input[0].set_value("hello").run())
    talk = page.session_state["session"].conversation
    assert "hello" not in [one.value for one in face(LOOK).markdown]
    again = face(LOOK, talk=talk)
    assert again.session_state["session"].conversation == talk
    assert "hello" in [one.value for one in again.markdown]


def test_a_conversation_that_is_gone_is_said(face: Open) -> None:
    page = face(LOOK, talk="nothing")
    assert "not in the store" in page.error[0].value


def test_the_model_page_says_what_is_alive_and_what_is_missing(face: Open) -> None:
    face()
    page = AppTest.from_function(_models, default_timeout=60).run()
    assert not page.exception
    assert any("✅" in one.value and "caption" in one.value for one in page.markdown)
    assert any("depth" in one.value and "profile sd15" in one.value for one in page.info)


def test_pictures_are_found_again_in_the_gallery(face: Open) -> None:
    page = face(LOOK)
    page.chat_input[0].set_value("what is this?").upload("a.png", png(), "image/png").run()
    ended(page)
    gallery = AppTest.from_function(_gallery, default_timeout=60).run()
    assert not gallery.exception
    assert "Open" in [button.label for button in gallery.button]


def _models() -> None:
    from ui.face import engine, modelpage

    modelpage.show(engine.engine())


def _gallery() -> None:
    from ui.face import engine, gallery, session

    gallery.show(engine.engine(), session.Session(), None)


def test_calls_that_can_run_at_once_stand_side_by_side() -> None:
    steps = [Step("c1", "generate"), Step("c2", "generate"), Step("c3", "caption", ("c1",))]
    assert [[step.call for step in row] for row in levels(steps)] == [["c1", "c2"], ["c3"]]
