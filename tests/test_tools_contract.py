"""The contract of tools, held against every registered one with untrained public classes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PIL
from PIL import ImageDraw, ImageFont

from models.weights import PACKAGE
from tools.base import Record, Tool
from tools.cache import pictures_in
from tools.errors import InvalidInput, ToolError, Unavailable
from tools.registry import discover
from tools.values import Image

RNG = np.random.default_rng(5)
NOISE, WIDE, SLIVER = (
    Image.from_pixels(RNG.integers(0, 255, shape, dtype=np.uint8))
    for shape in ((40, 40, 3), (24, 70, 3), (1, 90, 3))
)
LETTERS = PIL.new("RGB", (120, 40), "white")
ImageDraw.Draw(LETTERS).text((10, 6), "Exit 24", "black", ImageFont.load_default(24))

# tool, checkpoints, requests that work, arguments that types refuse
CASES: dict[str, tuple[list[str], list[dict[str, Any]], dict[str, Any]]] = {
    "generate": (
        ["diffusion-kl", "diffusion-tiny", "diffusion-xl"],
        [
            {"prompt": "a red apple", "n": 2, "seed": 3, "steps": 3},
            {"prompt": "two cats", "negative_prompt": "dog", "steps": 2, "guidance": 1.0},
            {"prompt": "a dog " * 40, "width": 96, "height": 64, "steps": 2},
        ],
        {"prompt": "a dog", "n": 17},
    ),
    "caption": (
        ["blip"],
        [{"image": NOISE}, {"image": WIDE, "box": [3, 4, 60.5, 20]}, {"image": SLIVER}],
        {"image": "img1"},
    ),
    "vqa": (
        ["blip", "blip-vqa"],
        [
            {"image": NOISE, "question": "is there a dog?"},
            {"image": WIDE, "question": "how many cats are there?"},
            {"image": SLIVER, "question": "what color is the apple " * 30},
        ],
        {"image": NOISE, "question": "  "},
    ),
    "ground": (
        ["owl"],
        [
            {"image": NOISE, "phrases": ["dog"], "threshold": 0.0},
            {"image": WIDE, "phrases": ["red apple", "cat", "dog"], "threshold": 0.2},
            {"image": SLIVER, "phrases": ["a very long phrase about a dog " * 9]},
        ],
        {"image": NOISE, "phrases": []},
    ),
    "segment": (
        ["sam"],
        [
            {"image": NOISE, "boxes": [[0, 0, 40, 40], [3, 4, 9, 20.5]]},
            {"image": WIDE, "points": [[69, 1], [2, 2]], "labels": [1, 0]},
            {"image": SLIVER, "everything": True},
        ],
        {"image": NOISE, "boxes": []},
    ),
    "ocr": (
        ["package:rapidocr"],
        [{"image": NOISE}, {"image": Image.from_pil(LETTERS)}],
        {"image": "img1"},
    ),
    "edges": (
        ["package:opencv-python-headless"],
        [{"image": NOISE}, {"image": WIDE, "low": 0, "high": 1}, {"image": SLIVER}],
        {"image": NOISE, "low": -1},
    ),
    "depth": (["depth"], [{"image": NOISE}, {"image": WIDE}], {"image": 3}),
    "pose": (
        ["pose"],
        [{"image": NOISE, "boxes": [[0, 0, 40, 40]]}, {"image": WIDE}],
        {"image": NOISE, "boxes": []},
    ),
    "score": (
        ["clip", "reward"],
        [
            {"image": NOISE, "text": "a dog"},
            {"image": WIDE, "text": "a red apple to the left of a cat " * 9},
            {"image": SLIVER, "text": "ünïcødé 🍎"},
        ],
        {"image": NOISE, "text": "a dog", "threshold": 0.5},
    ),
    "classify": (
        ["clip"],
        [
            {"image": NOISE, "labels": ["dog", "cat"]},
            {"image": WIDE, "labels": ["apple", "dog", "the cat"], "box": [0, 0, 70, 1]},
            {"image": SLIVER, "labels": ["dog", "cat"]},
        ],
        {"image": NOISE, "labels": ["dog"]},
    ),
    "layout": (
        ["diffusion-unified", "diffusion-gligen"],
        [
            {"prompt": "a dog", "things": [{"phrase": "dog", "box": [4, 4, 40, 40]}], "steps": 2},
            {
                "prompt": "a dog, a cat",
                "n": 2,
                "things": [
                    {"phrase": "dog", "box": [0, 0, 32, 64]},
                    {"phrase": "cat", "box": [32, 0, 99, 64]},
                ],
                "steps": 2,
                "guidance": 1.0,
            },
        ],
        {"prompt": "a dog", "things": []},
    ),
    "inpaint": (
        ["diffusion-kl", "diffusion-unified", "diffusion-inpaint", "diffusion-xl"],
        [
            {"image": NOISE, "prompt": "a dog", "boxes": [[3, 3, 20, 30]], "steps": 2},
            {"image": WIDE, "prompt": "a cat", "boxes": [[0, 0, 70, 24]], "steps": 2},
            {"image": SLIVER, "prompt": "a dog", "boxes": [[80, 0, 81, 1]], "steps": 2},
        ],
        {"image": NOISE, "prompt": "a dog", "steps": 151},
    ),
    "remove": (
        ["diffusion-kl", "diffusion-unified", "diffusion-xl"],
        [
            {"image": NOISE, "boxes": [[3, 3, 20, 30]], "steps": 2},
            {"image": NOISE, "phrase": "dog", "steps": 2},
        ],
        {"image": NOISE, "boxes": [[1, 2, 3]]},
    ),
    "replace": (
        ["diffusion-inpaint"],
        [{"image": NOISE, "phrase": "dog", "prompt": "a cat", "steps": 2}],
        {"image": NOISE, "phrase": "dog"},
    ),
    "outpaint": (
        ["diffusion-kl", "diffusion-unified", "diffusion-xl"],
        [
            {"image": NOISE, "prompt": "a dog", "right": 9, "top": 3, "steps": 2},
            {"image": SLIVER, "prompt": "a dog", "bottom": 40, "steps": 2},
        ],
        {"image": NOISE, "prompt": "a dog", "left": -1},
    ),
    "restyle": (
        ["diffusion-kl", "diffusion-unified", "diffusion-xl"],
        [
            {"image": NOISE, "prompt": "a dog", "steps": 2},
            {"image": WIDE, "prompt": "a dog", "strength": 0.05, "steps": 1},
        ],
        {"image": NOISE, "prompt": "a dog", "strength": 0},
    ),
    "edit": (
        ["diffusion-unified", "diffusion-instruct"],
        [
            {"image": NOISE, "instruction": "make the dog red", "steps": 2},
            {"image": WIDE, "instruction": "add a cat", "steps": 2},
        ],
        {"image": NOISE, "instruction": " "},
    ),
    "control": (
        ["diffusion-kl"],
        [
            {"prompt": "a dog", "kind": "edges", "condition": NOISE, "n": 2, "steps": 2},
            {"prompt": "a dog", "kind": "pose", "condition": WIDE, "steps": 2},
        ],
        {"prompt": "a dog", "kind": "sound", "condition": NOISE},
    ),
    "customize": (
        ["diffusion-tiny"],
        [{"images": [NOISE, WIDE], "name": "zorp", "steps": 2}],
        {"images": [], "name": "zorp"},
    ),
    "upscale": (
        ["diffusion-kl", "diffusion-unified"],
        [{"image": NOISE}, {"image": SLIVER, "factor": 3}],
        {"image": NOISE, "factor": 9},
    ),
}
PARTS = {
    "ground": "owl",
    "segment": "sam",
    **dict.fromkeys(("edges", "segmentation", "depth", "pose"), "control"),
}
LOADS = [(name, checkpoint) for name, case in CASES.items() for checkpoint in case[0]]


@pytest.fixture(scope="module")
def loaded(tiny: Path) -> Callable[..., Tool[Any, Any]]:
    def load(name: str, checkpoint: str, dtype: str = "auto") -> Tool[Any, Any]:
        kind = discover()[name]
        parts = {part: str(tiny / PARTS[part]) for part in kind.needs}
        # an untrained detector is sure of nothing
        tool = kind({"threshold": 0.0} if "ground" in parts else {}, parts)
        packaged = checkpoint.startswith(PACKAGE)
        tool.load(checkpoint if packaged else str(tiny / checkpoint), "cpu", dtype)
        return tool

    return load


def close(first: Record | ToolError, second: Record | ToolError) -> bool:
    """Equal, but for what the last bits of float kernels do: 1 of 255, 1e-4 of a share."""
    if isinstance(first, ToolError) or isinstance(second, ToolError):
        return str(first) == str(second)
    one, other = list(pictures_in(first)), list(pictures_in(second))
    if one:
        return len(one) == len(other) and all(
            a.size_wh == b.size_wh
            and np.abs(a.pixels.astype(int) - b.pixels.astype(int)).max() <= 1
            for a, b in zip(one, other, strict=True)
        )
    return numbers(first) == pytest.approx(numbers(second), abs=1.01e-4) and words(first) == words(
        second
    )


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for key in sorted(value) for leaf in leaves(value[key])]
    if isinstance(value, list | tuple):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


def numbers(record: Record) -> list[float]:
    return [leaf for leaf in leaves(record.model_dump()) if isinstance(leaf, float)]


def words(record: Record) -> list[str]:
    return [leaf for leaf in leaves(record.model_dump()) if isinstance(leaf, str)]


def test_every_tool_has_a_case_here() -> None:
    own = {"retrieve"}  # works on an index: tests/test_tools_retrieve.py
    assert set(CASES) | own == set(discover())


@pytest.mark.parametrize("name", CASES)
def test_a_tool_describes_itself_to_the_planner(name: str) -> None:
    tool = discover()[name]()
    assert tool.name == name
    assert 10 < len(tool.description) < 100
    assert tool.description.endswith(".")
    schema = tool.input.model_json_schema()
    assert schema["additionalProperties"] is False
    for field, described in schema["properties"].items():
        assert described.get("description"), f"{name}.{field} has no description"
    assert tool.output.model_json_schema()["properties"]


@pytest.mark.parametrize(("name", "checkpoint"), LOADS)
def test_a_batch_gives_what_its_items_give_alone(
    name: str, checkpoint: str, loaded: Callable[..., Tool[Any, Any]]
) -> None:
    tool = loaded(name, checkpoint)
    requests = [tool.parse(arguments) for arguments in CASES[name][1]]
    before = [request.model_dump_json() for request in requests]
    batch = tool.run(requests)
    assert [request.model_dump_json() for request in requests] == before
    assert all(isinstance(result, tool.output) for result in batch), batch
    for request, result in zip(requests, batch, strict=True):
        (alone,) = tool.run([request])
        assert close(result, alone), (result, alone)
    assert tool.run(requests) == batch, "the same call gives the same bytes"
    assert tool.run([]) == []


@pytest.mark.parametrize(
    "name", [name for name, case in CASES.items() if PACKAGE not in case[0][0]]
)
def test_a_tool_runs_in_half_precision(name: str, loaded: Callable[..., Tool[Any, Any]]) -> None:
    tool = loaded(name, CASES[name][0][0], "bfloat16")
    (made,) = tool.run([tool.parse(CASES[name][1][0])])
    assert isinstance(made, tool.output), made


@pytest.mark.parametrize("name", CASES)
def test_what_types_refuse_is_said_in_one_line(name: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{name}: .*arguments: ") as caught:
        discover()[name]().parse(CASES[name][2])
    assert "\n" not in str(caught.value)


def test_a_bad_item_spoils_only_itself(loaded: Callable[..., Tool[Any, Any]]) -> None:
    tool = loaded("classify", "clip")
    good = {"image": NOISE, "labels": ["dog", "cat"]}
    asked = [good, {**good, "labels": ["dog", "dog"]}, {**good, "box": [0, 0, 41, 9]}, good]
    results = tool.run([tool.parse(one) for one in asked])
    assert isinstance(results[1], InvalidInput)
    assert str(results[1]) == "labels must differ; 'dog' is there more than once"
    assert "box (0.0, 0.0, 41.0, 9.0) is not inside the picture of 40x40" in str(results[2])
    assert results[0] == results[3] == tool.run([tool.parse(good)])[0]


def test_generate_reports_each_step_and_shows_previews(
    loaded: Callable[..., Tool[Any, Any]],
) -> None:
    tool = loaded("generate", "diffusion-tiny")
    seen: list[tuple[int, int, Image | None]] = []
    tool.run(
        [
            tool.parse({"prompt": "a dog", "steps": 10}),
            tool.parse({"prompt": "a cat", "steps": 5, "n": 2}),
        ],
        lambda *report: seen.append(report),
    )
    assert [step for step, _, _ in seen] == list(range(1, 21))
    assert {total for _, total, _ in seen} == {20}
    previews = [preview for _, _, preview in seen if preview is not None]
    assert 4 <= len(previews) <= 12
    assert {preview.size_wh for preview in previews} == {(64, 64)}


def test_what_progress_raises_ends_the_run(loaded: Callable[..., Tool[Any, Any]]) -> None:
    tool = loaded("generate", "diffusion-tiny")

    def stop(step: int, total: int, preview: Image | None) -> None:
        if step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tool.run([tool.parse({"prompt": "a dog", "steps": 10})], stop)


def draws(tool: Tool[Any, Any], *arguments: dict[str, Any]) -> list[Any]:
    """The answer to each call, made by itself."""
    return [tool.run([tool.parse(one)])[0] for one in arguments]


def test_picture_i_is_drawn_from_seed_plus_i(
    loaded: Callable[..., Tool[Any, Any]],
) -> None:
    tool = loaded("generate", "diffusion-tiny")
    three, last = draws(
        tool,
        {"prompt": "a dog", "n": 3, "seed": 7, "steps": 3},
        {"prompt": "a dog", "seed": 9, "steps": 3},
    )
    assert three.seeds == (7, 8, 9)
    assert three.images[2] == last.images[0]
    assert three.images[0] != three.images[1]


@pytest.mark.parametrize(
    ("name", "checkpoint", "says"),
    [
        ("caption", "clip", "is a CLIPModel; this tool needs BlipForConditionalGeneration or"),
        (
            "generate",
            "owl",
            "is a Owlv2ForObjectDetection; this tool needs StableDiffusionPipeline",
        ),
        ("score", "nowhere", "is missing"),
        ("score", "blip", "this tool needs CLIPModel or BlipForImageTextRetrieval"),
    ],
)
def test_a_checkpoint_that_does_not_fit_makes_a_tool_unavailable(
    name: str, checkpoint: str, says: str, tiny: Path
) -> None:
    with pytest.raises(Unavailable, match=says):
        discover()[name]().load(str(tiny / checkpoint), "cpu", "auto")


def test_a_vqa_checkpoint_writes_no_captions(
    loaded: Callable[..., Tool[Any, Any]],
) -> None:
    tool = loaded("caption", "blip-vqa")
    with pytest.raises(Unavailable, match="answers questions and writes no captions"):
        tool.run([tool.parse({"image": NOISE})])


def test_unknown_options_of_a_profile_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"treshold: Extra inputs.*: threshold, overlap"):
        discover()["ground"]({"treshold": 0.2})
