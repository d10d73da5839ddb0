"""Hub: what is fetched of a repository, over the hub's protocol, and what is made of pickles."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from models import hub, weights

COMMIT = "5" * 40


class Shelf(BaseHTTPRequestHandler):
    """A model hub over a folder: the listing of a repository, and its files."""

    root: Path
    asked: list[str]

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Silent."""

    def _answer(self, *, body: bool) -> None:
        parts = self.path.partition("?")[0].strip("/").split("/")
        held = self._listing(parts) if parts[0] == "api" else self._file(parts)
        self.send_response(404 if held is None else 200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(held or b"").hexdigest()}"')
        self.send_header("Content-Length", str(len(held or b"")))
        self.end_headers()
        if body and held is not None:
            self.wfile.write(held)

    def _listing(self, parts: list[str]) -> bytes | None:
        folder = self.root / parts[2] / parts[3]
        if not folder.is_dir():
            return None
        paths = [path for path in folder.rglob("*") if path.is_file()]
        names = [path.relative_to(folder).as_posix() for path in paths]
        if parts[4:5] == ["tree"]:
            files = [
                {"type": "file", "path": name, "oid": "0", "size": path.stat().st_size}
                for name, path in zip(names, paths, strict=True)
            ]
            return json.dumps(files).encode()
        siblings = [{"rfilename": name} for name in names]
        told = {"id": "/".join(parts[2:4]), "sha": COMMIT, "siblings": siblings}
        return json.dumps(told).encode()

    def _file(self, parts: list[str]) -> bytes | None:
        path = self.root.joinpath(*parts[:2], *parts[4:])
        self.asked.append("/".join(parts[4:]))
        return path.read_bytes() if path.is_file() else None


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[tuple[type[Shelf], str]]:
    class Here(Shelf):
        root = tmp_path / "hub"
        asked: list[str] = []  # noqa: RUF012

    with ThreadingHTTPServer(("127.0.0.1", 0), Here) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Here, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def pull(name: str, address: str, home: Path) -> subprocess.CompletedProcess[str]:
    """In a process of its own: the client reads its settings once."""
    settings = {"HF_ENDPOINT": address, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0"}
    code = f"from ui.cli import call; import sys; sys.exit(call(['models', 'pull', {name!r}]))"
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )


def snapshot(home: Path, name: str) -> Path:
    return home / "hub" / f"models--{name.replace('/', '--')}" / "snapshots" / COMMIT


def test_a_pickle_becomes_safetensors_that_load(
    shelf: tuple[type[Shelf], str], tiny: Path, tmp_path: Path
) -> None:
    there, address = shelf
    folder = there.root / "ann" / "clip"
    folder.mkdir(parents=True)
    for path in (tiny / "clip").iterdir():
        if path.suffix != ".safetensors":
            (folder / path.name).write_bytes(path.read_bytes())
    kept = load_file(tiny / "clip" / "model.safetensors")
    torch.save({**kept, "twin": kept["logit_scale"]}, folder / "pytorch_model.bin")
    (folder / "tf_model.h5").write_bytes(b"not read")
    ended = pull("ann/clip", address, tmp_path / "home")
    assert ended.returncode == 0, ended.stderr
    assert "tf_model.h5" not in there.asked
    from models import clip

    found = snapshot(tmp_path / "home", "ann/clip")
    read = load_file(found / "model.safetensors")
    assert all(torch.equal(read[key], kept[key]) for key in kept)
    assert clip.load(str(found), "cpu", "auto")
    assert pull("ann/clip", address, tmp_path / "home").returncode == 0


def test_a_pickle_that_would_run_code_is_refused(
    shelf: tuple[type[Shelf], str], tmp_path: Path
) -> None:
    there, address = shelf
    folder = there.root / "eve" / "model"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    torch.save({"weight": Path("/")}, folder / "pytorch_model.bin")
    ended = pull("eve/model", address, tmp_path / "home")
    assert ended.returncode == 2
    assert "holds more than tensors or is damaged" in " ".join(ended.stderr.split())
    assert not list((tmp_path / "home").rglob("*.safetensors"))


def test_a_repository_that_is_not_there_is_one_clear_line(
    shelf: tuple[type[Shelf], str], tmp_path: Path
) -> None:
    ended = pull("nobody/nothing", shelf[1], tmp_path / "home")
    assert ended.returncode == 2
    assert "could not be fetched" in ended.stderr


def test_of_a_pipeline_only_its_parts_are_fetched() -> None:
    names = [
        ".gitattributes",
        "README.md",
        "model_index.json",
        "sd_xl_base_1.0.safetensors",
        "pruned.safetensors",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "unet/diffusion_pytorch_model.bin",
        "unet/model.onnx",
        "text_encoder/config.json",
        "text_encoder/model-00001-of-00002.safetensors",
        "text_encoder/model-00002-of-00002.safetensors",
        "text_encoder/model.safetensors.index.json",
        "tokenizer/merges.txt",
        "vae/config.json",
        "vae/diffusion_pytorch_model.bin",
        "vae/openvino_model.bin",
    ]
    assert hub.wanted(names) == [
        "model_index.json",
        "text_encoder/config.json",
        "text_encoder/model-00001-of-00002.safetensors",
        "text_encoder/model-00002-of-00002.safetensors",
        "text_encoder/model.safetensors.index.json",
        "tokenizer/merges.txt",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/config.json",
        "vae/diffusion_pytorch_model.bin",
    ]


def test_a_network_without_a_pipeline_keeps_its_weights_and_its_template(tmp_path: Path) -> None:
    names = ["config.json", "chat_template.jinja", "model.safetensors", "model.fp16.safetensors"]
    assert hub.wanted(names) == ["chat_template.jinja", "config.json", "model.safetensors"]
    save_file({"a": torch.zeros(1)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text("{}")
    assert hub.pull(str(tmp_path)) == tmp_path == weights.locate(str(tmp_path))
