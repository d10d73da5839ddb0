"""OpenAI's addresses, asked by OpenAI's own client over a real socket."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import NotFoundError, OpenAI, UnprocessableEntityError
from PIL import Image as PIL

from agent.plan import Plan
from serving.config import Limits
from serving.front import Front
from tests.agent_drawn import Classify, Generate, Ground, HereToolbox, Scripted, Vqa
from tests.http_server import served


@pytest.fixture
def client(tmp_path: Path) -> Iterator[OpenAI]:
    plans = [Plan(reply="I draw and look at pictures.")] * 5
    toolbox = HereToolbox(Generate, Ground, Vqa, Classify)
    front = Front(tmp_path, toolbox, Scripted(*plans), Limits.model_validate({}))
    with served(front) as address:
        yield OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=5)


def test_models_are_the_agent_and_the_tools(client: OpenAI) -> None:
    assert [model.id for model in client.models.list()][:2] == ["sightloop", "classify"]


def test_chat_answers_whole_and_in_pieces(client: OpenAI) -> None:
    said = client.chat.completions.create(
        model="sightloop", messages=[{"role": "user", "content": "what can you do?"}]
    )
    assert said.choices[0].message.content == "I draw and look at pictures."
    pieces = client.chat.completions.create(
        model="sightloop", messages=[{"role": "user", "content": "again?"}], stream=True
    )
    text = "".join(each.choices[0].delta.content or "" for each in pieces)
    assert text == "I draw and look at pictures."


@pytest.mark.parametrize("model", ["sightloop", "generate"])
def test_a_picture_is_drawn(client: OpenAI, model: str) -> None:
    drawn = client.images.generate(model=model, prompt="a red box")
    assert drawn.data
    data = base64.b64decode(drawn.data[0].b64_json or "")
    assert PIL.open(io.BytesIO(data)).format == "PNG"


def test_what_cannot_be_done_is_an_error_of_the_client_s_kind(client: OpenAI) -> None:
    with pytest.raises((UnprocessableEntityError, NotFoundError), match="no tool 'edit'"):
        client.images.edit(model="sightloop", image=b"x", prompt="make it blue")
    with pytest.raises((UnprocessableEntityError, NotFoundError)):
        client.images.generate(model="dall-e-3", prompt="a red box")
