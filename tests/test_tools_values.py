"""Values: pictures and masks keep what they are given, and every file comes in by one door."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PIL

from tools.base import Record
from tools.errors import InvalidInput
from tools.values import Image, Mask, load_image

GRADIENT = np.linspace(0, 255, 12 * 16 * 3).astype(np.uint8).reshape(12, 16, 3)


class Picture(Record):
    image: Image


class Region(Record):
    mask: Mask


def encoded(picture: PIL.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format=kind, **options)
    return buffer.getvalue()


def test_an_image_is_its_own_copy_and_cannot_be_changed() -> None:
    pixels = GRADIENT.copy()
    image = Image.from_pixels(pixels)
    pixels[:] = 0
    assert np.array_equal(image.pixels, GRADIENT)
    with pytest.raises(ValueError, match="read-only"):
        image.pixels[0, 0, 0] = 1
    with pytest.raises(AttributeError, match="immutable"):
        image.pixels = pixels


def test_the_id_names_the_pixels_and_their_shape() -> None:
    image = Image.from_pixels(GRADIENT)
    assert len(image.id) == 64
    assert image.id == Image.from_pixels(GRADIENT.copy()).id
    assert image.id != Image.from_pixels(GRADIENT.reshape(16, 12, 3)).id
    assert image == pickle.loads(pickle.dumps(image))  # noqa: S301 - as processes hand it over
    assert not pickle.loads(pickle.dumps(image)).pixels.flags.writeable  # noqa: S301


@pytest.mark.parametrize(
    "pixels",
    [GRADIENT.astype(np.float32), GRADIENT[..., :2], GRADIENT[:0], GRADIENT[..., 0]],
)
def test_an_image_refuses_other_arrays(pixels: np.ndarray) -> None:
    with pytest.raises(InvalidInput, match="picture"):
        Image.from_pixels(pixels)


def test_an_image_in_a_record_is_its_id_in_json_and_comes_back_by_it() -> None:
    image = Image.from_pixels(GRADIENT)
    text = Picture(image=image).model_dump_json()
    assert json.loads(text) == {"image": image.id}
    known = {image.id: image}
    assert Picture.model_validate_json(text, context={"pictures": known.__getitem__}).image == image
    with pytest.raises(ValueError, match="should be a picture, not str"):
        Picture.model_validate_json(text)
    assert Picture.model_json_schema()["properties"]["image"]["format"] == "image"


def test_a_png_keeps_every_pixel() -> None:
    image = Image.from_pixels(GRADIENT)
    assert load_image(image.png()).image == image
    assert image.png() == Image.from_pixels(GRADIENT).png()


def test_a_crop_is_cut_at_the_border_and_must_have_an_area() -> None:
    image = Image.from_pixels(GRADIENT)
    assert image.crop((3.2, -5, 99, 4.1)).size_wh == (13, 5)
    with pytest.raises(InvalidInput, match="not inside the picture of 16x12"):
        image.crop((20, 0, 30, 5))


@pytest.mark.parametrize("fill", ["noise", "none", "all", "first", "columns"])
def test_a_mask_survives_run_length_encoding(fill: str) -> None:
    pixels = np.zeros((37, 53), np.bool_)
    if fill == "noise":
        pixels = np.random.default_rng(0).random((37, 53)) > 0.5
    elif fill == "all":
        pixels[:] = True
    elif fill == "first":
        pixels[0, 0] = True
    elif fill == "columns":
        pixels[:, 10:40] = True
    mask = Mask(pixels)
    assert Mask.from_rle(json.loads(json.dumps(mask.rle()))) == mask
    assert Region.model_validate_json(Region(mask=mask).model_dump_json()).mask == mask


def test_run_lengths_are_those_of_coco() -> None:
    pixels = np.zeros((4, 5), np.bool_)
    pixels[1:3, 1:4] = True
    # runs 5 2 2 2 2 2 5, from the third on each less the one two before
    assert Mask(pixels).rle() == {"size": [4, 5], "counts": "522000" + "3"}


@pytest.mark.parametrize("counts", ["52", "é", "5", ""])
def test_damaged_run_lengths_are_refused(counts: str) -> None:
    with pytest.raises(InvalidInput, match="a mask is"):
        Mask.from_rle({"size": [4, 5], "counts": counts})


def cmyk() -> bytes:
    return encoded(PIL.fromarray(GRADIENT).convert("CMYK"), "JPEG")


def sixteen_bit_gray() -> bytes:
    return encoded(PIL.fromarray(np.full((12, 16), 40000, np.uint16)), "PNG")


def sixteen_bit_colour() -> bytes:
    """A PNG of 16 bits a channel, which Pillow reads but does not write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    row = b"\0" + struct.pack(">3H", 0x80FF, 0, 0xFFFF) * 16
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 12, 16, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(row * 12))
        + chunk(b"IEND", b"")
    )


def see_through() -> bytes:
    pixels = np.dstack([GRADIENT, np.full((12, 16), 0, np.uint8)])
    return encoded(PIL.fromarray(pixels), "PNG")


def palette_with_hole() -> bytes:
    picture = PIL.new("P", (16, 12), 1)
    picture.putpalette([0, 0, 0, 9, 9, 9])
    return encoded(picture, "PNG", transparency=1)


def opaque_alpha() -> bytes:
    return encoded(PIL.fromarray(GRADIENT).convert("RGBA"), "PNG")


def animation(kind: str) -> Callable[[], bytes]:
    def make() -> bytes:
        frames = [PIL.new("RGB", (16, 12), colour) for colour in ("red", "green", "blue")]
        more = {"lossless": True} if kind == "WEBP" else {}
        return encoded(frames[0], kind, save_all=True, append_images=frames[1:], **more)

    return make


def sideways() -> bytes:
    exif = PIL.Exif()
    exif[0x0112] = 6
    return encoded(PIL.fromarray(GRADIENT), "PNG", exif=exif.tobytes())


def plain(kind: str) -> Callable[[], bytes]:
    return lambda: encoded(PIL.fromarray(GRADIENT), kind)


@pytest.mark.parametrize(
    ("make", "notes", "corner"),
    [
        (plain("PNG"), (), (0, 0, 0)),
        (plain("BMP"), (), (0, 0, 0)),
        (plain("TIFF"), (), (0, 0, 0)),
        (lambda: encoded(PIL.fromarray(GRADIENT[..., 0]), "PNG"), (), (0, 0, 0)),
        (lambda: encoded(PIL.new("1", (16, 12), 1), "PNG"), (), (255, 255, 255)),
        (cmyk, ("CMYK converted to RGB",), None),
        (sixteen_bit_gray, ("16 bits a channel reduced to 8",), (156, 156, 156)),
        (sixteen_bit_colour, ("16 bits a channel reduced to 8",), (128, 0, 255)),
        (see_through, ("transparent parts laid over white",), (255, 255, 255)),
        (palette_with_hole, ("transparent parts laid over white",), (255, 255, 255)),
        (opaque_alpha, (), (0, 0, 0)),
        (animation("GIF"), ("first of 3 frames taken",), (255, 0, 0)),
        (animation("WEBP"), ("first of 3 frames taken",), (255, 0, 0)),
        (animation("PNG"), ("first of 3 frames taken",), (255, 0, 0)),
        (animation("TIFF"), ("first of 3 frames taken",), (255, 0, 0)),
        (sideways, ("turned upright as its EXIF orientation says",), None),
    ],
)
def test_pictures_of_all_kinds_come_in_with_a_line_on_what_was_changed(
    make: Callable[[], bytes], notes: tuple[str, ...], corner: tuple[int, int, int] | None
) -> None:
    loaded = load_image(make())
    assert loaded.notes == notes
    assert loaded.image.size_wh == ((12, 16) if make is sideways else (16, 12))
    if corner is not None:
        assert tuple(loaded.image.pixels[0, 0]) == corner


def test_a_wrong_extension_is_read_by_content_and_said(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(encoded(PIL.fromarray(GRADIENT), "JPEG"))
    assert load_image(path).notes == ("named .png but read as JPEG by its content",)
    right = tmp_path / "photo.JPG"
    right.write_bytes(path.read_bytes())
    assert load_image(right).notes == ()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
def test_a_truncated_picture_is_refused(kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    whole = encoded(PIL.fromarray(noise), kind)
    for length in (len(whole) // 2, 20):
        with pytest.raises(InvalidInput, match=r"truncated|not a picture"):
            load_image(whole[:length])


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b"a red apple", "not a picture that can be read; allowed are PNG, JPEG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture that can be read"),
        (encoded(PIL.new("1", (9000, 8000)), "PNG"), "9000x8000, 72 MP; at most 64 megapixels"),
        (encoded(PIL.new("1", (20000, 20000)), "PNG"), "far too large"),
        (encoded(PIL.new("F", (4, 4)), "TIFF"), "32 bits a sample"),
        (encoded(PIL.new("RGB", (4, 4)), "ICO"), "not a picture that can be read"),
    ],
)
def test_what_is_no_fit_picture_is_refused_with_a_reason(data: bytes, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        load_image(data)


def test_a_path_that_leads_nowhere_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"there is no file .*gone\.png"):
        load_image(tmp_path / "gone.png")
    with pytest.raises(InvalidInput, match="is a folder"):
        load_image(tmp_path)
    large = tmp_path / "large.png"
    with large.open("wb") as file:
        file.truncate(65 * 2**20)
    with pytest.raises(InvalidInput, match=r"65\.0 MiB; at most 64 MiB"):
        load_image(large)
