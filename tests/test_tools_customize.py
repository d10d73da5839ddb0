"""Customize: a thing is learnt from pictures, kept, drawn by its name, and forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diffusers import StableDiffusionPipeline
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file

from models.diffusion_concept import CHANGE_FILE, WORD_FILE
from tools import concepts
from tools.base import Record, Tool
from tools.customize import Customize, subject
from tools.errors import InvalidInput, Unavailable
from tools.generate import Generate
from tools.inpaint import Inpaint
from tools.values import Image

FAST = {
    "steps": 40,
    "batch": 2,
    "rank": 2,
    "convolutions": True,
    "word_rate": 0.05,
    "change_rate": 0.02,
}


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SIGHTLOOP_HOME", str(tmp_path))
    return tmp_path


def thing(ground: int) -> Image:
    """A red square on a ground of one grey."""
    pixels = np.full((64, 64, 3), ground, np.uint8)
    pixels[16:48, 16:48] = (220, 30, 30)
    return Image.from_pixels(pixels)


def made(tool: Tool[Any, Any], **arguments: Any) -> Any:
    (answer,) = tool.run([tool.parse(arguments)])
    if not isinstance(answer, Record):
        raise answer
    return answer


def loaded(kind: type[Tool[Any, Any]], folder: Path, **options: Any) -> Tool[Any, Any]:
    tool = kind(options)
    tool.load(str(folder), "cpu", "auto")
    return tool


@pytest.mark.parametrize("checkpoint", ["diffusion-tiny", "diffusion-unified"])
def test_a_thing_is_learnt_drawn_by_name_and_forgotten(tiny: Path, checkpoint: str) -> None:
    draw = loaded(Generate, tiny / checkpoint, steps=3, guidance=1.5)
    plain, word = (made(draw, prompt=f"a {name}").images[0] for name in ("dog", "zorp"))
    learn = loaded(Customize, tiny / checkpoint, **FAST)
    seen: list[int] = []
    learnt: Any
    (learnt,) = learn.run(
        [learn.parse({"images": [thing(255), thing(90)], "name": "Zorp", "kind": "dog"})],
        lambda step, total, _: seen.append(step),
    )
    assert seen == list(range(1, 41))
    assert learnt.name == "zorp"
    assert learnt.last_loss < learnt.first_loss
    assert learnt.bytes < 2_000_000
    assert [one.name for one in concepts.kept()] == ["zorp"]
    assert made(draw, prompt="a dog").images[0] == plain, "nothing else is drawn differently"
    assert made(draw, prompt="a Zorp, big").images[0] != made(draw, prompt="a zorb, big").images[0]
    assert made(draw, prompt="a zorp").images[0] != word
    assert made(draw, prompt="a dog").images[0] == plain
    concepts.forget("zorp")
    assert made(draw, prompt="a zorp").images[0] == word


def test_the_files_are_those_of_diffusers(tiny: Path) -> None:
    learn = loaded(Customize, tiny / "diffusion-kl", **{**FAST, "steps": 2})
    made(learn, images=[thing(255)], name="zorp")
    folder = concepts.folder("zorp")
    pipeline: Any = StableDiffusionPipeline.from_pretrained(
        tiny / "diffusion-kl", safety_checker=None, requires_safety_checker=False
    )
    pipeline.load_textual_inversion(folder, weight_name=WORD_FILE, token="<z>")  # noqa: S106
    pipeline.load_lora_weights(folder, weight_name=CHANGE_FILE)
    held = get_peft_model_state_dict(pipeline.unet, adapter_name="default_0")
    assert {f"unet.{name}" for name in held} == set(load_file(folder / CHANGE_FILE))
    picture = pipeline("a <z>", num_inference_steps=2, height=64, width=64, output_type="np")
    assert picture.images.shape == (1, 64, 64, 3)


def test_every_hand_knows_it_and_its_cache_too(tiny: Path) -> None:
    learn = loaded(Customize, tiny / "diffusion-tiny", **FAST)
    paint = loaded(Inpaint, tiny / "diffusion-tiny", steps=3)
    asked = {"image": thing(255), "prompt": "a zorp", "boxes": [(16, 16, 48, 48)]}
    request = paint.parse(asked)
    before, facts = made(paint, **asked), paint.facts(request)
    made(learn, images=[thing(255)], name="zorp")
    first = paint.facts(request)
    assert facts == {}
    assert made(paint, **asked).image != before.image
    made(learn, images=[thing(90)], name="zorp", seed=1)
    assert len(concepts.kept()) == 1, "the name now means the new one"
    assert paint.facts(request) != first


def test_what_cannot_be_learnt_or_drawn_is_said(tiny: Path) -> None:
    learn = loaded(Customize, tiny / "diffusion-instruct", **FAST)
    with pytest.raises(Unavailable, match="8 channels cannot learn a thing"):
        made(learn, images=[thing(255)], name="zorp")
    for name in ("zo", "two words", "../up", "x" * 33):
        with pytest.raises(InvalidInput, match="name"):
            learn.parse({"images": [thing(255)], "name": name})
    with pytest.raises(InvalidInput, match="no concept 'zorp'; there are: none"):
        concepts.forget("zorp")
    kin = loaded(Customize, tiny / "diffusion-tiny", **{**FAST, "steps": 1})
    made(kin, images=[thing(255)], name="zorp")
    with pytest.raises(InvalidInput, match="of another shape; learn it again"):
        concepts.order("a zorp", "", 0, kin="another")


def test_only_the_thing_on_a_plain_ground_is_the_subject() -> None:
    where = subject(thing(90).pixels)
    assert where[16:48, 16:48].all()
    assert not where[:10].any()
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    assert subject(noise).all()
    assert subject(np.full((64, 64, 3), 9, np.uint8)).all()
