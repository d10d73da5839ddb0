"""The HTTP doors over tools in this process: what comes in, what is refused, and how."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PIL
from starlette.testclient import TestClient

from agent.plan import Plan
from serving.app import build
from serving.config import Limits
from serving.doors import Keys
from serving.front import Front
from tests.agent_drawn import (
    Classify,
    Generate,
    Ground,
    HereToolbox,
    Scripted,
    Vqa,
)

HOST = "http://127.0.0.1:8000"


def png(width: int = 32, height: int = 24) -> bytes:
    buffer = io.BytesIO()
    PIL.fromarray(np.full((height, width, 3), 200, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def front(tmp_path: Path) -> Front:
    limits = Limits.model_validate({"upload_mib": 1, "pixels": 1_000_000})
    plans = [Plan(reply="hello")] * 20
    return Front(
        tmp_path / "home", HereToolbox(Generate, Ground, Vqa, Classify), Scripted(*plans), limits
    )


@pytest.fixture
def client(front: Front) -> Iterator[TestClient]:
    with TestClient(build(front), base_url=HOST, raise_server_exceptions=False) as found:
        yield found


def upload(
    client: TestClient, data: bytes | None = None, headers: dict[str, str] | None = None
) -> str:
    answer = client.post("/v1/pictures", content=data or png(), headers=headers)
    assert answer.status_code == 201, answer.text
    identity: str = answer.json()["id"]
    return identity


def test_a_picture_comes_back_as_it_was_or_smaller(client: TestClient) -> None:
    identity = upload(client)
    whole = client.get(f"/v1/pictures/{identity}")
    assert PIL.open(io.BytesIO(whole.content)).size == (32, 24)
    small = client.get(f"/v1/pictures/{identity}?side=8&format=webp")
    assert PIL.open(io.BytesIO(small.content)).size == (8, 6)


def test_a_tool_is_called_with_a_picture_by_id(client: TestClient) -> None:
    drawn = client.post("/v1/tools/generate", json={"prompt": "a red box", "seed": 4})
    assert drawn.status_code == 200, drawn.text
    identity = drawn.json()["images"][0]
    found = client.post("/v1/tools/ground", json={"image": identity, "phrases": ["red box"]})
    assert found.status_code == 200, found.text
    assert "boxes" in found.json()


def test_a_run_tells_its_events_and_again_from_where_a_reader_stopped(client: TestClient) -> None:
    begun = client.post(
        "/v1/runs", json={"request": "a red box", "draw": {"prompt": "a red box"}, "seed": 4}
    )
    assert begun.status_code == 202, begun.text
    lines = client.get(begun.json()["events"]).text
    kinds = [line[7:] for line in lines.splitlines() if line.startswith("event: ")]
    assert kinds[0] == "plan"
    assert kinds[-1] == "done"
    again = client.get(begun.json()["events"], headers={"last-event-id": str(len(kinds) - 1)}).text
    assert again.count("event: ") == 1
    assert client.get(f"/v1/runs/{begun.json()['id']}").json()["state"] == "done"


def test_each_key_has_its_own_pictures_and_runs(front: Front, client: TestClient) -> None:
    keys = [front.keys.add(name) for name in ("a", "b")]
    one, other = ({"authorization": f"Bearer {key}"} for key in keys)
    identity = upload(client, headers=one)
    assert client.get(f"/v1/pictures/{identity}", headers=one).status_code == 200
    assert client.get(f"/v1/pictures/{identity}", headers=other).status_code == 404
    run = client.post("/v1/runs", json={"request": "hi"}, headers=one).json()
    assert client.get(run["events"], headers=other).status_code == 404
    talk = f"/v1/conversations/{run['conversation']}"
    assert client.get(talk, headers=one).status_code == 200
    assert client.get(talk, headers=other).status_code == 404
    stolen = {"request": "hi", "conversation": run["conversation"]}
    assert client.post("/v1/runs", json=stolen, headers=other).status_code == 422


def test_keys_are_hashed_at_rest_and_named_nowhere(front: Front, tmp_path: Path) -> None:
    key = front.keys.add("a")
    kept = (tmp_path / "home/keys.json").read_text()
    assert key not in kept
    assert (tmp_path / "home/keys.json").stat().st_mode & 0o77 == 0


def ask(client: TestClient, url: str) -> int:
    part = {"type": "image_url", "image_url": {"url": url}}
    content = [{"type": "text", "text": "what is this?"}, part]
    body = {"messages": [{"role": "user", "content": content}]}
    return client.post("/v1/chat/completions", json=body).status_code


def test_a_picture_in_a_data_url_is_read(client: TestClient) -> None:
    assert ask(client, "data:image/png;base64," + base64.b64encode(png()).decode()) == 200


def test_too_many_requests_are_told_when_to_come_back(tmp_path: Path) -> None:
    limits = Limits.model_validate({"requests_per_minute": 3})
    front = Front(tmp_path, HereToolbox(Vqa), Scripted(), limits)
    with TestClient(build(front), base_url=HOST) as client:
        answers = [client.get("/v1/models") for _ in range(5)]
    assert [each.status_code for each in answers] == [200] * 3 + [429] * 2
    assert int(answers[-1].headers["retry-after"]) >= 1


def test_a_damaged_list_of_keys_shuts_the_doors(front: Front, client: TestClient) -> None:
    front.home.mkdir(exist_ok=True)
    (front.home / "keys.json").write_text("{")
    assert client.get("/v1/tools").status_code == 503


def test_a_key_that_is_taken_away_opens_nothing(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    keys.add("b")
    key = keys.add("a")
    keys.owner(f"Bearer {key}")
    keys.remove("a")
    with pytest.raises(Exception, match="opens nothing"):
        keys.owner(f"Bearer {key}")


def test_the_description_of_the_doors_is_one_openapi_reads(client: TestClient) -> None:
    described = json.loads(client.get("/openapi.json").text)
    assert "/v1/runs/{identity}/events" in described["paths"]
    assert "requestBody" in described["paths"]["/v1/pictures"]["post"]
