"""Diffusion: one set of networks for all verbs, words read once, bad input refused in words."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from diffusers.pipelines.stable_diffusion import safety_checker
from transformers import CLIPConfig, CLIPImageProcessor

from models import diffusion, diffusion_load, diffusion_pixels
from models.diffusion import Manner, Order
from models.diffusion_schedulers import NAMED, OWN
from tools.base import Tool
from tools.drawing import Scheduler
from tools.errors import InvalidInput, Unavailable
from tools.registry import discover
from tools.values import Image, Mask

ORDER = Order("a dog", "", 0)
SQUARE = np.full((64, 64, 3), 200, np.uint8)
DOT = Image.from_pixels(SQUARE[:1, :1])
LONG = Image.from_pixels(np.full((2, 8000, 3), 90, np.uint8))
PHOTO = Image.from_pixels(SQUARE)
FULL = Mask(np.ones((64, 64), np.bool_))


@pytest.fixture(scope="module")
def tool(tiny: Path) -> Callable[[str], Tool[Any, Any]]:
    """A hand on a nine-channel network."""

    def load(name: str) -> Tool[Any, Any]:
        kind = discover()[name]
        held = {"ground": "owl", "segment": "sam"}
        made = kind({"steps": 2}, {part: str(tiny / held[part]) for part in kind.needs})
        made.load(str(tiny / "diffusion-unified"), "cpu", "auto")
        return made

    return load


def test_all_verbs_share_one_set_of_networks(tiny: Path) -> None:
    network = diffusion.Diffusion(
        diffusion.load(str(tiny / "diffusion-kl"), "cpu", "auto")._pipeline
    )
    manner = Manner(2, 1.5)
    network.draw([ORDER], manner=Manner(2, 1.5), size_wh=(64, 64))
    network.paint(ORDER, SQUARE, FULL.pixels, manner=manner)
    network.restyle(ORDER, SQUARE, manner=manner, strength=0.5)
    net = diffusion.load_control(str(tiny / "control"), "cpu", "auto")
    network.follow(ORDER, SQUARE, net=net, manner=manner, scale=1.0)
    first = network._pipeline
    assert len(network._others) == 3
    for other in network._others.values():
        for part in ("unet", "vae", "text_encoder", "tokenizer", "scheduler"):
            assert getattr(other, part) is getattr(first, part)


def test_hands_of_one_checkpoint_hold_the_same_network(
    tool: Callable[[str], Tool[Any, Any]],
) -> None:
    hands = [tool(name) for name in ("generate", "inpaint", "remove", "edit", "restyle", "layout")]
    assert len({id(hand._model) for hand in hands}) == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["diffusion-kl", "diffusion-tiny"])
def test_networks_that_take_turns_draw_the_same(name: str, tiny: Path) -> None:
    cpu = torch.device("cpu")
    whole, short = (diffusion_load.pipeline(str(tiny / name), "cpu", "auto") for _ in range(2))
    diffusion_load.settle(short, cpu, room=0)
    assert short.vae.use_tiling
    assert not whole.vae.use_tiling
    short.vae.disable_tiling()  # tiles are blended where they meet, which shows in small pictures
    assert short.unet._hf_hook.execution_device == torch.device("cpu", 0)
    first, second = (
        diffusion.Diffusion(pipeline).paint(ORDER, SQUARE, FULL.pixels, manner=Manner(2, 1.5))
        for pipeline in (whole, short)
    )
    assert np.array_equal(first, second)


def test_words_are_read_once(tiny: Path) -> None:
    network = diffusion.Diffusion(
        diffusion.load(str(tiny / "diffusion-tiny"), "cpu", "auto")._pipeline
    )
    read: list[int] = []
    tower = network._pipeline.text_encoder
    hook = tower.register_forward_hook(lambda *_: read.append(1))
    for seed in range(3):
        order = Order("a dog", "", seed)
        network.draw([order, order], manner=Manner(2, 1.5), size_wh=(64, 64))
    hook.remove()
    assert len(read) == 2, "the prompt and the empty one"


@pytest.mark.parametrize("name", ["diffusion-kl", "diffusion-unified", "diffusion-xl"])
def test_every_scheduler_draws_what_the_profile_does_not_name(name: str, tiny: Path) -> None:
    network = diffusion.load(str(tiny / name), "cpu", "auto")
    made = {
        scheduler: network.draw([ORDER], manner=Manner(4, 1.5, scheduler), size_wh=(64, 64))[0]
        for scheduler in get_args(Scheduler)
    }
    assert set(made) == {OWN, *NAMED}
    # without noise on the way, euler and ddim are one
    assert len({picture.tobytes() for picture in made.values()}) >= len(made) - 2
    own = network.draw([ORDER], manner=Manner(4, 1.5), size_wh=(64, 64))[0]
    assert np.array_equal(own, made["checkpoint"])


def test_an_autoencoder_that_overflows_in_half_precision_decodes_in_full(tiny: Path) -> None:
    pipeline = diffusion_load.pipeline(str(tiny / "diffusion-xl"), "cpu", "auto")
    with torch.no_grad():  # what the first decoding layer gives leaves the range of float16
        pipeline.vae.decoder.conv_in.weight.mul_(1e4)
    latents = torch.ones(1, 4, 8, 8)
    full = diffusion_pixels.decode(pipeline, latents)[0]
    pipeline.vae.half()
    half = diffusion_pixels.decode(pipeline, latents.half())[0]
    assert np.abs(full.astype(int) - half).max() <= 3
    assert half.std() > 0


@pytest.mark.parametrize(("threshold", "black"), [(-9.0, True), (9.0, False)])
def test_a_safety_checker_of_the_checkpoint_is_asked(
    threshold: float, black: bool, tiny: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny / "diffusion-kl", tmp_path / "sd"))
    small = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2}
    config = CLIPConfig(
        vision_config={**small, "num_hidden_layers": 1, "image_size": 32, "patch_size": 16},
        projection_dim=32,
    )
    checker: Any = safety_checker.StableDiffusionSafetyChecker(config)
    checker.concept_embeds_weights.data.fill_(threshold)
    pipeline = diffusion.load(str(tiny / "diffusion-kl"), "cpu", "auto")._pipeline
    square = {"height": 32, "width": 32}
    reader = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=square)
    parts = {**pipeline.components, "safety_checker": checker, "feature_extractor": reader}
    type(pipeline)(**parts).save_pretrained(folder)
    network = diffusion.load(str(folder), "cpu", "auto")
    (made,) = network.draw([ORDER], manner=Manner(2, 1.5), size_wh=(64, 64))
    assert (made == 0).all() == black


def test_numbers_that_overflow_end_the_run(tiny: Path) -> None:
    network = diffusion.Diffusion(
        diffusion.load(str(tiny / "diffusion-unified"), "cpu", "auto")._pipeline
    )
    bias = network._pipeline.unet.conv_out.bias
    kept = bias.detach().clone()
    with torch.no_grad():
        bias.fill_(float("nan"))
    with pytest.raises(Unavailable, match="numbers overflowed at step 1; take dtype float32"):
        network.draw([ORDER], manner=Manner(2, 1.5), size_wh=(64, 64))
    with torch.no_grad():
        bias.copy_(kept)
    assert network.draw([ORDER], manner=Manner(2, 1.5), size_wh=(64, 64))[0].std() > 0


def refuse(hand: Tool[Any, Any], arguments: dict[str, Any]) -> None:
    (answer,) = hand.run([hand.parse(arguments)])
    raise answer


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("generate", {"prompt": "dog " * 2500}, "at most 1000 characters"),
        ("generate", {"prompt": " "}, "at least 1 character"),
        ("generate", {"prompt": "a", "steps": 0}, "greater than or equal to 1"),
        ("generate", {"prompt": "a", "steps": 10**9}, "less than or equal to 150"),
        ("generate", {"prompt": "a", "guidance": float("nan")}, "guidance"),
        ("generate", {"prompt": "a", "width": 65}, "multiple of 8"),
        ("generate", {"prompt": "a", "width": 8000}, "less than or equal to 2048"),
        ("generate", {"prompt": "a", "seed": -1}, "seed"),
        ("inpaint", {"prompt": "a", "mask": FULL, "image": DOT}, "mask is 64x64, the picture 1x1"),
        ("inpaint", {"prompt": "a", "image": PHOTO}, "give either a mask or boxes"),
        ("inpaint", {"prompt": "a", "image": PHOTO, "boxes": [(0, 0, 65, 9)]}, "is not inside"),
        ("inpaint", {"prompt": "a", "image": PHOTO, "boxes": [(9, 9, 9, 9)]}, "is not inside"),
        ("remove", {"image": PHOTO, "mask": Mask(~FULL.pixels)}, "the mask is empty"),
        ("remove", {"image": PHOTO}, "give one of phrase, mask or boxes"),
        ("edit", {"image": PHOTO, "instruction": "x", "mask": Mask(~FULL.pixels)}, "empty"),
        ("layout", {"prompt": "a", "things": [{"phrase": "a", "box": (99, 0, 120, 9)}]}, "inside"),
        ("outpaint", {"prompt": "a", "image": PHOTO}, "say how far to go on"),
        ("outpaint", {"prompt": "a", "image": LONG, "top": 4096, "bottom": 4096}, "megapixels"),
        ("upscale", {"image": PHOTO, "factor": 99}, "less than or equal to 4"),
        ("restyle", {"image": PHOTO, "prompt": "a", "strength": float("nan")}, "strength"),
    ],
)
def test_bad_input_is_refused_in_words(
    name: str, arguments: dict[str, Any], says: str, tool: Callable[[str], Tool[Any, Any]]
) -> None:
    hand = tool(name)
    with pytest.raises(InvalidInput, match=says):
        refuse(hand, arguments)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("inpaint", {"prompt": "a", "image": PHOTO, "mask": FULL}),
        ("inpaint", {"prompt": "a", "image": DOT, "boxes": [(0, 0, 1, 1)]}),
        ("inpaint", {"prompt": "a", "image": LONG, "boxes": [(7999, 0, 8000, 2)]}),
        ("remove", {"image": DOT, "mask": Mask(FULL.pixels[:1, :1])}),
        ("edit", {"image": LONG, "instruction": "make it red"}),
        ("restyle", {"prompt": "a", "image": DOT}),
        ("upscale", {"image": DOT}),
        ("outpaint", {"prompt": "a", "image": DOT, "left": 1}),
    ],
)
def test_odd_pictures_keep_their_size_and_all_that_is_outside(
    name: str, arguments: dict[str, Any], tool: Callable[[str], Tool[Any, Any]]
) -> None:
    hand = tool(name)
    made: Any
    (made,) = hand.run([hand.parse(arguments)])
    given: Image = arguments["image"]
    width, height = {"upscale": (2, 2), "outpaint": (2, 1)}.get(name, given.size_wh)
    assert made.image.size_wh == (width, height)
    assert getattr(made, "outside_change", 0.0) == 0.0
