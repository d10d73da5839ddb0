"""The HTTP doors over tools in this process: what comes in, what is refused, and how."""

from __future__ import annotations

import base64
import io
import json
import struct
import zlib
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
from serving.pictures import public_address
from tests.agent_drawn import (
    Classify,
    Generate,
    Ground,
    HereToolbox,
    Scripted,
    Vqa,
)
from tools.errors import InvalidInput

HOST = "http://127.0.0.1:8000"


def png(width: int = 32, height: int = 24) -> bytes:
    buffer = io.BytesIO()
    PIL.fromarray(np.full((height, width, 3), 200, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG whose header promises more than its few bytes hold."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(b"\0" * 1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + body + chunk(b"IEND", b"")


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


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer ", "Bearer wrong", "Basic YTpi", "bearer sl-", "Bearer sl-\x7f"]
)
def test_without_the_right_key_nothing_opens(front: Front, client: TestClient, given: str) -> None:
    front.keys.add("a")
    for path in ("/v1/tools", "/metrics", "/openapi.json", "/v1/models", "/v1/pictures/x"):
        answer = client.get(path, headers={"authorization": given})
        assert answer.status_code == 401, path
    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "127.0.0.1.evil.example"},
        {"host": "localhost.evil.example:8000"},
        {"host": "10.0.0.1"},
        {"host": ""},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1.evil.example"},
    ],
)
def test_other_web_pages_cannot_ask_in_the_name_of_this_machine(
    client: TestClient, headers: dict[str, str]
) -> None:
    assert client.get("/v1/tools", headers=headers).status_code == 403


PICTURES = {
    "empty": b"",
    "words": b"hello",
    "html": b"<html><script>alert(1)</script>",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
    "pdf": b"%PDF-1.4\n",
    "zip": b"PK\x03\x04" + bytes(100),
    "pickle": b"\x80\x04\x95\x00\x00",
    "half a png": png()[:40],
    "no pixels": png()[:-30],
    "flipped": png()[:20] + b"\xff" * 8 + png()[28:],
    "jpeg head": b"\xff\xd8\xff\xe0" + bytes(20),
    "gif head": b"GIF89a" + bytes(4),
    "webp head": b"RIFF\x10\x00\x00\x00WEBPVP8 ",
    "tiff head": b"II*\x00\xff\xff\xff\xff",
    "zero wide": bomb(0, 10),
}


@pytest.mark.parametrize("name", PICTURES)
def test_what_is_no_picture_is_refused_in_words(client: TestClient, name: str) -> None:
    answer = client.post("/v1/pictures", content=PICTURES[name])
    assert answer.status_code == 422
    assert answer.json()["error"]["message"]
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    "data",
    [bomb(2000, 2000), bomb(60_000, 60_000), bomb(2**31 - 1, 2**31 - 1), bytes(3 * 2**20)],
    ids=["4 MP", "3600 MP", "2^62 pixels", "3 MiB"],
)
def test_what_is_too_large_is_refused_before_it_is_decoded(client: TestClient, data: bytes) -> None:
    assert client.post("/v1/pictures", content=data).status_code == 413


def test_a_body_of_unsaid_length_is_counted_while_it_is_read(client: TestClient) -> None:
    parts = (bytes(2**18) for _ in range(100))
    assert client.post("/v1/pictures", content=parts).status_code == 413


def test_a_compressed_body_is_not_read(client: TestClient) -> None:
    headers = {"content-encoding": "gzip"}
    assert client.post("/v1/pictures", content=b"x", headers=headers).status_code == 413


@pytest.mark.parametrize(
    "identity",
    [
        "..", "../../keys.json", "..%2f..%2fkeys.json", "%2e%2e%2fkeys.json", "%00", "a" * 63,
        "A" * 64, "a" * 64, "a" * 65, "/etc/passwd", "..\\..\\keys.json", "img1", "' OR 1=1 --",
    ],
)  # fmt: skip
def test_an_id_is_never_a_path(client: TestClient, identity: str) -> None:
    for where in ("/v1/pictures/", "/v1/runs/", "/v1/conversations/"):
        answer = client.get(where + identity)
        assert answer.status_code in (404, 405), answer.text
        assert "root:" not in answer.text
    answer = client.post("/v1/tools/ground", json={"image": identity, "phrases": ["x"]})
    assert answer.status_code == 422


ARGUMENTS = {
    "no prompt": {},
    "empty prompt": {"prompt": ""},
    "long prompt": {"prompt": "x" * 100_000},
    "number for words": {"prompt": 7},
    "list for words": {"prompt": ["a"]},
    "unknown field": {"prompt": "a", "path": "/etc/passwd"},
    "no steps": {"prompt": "a", "steps": 0},
    "many steps": {"prompt": "a", "steps": 10**9},
    "steps as words": {"prompt": "a", "steps": "many"},
    "many pictures": {"prompt": "a", "n": 10**6},
    "negative seed": {"prompt": "a", "seed": -1},
    "huge seed": {"prompt": "a", "seed": 2**70},
    "odd width": {"prompt": "a", "width": 7},
    "wide": {"prompt": "a", "width": 10**6},
    "nested": {"prompt": {"$ref": "#"}},
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_wrong_arguments_are_named(client: TestClient, name: str) -> None:
    answer = client.post("/v1/tools/generate", json=ARGUMENTS[name])
    assert answer.status_code == 422
    assert len(answer.text) < 2000


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"x"', b"null", b"[" * 100_000, b'{"request": NaN}', b"\xff\xfe", b"1e999"],
)
def test_a_body_that_is_no_json_is_refused(client: TestClient, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    for path in ("/v1/runs", "/v1/tools/generate", "/v1/chat/completions"):
        assert client.post(path, content=body, headers=headers).status_code in (400, 422)


def test_a_tool_that_is_not_there_is_said_so(client: TestClient) -> None:
    for name in ("os.system", "__class__", "..%2fgenerate", "GENERATE"):
        assert client.post(f"/v1/tools/{name}", json={}).status_code in (404, 422)


ADDRESSES = [
    "127.0.0.1", "127.1", "0", "0.0.0.0",  # noqa: S104 - nothing is bound to it
    "2130706433", "0x7f000001", "017700000001", "localhost",
    "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "::1", "::",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "fe80::1", "fc00::1", "fd00:ec2::254", "224.0.0.1",
    "255.255.255.255", "192.0.2.1", "198.18.0.1", "2002:7f00:1::", "64:ff9b::7f00:1",
    "no-such-host.invalid", "",
]  # fmt: skip


@pytest.mark.parametrize("host", ADDRESSES)
def test_no_picture_is_fetched_from_an_inner_address(host: str) -> None:
    if host == "":
        host = "\0"
    with pytest.raises(InvalidInput):
        public_address(host, 80)


def ask(client: TestClient, url: str) -> int:
    part = {"type": "image_url", "image_url": {"url": url}}
    content = [{"type": "text", "text": "what is this?"}, part]
    body = {"messages": [{"role": "user", "content": content}]}
    return client.post("/v1/chat/completions", json=body).status_code


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x.png", "https://example.com/x.png", "file:///etc/passwd", "ftp://a/b",
        "gopher://127.0.0.1:6379/_", "/etc/passwd", "data:image/png,abc",
        "data:text/html;base64,YQ==",
        "data:image/png;base64,@@@", "data:image/png;base64,YWJj", "javascript:alert(1)", "",
    ],
)  # fmt: skip
def test_addresses_of_pictures_are_not_followed_unasked(client: TestClient, url: str) -> None:
    assert ask(client, url) == 422


@pytest.mark.parametrize("url", ["http://user@127.0.0.1/", "http://[::1]/", "http://127.0.0.1:x/"])
def test_even_where_fetching_is_on_inner_addresses_stay_shut(tmp_path: Path, url: str) -> None:
    limits = Limits.model_validate({"fetch_urls": True})
    front = Front(tmp_path, HereToolbox(Vqa), Scripted(Plan(reply="x")), limits)
    with TestClient(build(front), base_url=HOST) as client:
        assert ask(client, url) == 422


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
