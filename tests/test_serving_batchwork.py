"""`sightloop map` over actors of Ray Data."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from miniature.world import scene
from tools.values import Image


@pytest.mark.serve
def test_actors_share_the_work_and_a_bad_picture_spoils_only_itself(tmp_path: Path) -> None:
    folder, out = tmp_path / "mine", tmp_path / "out"
    folder.mkdir()
    for seed in range(5):
        drawn = scene.draw(scene.sample(1_000_000_000 + seed))
        (folder / f"{seed}.png").write_bytes(Image.from_pixels(drawn).png())
    (folder / "damaged.png").write_bytes(b"\x89PNG")
    profile = tmp_path / "edges.yaml"
    profile.write_text("tools: {edges: {checkpoint: 'package:opencv-python-headless'}}")
    words = ["map", "edges", folder, "-p", profile, "-o", out, "--batch", 2, "--json"]

    def run(*more: object) -> tuple[dict[str, object], str]:
        ended = subprocess.run(
            [sys.executable, "-c", "from ui.cli import main; main()", *map(str, [*words, *more])],
            capture_output=True, text=True, timeout=600, check=True,
        )  # fmt: skip
        return json.loads(ended.stdout), ended.stderr

    made, said = run("--actors", 2)
    assert (made["done"], made["before"]) == (5, 0)
    assert list(made["failed"]) == [str(folder / "damaged.png")]  # type: ignore[call-overload]
    assert "error" not in said.lower(), said
    _, *lines = map(json.loads, (out / "results.jsonl").read_text().splitlines())
    assert {Path(line["path"]).name for line in lines} == {f"{seed}.png" for seed in range(5)}
    assert all(Path(file).is_file() for line in lines for file in line["pictures"].values())
    again, _ = run()
    assert (again["done"], again["before"]) == (0, 5)
