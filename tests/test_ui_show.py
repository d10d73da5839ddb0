"""What the command line prints, and the files it leaves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tools.values import Image, Mask, load_image
from ui.overlay import Named, boxes_over
from ui.pictures import out_folder, write_masks, write_picture
from ui.show import arguments, output_lines, summary

PICTURE = Image.from_pixels(np.full((32, 64, 3), 200, np.uint8))


@pytest.mark.parametrize(
    ("output", "says"),
    [
        ({"text": "a dog", "score": 0.8132}, "text a dog, score 0.81"),
        ({"images": ["f" * 64, "e" * 64], "seeds": [1, 2]}, "2 images"),
        ({"images": ["f" * 64], "seeds": [1]}, "1 image"),
        ({"boxes": []}, "0 boxes"),
        ({"matches": [{"path": "a.png", "score": 0.27, "image": "f" * 64}]}, "a.png 0.27"),
        ({"scores": [0.912]}, "score 0.91"),
        ({"image": "f" * 64, "outside_change": 0.0, "inside_change": 0.2, "moved": []}, "1 image"),
        ({"answer": "yes", "confidence": 1.0, "guess": "yes"}, "answer yes, confidence 1.00"),
        ({"answer": "unsure", "guess": "yes"}, "answer unsure, guess yes"),
        (
            {"boxes": [{"phrase": "dog", "box": [1.2, 2.0, 30.7, 4.0], "score": 0.9}]},
            "dog at 1, 2, 31, 4 0.90",
        ),
        ({"answer": "x" * 99}, f"answer {'x' * 59}…"),
        (None, ""),
    ],
)
def test_the_output_of_a_call_fits_on_a_line(output: dict[str, object] | None, says: str) -> None:
    assert summary(output) == says


def test_pictures_are_named_by_their_files_and_words_by_their_fields() -> None:
    lines = output_lines({"images": ["f" * 64], "seeds": [7]}, ["out/img1.png"])
    assert lines == ["[bold green]out/img1.png[/]", "seeds: [7]"]
    assert output_lines({"boxes": []}) == ["boxes: none"]
    assert output_lines({"text": "long " * 40}) == [f"text: {'long ' * 40}"]
    assert output_lines({"text": "[b]a dog[/b]"}) == [r"text: \[b]a dog\[/b]"]


def test_arguments_are_shown_as_they_would_be_written() -> None:
    shown = arguments({"prompt": "a dog", "n": 4, "image": "@c1.images[0]", "labels": ["a", "b"]})
    assert shown == 'prompt="a dog", n=4, image=@c1.images[0], labels=["a", "b"]'
    things = [{"phrase": "a cat", "box": [0.0, 48.0, 64.0, 112.0]}] * 2
    assert arguments({"things": things}) == (
        "things=(a cat at 0, 48, 64, 112; a cat at 0, 48, 64, 112)"
    )


def test_each_command_gets_a_folder_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first = out_folder(None, "Two dogs/../and a RED cat, please, now & here!")
    assert first == Path("sightloop-out/two-dogs-and-a-red-cat")
    assert out_folder(None, "two dogs and a red cat").name == "two-dogs-and-a-red-cat-2"
    assert out_folder(None, "絵").name == "pictures"
    assert out_folder(Path("mine/deep"), "x") == Path("mine/deep")


def test_a_picture_that_cannot_be_written_leaves_no_part_of_itself(
    tmp_path: Path,
) -> None:
    (tmp_path / "img1.png").mkdir()
    with pytest.raises(OSError, match="img1"):
        write_picture(PICTURE, tmp_path / "img1.png")
    assert [path.name for path in tmp_path.iterdir()] == ["img1.png"]


def test_boxes_are_drawn_where_they_are_on_an_enlarged_picture() -> None:
    drawn = boxes_over(PICTURE, [Named("dog", (8, 16, 24, 30)), Named("cat", (60, 0, 64, 4))])
    assert drawn.size_wh == (512, 256)
    changed = (drawn.pixels != 200).any(axis=2)
    assert changed[16 * 8, 8 * 8 + 60]
    assert not changed[20 * 8, 16 * 8]
    assert changed[:, 500:].any()


def test_a_large_picture_keeps_its_size() -> None:
    large = Image.from_pixels(np.zeros((600, 700, 3), np.uint8))
    assert boxes_over(large, []) == large


def test_masks_are_said_in_words_and_kept_as_pictures(tmp_path: Path) -> None:
    inside = np.zeros((32, 64), np.bool_)
    inside[:16, :16] = True  # an eighth
    output = {"masks": [Mask(inside).rle()], "mask": Mask(~inside).rle(), "scores": [0.9]}
    assert "mask, 12% of the picture" in summary(output)
    assert "mask: mask, 88% of the picture" in output_lines(output)
    assert not any("counts" in line for line in output_lines(output))
    files = write_masks(output, tmp_path, "mask")
    assert [Path(file).name for file in files] == ["mask1.png", "mask2.png"]
    first = load_image(Path(files[0])).image.pixels
    assert ((first == 255).all(-1) == inside).all()
