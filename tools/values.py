"""Values: pictures, masks, boxes; what tools hand to each other, and how a picture comes in."""

from __future__ import annotations

import hashlib
import io
import struct
import warnings
import zlib
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PIL
from PIL import ImageOps, UnidentifiedImageError
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from tools import rle
from tools.errors import InvalidInput

Pixels = NDArray[np.uint8]
Box = tuple[float, float, float, float]  # x0, y0, x1, y1 in pixels; x1, y1 excluded

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
MAX_PIXELS = 64_000_000
MAX_BYTES = 64 * 2**20
_ORIENTATION = 0x0112  # the EXIF tag; 2 to 8 are mirrored or turned
_EXTENSIONS = {
    ".png": "PNG",
    ".apng": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".gif": "GIF",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}


class Image:
    """An immutable picture.

    As a pydantic field it accepts an Image and dumps to its id in JSON. A validation context
    `{"pictures": lookup}`, with `lookup(id) -> Image`, lets JSON be read back.

    Attributes:
        pixels: RGB, uint8, (H, W, 3), 0..255, read-only.
    """

    pixels: Pixels

    def __init__(self, pixels: Pixels) -> None:
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise InvalidInput(
                f"a picture is uint8 of shape (H, W, 3); got {pixels.dtype} of shape {pixels.shape}"
            )
        if 0 in pixels.shape:
            raise InvalidInput(f"a picture has at least one pixel; got shape {pixels.shape}")
        own = np.array(pixels, dtype=np.uint8, order="C", copy=True)
        own.setflags(write=False)
        object.__setattr__(self, "pixels", own)

    @classmethod
    def from_pixels(cls, array: Pixels) -> Image:
        """Copy RGB, uint8, (H, W, 3), 0..255.

        Raises:
            InvalidInput: another dtype or shape, or no pixels.
        """
        return cls(array)

    @classmethod
    def from_pil(cls, picture: PIL.Image) -> Image:
        """Copy a Pillow picture of any mode, transparent parts laid over white."""
        return cls(np.asarray(_to_rgb(picture)[0], dtype=np.uint8))

    def to_pil(self) -> PIL.Image:
        """A Pillow picture in mode RGB, a copy."""
        return PIL.fromarray(self.pixels)

    def png(self) -> bytes:
        """The picture as a PNG file without metadata; the same pixels give the same bytes."""
        buffer = io.BytesIO()
        self.to_pil().save(buffer, format="PNG", compress_level=6)
        return buffer.getvalue()

    @cached_property
    def id(self) -> str:
        """Hex SHA-256 of shape and bytes, 64 characters."""
        digest = hashlib.sha256(repr(self.pixels.shape).encode())
        digest.update(self.pixels.data)
        return digest.hexdigest()

    @property
    def width(self) -> int:
        """Pixels from left to right."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return int(self.pixels.shape[0])

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.width, self.height

    def crop(self, box: Box) -> Image:
        """The part inside a box, rounded outwards to whole pixels and cut at the border.

        Raises:
            InvalidInput: the box has no area inside the picture.
        """
        x0, y0 = max(0, int(np.floor(box[0]))), max(0, int(np.floor(box[1])))
        x1, y1 = min(self.width, int(np.ceil(box[2]))), min(self.height, int(np.ceil(box[3])))
        if x0 >= x1 or y0 >= y1:
            raise InvalidInput(f"box {box} is not inside the picture of {self.width}x{self.height}")
        return Image(self.pixels[y0:y1, x0:x1])

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"an Image is immutable; {name!r} cannot be set")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Image) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"Image({self.width}x{self.height}, {self.id[:8]})"

    def __reduce__(self) -> tuple[type[Image], tuple[Pixels]]:
        return Image, (self.pixels,)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            _validate_image,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda image: image.id, when_used="json"
            ),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "format": "image"}


def _validate_image(value: object, info: core_schema.ValidationInfo) -> Image:
    if isinstance(value, Image):
        return value
    lookup: Callable[[str], Image] | None = (info.context or {}).get("pictures")
    if isinstance(value, str) and lookup is not None:
        return lookup(value)
    raise PydanticCustomError(
        "image", "Input should be a picture, not {kind}", {"kind": type(value).__name__}
    )


class Mask:
    """An immutable region of a picture.

    In JSON it is COCO run-length encoding: `{"size": [H, W], "counts": "..."}`.

    Attributes:
        pixels: bool, (H, W), true inside, read-only.
    """

    pixels: NDArray[np.bool_]

    def __init__(self, pixels: NDArray[np.bool_]) -> None:
        if pixels.dtype != np.bool_ or pixels.ndim != 2 or 0 in pixels.shape:
            raise InvalidInput(
                f"a mask is bool of shape (H, W); got {pixels.dtype} of shape {pixels.shape}"
            )
        own = np.array(pixels, dtype=np.bool_, order="C", copy=True)
        own.setflags(write=False)
        object.__setattr__(self, "pixels", own)

    def rle(self) -> dict[str, Any]:
        """COCO run-length encoding, compressed: `{"size": [H, W], "counts": str}`."""
        return {"size": list(self.pixels.shape), "counts": rle.encode(self.pixels)}

    @classmethod
    def from_rle(cls, value: dict[str, Any]) -> Mask:
        """Read what `rle` wrote.

        Raises:
            InvalidInput: the text is damaged or does not fill the size.
        """
        try:
            height, width = (int(side) for side in value["size"])
            return cls(rle.decode(str(value["counts"]), (height, width)))
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInput(f"a mask is {{size: [H, W], counts: text}}: {error}") from error

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return int(self.pixels.shape[1]), int(self.pixels.shape[0])

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Mask is immutable; {name!r} cannot be set")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mask) and np.array_equal(self.pixels, other.pixels)

    def __hash__(self) -> int:
        return hash((self.pixels.shape, self.pixels.tobytes()))

    def __repr__(self) -> str:
        return f"Mask({self.pixels.shape[1]}x{self.pixels.shape[0]}, {int(self.pixels.sum())} px)"

    def __reduce__(self) -> tuple[type[Mask], tuple[NDArray[np.bool_]]]:
        return Mask, (self.pixels,)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            _validate_mask,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda mask: mask.rle(), when_used="json"
            ),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {
            "type": "object",
            "properties": {
                "size": {"type": "array", "items": {"type": "integer"}},
                "counts": {"type": "string"},
            },
            "required": ["size", "counts"],
        }


def _validate_mask(value: object) -> Mask:
    if isinstance(value, Mask):
        return value
    if isinstance(value, dict):
        try:
            return Mask.from_rle(value)
        except InvalidInput as error:
            raise PydanticCustomError("mask", "{why}", {"why": str(error)}) from error
    raise PydanticCustomError(
        "mask", "Input should be a mask, not {kind}", {"kind": type(value).__name__}
    )


class Loaded(NamedTuple):
    """A picture that came in, and one line for each thing that was changed on the way."""

    image: Image
    notes: tuple[str, ...]


def load_image(source: Path | bytes) -> Loaded:
    """Read a picture file: format by content, EXIF orientation applied, metadata dropped.

    Args:
        source: a path or the bytes of a PNG, JPEG, WEBP, GIF, BMP or TIFF file of at most
            64 MiB and 64 million pixels.

    Raises:
        InvalidInput: it is missing, empty, truncated, too large or of another kind.
    """
    name = f"{str(source)!r}" if isinstance(source, Path) else "the picture"
    data = _read(source, name) if isinstance(source, Path) else source
    if not data:
        raise InvalidInput(f"{name} is empty (0 bytes); give a picture file")
    if len(data) > MAX_BYTES:
        raise InvalidInput(_too_many_bytes(name, len(data)))
    picture = _open(data, name)
    notes = []
    kind = picture.format or ""
    suffix = source.suffix if isinstance(source, Path) else ""
    if suffix and _EXTENSIONS.get(suffix.lower()) != ("JPEG" if kind == "MPO" else kind):
        notes.append(f"named {suffix} but read as {kind} by its content")
    if (frames := int(getattr(picture, "n_frames", 1))) > 1:
        notes.append(f"first of {frames} frames taken")
    deep = _is_deep(picture)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # damage that matters is raised
            picture.load()
            turned = picture.getexif().get(_ORIENTATION, 1) in range(2, 9)
            upright = ImageOps.exif_transpose(picture)
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error) as error:
        raise InvalidInput(
            f"{name} is a damaged or truncated {kind} ({error}); give a whole file"
        ) from error
    if turned:
        notes.append("turned upright as its EXIF orientation says")
    if deep:
        notes.append("16 bits a channel reduced to 8")
    try:
        plain, more = _to_rgb(upright)
    except InvalidInput as error:
        raise InvalidInput(f"{name}: {error}") from error
    return Loaded(Image(np.asarray(plain, dtype=np.uint8)), (*notes, *more))


def _read(path: Path, name: str) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise InvalidInput(_too_many_bytes(name, size))
        return path.read_bytes()
    except FileNotFoundError as error:
        raise InvalidInput(f"there is no file {name}; give the path of a picture") from error
    except IsADirectoryError as error:
        raise InvalidInput(f"{name} is a folder; give the path of one picture") from error
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{name} cannot be read: {error}") from error


def _too_many_bytes(name: str, size: int) -> str:
    return f"{name} has {size / 2**20:.1f} MiB; at most {MAX_BYTES // 2**20} MiB are read"


def _open(data: bytes, name: str) -> PIL.Image:
    """Open without decoding, and refuse what is too large before any pixel is made."""
    limit = f"at most {MAX_PIXELS // 1_000_000} megapixels are read; scale it down first"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its own limits; ours are below
            picture = PIL.open(io.BytesIO(data), formats=FORMATS)
    except PIL.DecompressionBombError as error:
        raise InvalidInput(f"{name} is far too large ({error}); {limit}") from error
    except UnidentifiedImageError as error:
        raise InvalidInput(
            f"{name} is not a picture that can be read; allowed are {', '.join(FORMATS)}"
        ) from error
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error) as error:
        raise InvalidInput(
            f"{name} is damaged or truncated ({error}); give a whole file"
        ) from error
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise InvalidInput(f"{name} is {width}x{height}, {width * height / 1e6:.0f} MP; {limit}")
    return picture


def _is_deep(picture: PIL.Image) -> bool:
    """Whether the file holds 16 bits a channel; Pillow hides it for RGB, save in the raw mode."""
    if picture.mode.startswith("I;16"):
        return True
    tiles = getattr(picture, "tile", [])
    return any("16" in str(tile[3]) for tile in tiles) and picture.mode in ("RGB", "RGBA", "LA")


def _to_rgb(picture: PIL.Image) -> tuple[PIL.Image, tuple[str, ...]]:
    """Mode RGB, with a line for each loss; `Raises InvalidInput` for 32-bit samples."""
    mode = picture.mode
    if mode.startswith("I;16"):
        high = (np.asarray(picture).astype(np.uint16) >> 8).astype(np.uint8)
        return PIL.fromarray(high).convert("RGB"), ()
    if mode in ("I", "F"):
        raise InvalidInput("32 bits a sample are not read; save it with 8 or 16 bits")
    if mode == "CMYK":
        return picture.convert("RGB"), ("CMYK converted to RGB",)
    if not picture.has_transparency_data:
        return picture.convert("RGB"), ()
    layered = picture.convert("RGBA")
    if int(np.asarray(layered)[..., 3].min()) == 255:
        return layered.convert("RGB"), ()
    white = PIL.new("RGBA", layered.size, (255, 255, 255, 255))
    white.alpha_composite(layered)
    return white.convert("RGB"), ("transparent parts laid over white",)
