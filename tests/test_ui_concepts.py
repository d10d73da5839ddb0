"""`sightloop concepts`: what was learnt is listed and removed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.reply import call_sentences
from agent.state import CallRecord
from tools import concepts


def keep(name: str, files: Path) -> None:
    files.mkdir()
    (files / "learned_embeds.safetensors").write_bytes(b"weights")
    card = concepts.Kept(
        name=name,
        kind="dog",
        kin="StableDiffusion 32 (32, 64)",
        checkpoint="miniature/weights/stable-diffusion",
        digest=concepts.digest(files),
        pictures=4,
        steps=120,
        bytes=1_100_000,
        made=datetime.now(UTC),
    )
    concepts.keep(card, files)


def test_concepts_are_listed_and_removed(sightloop: Callable[..., Any], tmp_path: Path) -> None:
    assert "nothing was learnt yet" in sightloop("concepts", "list").out
    keep("rex", tmp_path / "a")
    keep("zorp", tmp_path / "b")
    (concepts.folder("zorp") / "concept.json").write_text("{")
    shown = sightloop("concepts", "list").out
    assert "rex" in shown
    assert "1.1 MB" in shown
    assert "zorp" not in shown, "a damaged card is left out"
    (listed,) = json.loads(sightloop("concepts", "list", "--json").out)
    assert listed["kind"] == "dog"
    assert sightloop("concepts", "remove", "rex").code == 0
    gone = sightloop("concepts", "remove", "rex")
    assert gone.code == 2
    assert "no concept 'rex'; there are: none" in gone.err


def test_the_reply_says_how_to_call_what_was_learnt() -> None:
    call = CallRecord(
        id="c1", tool="customize", status="done", input={"images": ["a", "b"]},
        output={"name": "rex", "first_loss": 1.2, "last_loss": 0.3, "bytes": 1_000_000},
    )  # fmt: skip
    (said,) = call_sentences(call, {})
    assert said.text == "rex is learnt from 2 pictures: use that word in anything to be drawn."


def test_a_prompt_names_a_concept_by_the_whole_word(tmp_path: Path) -> None:
    keep("rex", tmp_path / "a")
    assert [one.name for one in concepts.named("Draw REX, please")] == ["rex"]
    assert concepts.named("a trex and rexes") == []
    keep("rex", tmp_path / "b")
    assert len(concepts.kept()) == 1
