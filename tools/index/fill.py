"""Fill: folders into an index: what is new is embedded, what is gone is forgotten."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image as PIL

from tools.errors import InvalidInput
from tools.index.catalogue import Catalogue, Entry, Skipped, Vectors
from tools.index.nearest import settle
from tools.values import MAX_BYTES, Pixels, load_image

BATCH = 32  # pictures embedded, and made safe, at once
ENDINGS = (".png", ".apng", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")
_WAVES = np.cos(np.pi / 32 * np.outer(np.arange(8), np.arange(32) + 0.5))  # (8, 32), DCT-II

Embed = Callable[[Sequence[Pixels]], Vectors]
Report = Callable[[int, int], None]


@dataclass
class Filled:
    """What adding folders did."""

    added: int = 0
    unchanged: int = 0
    gone: int = 0
    copies: int = 0
    skipped: list[Skipped] = field(default_factory=list)


def fill(
    catalogue: Catalogue, folders: Sequence[Path], embed: Embed, report: Report | None = None
) -> Filled:
    """Bring an index up to date with folders.

    Every batch is safe once it is in; ended in the middle, the next call goes on from there.

    Args:
        catalogue: the index.
        folders: looked through with all below them; hidden ones and links to folders are not.
        embed: pictures, each RGB, uint8, (H, W, 3), to unit vectors, float32, (N, D).
        report: called with files done and files to do.

    Raises:
        InvalidInput: a folder is not there.
    """
    roots = [_root(folder) for folder in folders]
    done, gone = Filled(), list[str]()
    waiting: dict[str, tuple[int, int]] = {}
    for root in roots:
        known = catalogue.under(str(root))
        there = dict(_files(root))
        gone += [path for path in known if path not in there]
        catalogue.watch(str(root))
        fresh = {path: facts for path, facts in there.items() if known.get(path) != facts}
        done.unchanged += len(there) - len(fresh)
        waiting |= fresh
    files = list(waiting.items())
    for start in range(0, len(files), BATCH):
        if report:
            report(start, len(files))
        _take(catalogue, files[start : start + BATCH], embed, done)
    catalogue.forget(gone)  # at the end: what was only moved is known by its content till then
    done.gone = len(set(gone))
    settle(catalogue)
    return done


def _root(folder: Path) -> Path:
    path = folder.expanduser().absolute()
    if not path.is_dir():
        raise InvalidInput(f"{str(folder)!r} is not a folder; an index is made of folders")
    return path.resolve()


def _files(root: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    """Picture files below a folder with their bytes and time of change, in a fixed order."""
    for place, inner, names in os.walk(root):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        for name in sorted(names):
            if name.lower().endswith(ENDINGS) and not name.startswith("."):
                path = Path(place, name)
                try:
                    facts = path.stat()
                except OSError:
                    facts = path.lstat()  # a link to nothing; reading it will say so
                yield str(path), (facts.st_size, facts.st_mtime_ns)


def _take(
    catalogue: Catalogue,
    files: Sequence[tuple[str, tuple[int, int]]],
    embed: Embed,
    done: Filled,
) -> None:
    """Read, embed and keep one batch."""
    entries: list[Entry] = []
    vectors: list[Vectors | None] = []
    fresh: list[Pixels] = []
    bad: list[Skipped] = []
    held = catalogue.vectors()
    for path, (size, mtime) in files:
        try:
            if size > MAX_BYTES:
                load_image(Path(path))  # says so
            data = Path(path).read_bytes()
            content = hashlib.sha256(data).hexdigest()
            if twin := catalogue.same(content):
                slot, entry = twin
                entries.append(entry._replace(path=path, bytes=size, mtime_ns=mtime))
                vectors.append(np.array(held[slot]))
                done.copies += 1
                continue
            image = load_image(data).image
        except (InvalidInput, OSError) as error:
            bad.append(Skipped(path, size, mtime, str(error)))
            continue
        entries.append(Entry(path, size, mtime, content, image.id, looks(image.pixels)))
        vectors.append(None)
        fresh.append(image.pixels)
    made = iter(embed(fresh) if fresh else ())
    rows = [next(made) if vector is None else vector for vector in vectors]
    none = np.empty((0, catalogue.dimensions), np.float32)
    catalogue.append(entries, np.stack(rows) if rows else none, bad)
    done.added += len(entries)
    done.skipped += bad


def looks(pixels: Pixels) -> int:
    """Perceptual hash: signs of the lowest 8x8 cosine waves of the 32x32 grey picture.

    Args:
        pixels: RGB, uint8, (H, W, 3).

    Returns:
        64 bits as a signed number; scaled or re-encoded copies differ in few of them.
    """
    small = PIL.fromarray(pixels).convert("L").resize((32, 32), PIL.Resampling.BOX)
    waves = _WAVES @ np.asarray(small, np.float64) @ _WAVES.T
    bits = np.packbits((waves > np.median(waves)).ravel())
    return int.from_bytes(bits.tobytes(), "big", signed=True)
