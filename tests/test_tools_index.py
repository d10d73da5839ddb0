"""The index: folders in, the right pictures out, and nothing lost when it is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PIL

from tools.errors import InvalidInput, ToolError
from tools.index import nearest as searching
from tools.index.catalogue import Catalogue, Vectors, create, drop, names
from tools.index.duplicates import duplicates
from tools.index.fill import fill, looks
from tools.index.nearest import build, exact, nearest, search, settle
from tools.values import Pixels

SIZE = 48
ROOT = Path(__file__).resolve().parents[1]


def embed(pictures: Sequence[Pixels]) -> Vectors:
    """An encoder that needs no weights: the colours of a 4x4 thumbnail, unit length."""
    rows = [
        np.asarray(PIL.fromarray(one).resize((4, 4), PIL.Resampling.BOX), np.float32).ravel() + 1
        for one in pictures
    ]
    vectors = np.stack([row - row.mean() + 0.1 for row in rows])
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def paint(path: Path, seed: int, side: int = 64) -> Path:
    blocks = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.fromarray(blocks).resize((side, side), PIL.Resampling.NEAREST).save(path)
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    for seed in range(70):
        paint(folder / f"{'a' if seed < 40 else 'b'}" / f"{seed:03}.png", seed)
    return folder


@pytest.fixture
def made(home: Path) -> str:
    create("mine", "folder/of/weights", "0" * 64, dimensions=SIZE, speaks=True).__exit__()
    return "mine"


def ask(catalogue: Catalogue, seed: int, k: int = 3) -> list[str]:
    path = paint(catalogue.folder.parent / "query.png", seed)
    query = embed([np.asarray(PIL.open(path))])
    return [Path(hit.entry.path).stem for hit in nearest(catalogue, query, k)[0]]


def test_a_picture_finds_itself_first(pictures: Path, made: str) -> None:
    with Catalogue(made) as catalogue:
        done = fill(catalogue, [pictures], embed)
        assert (done.added, len(catalogue), done.skipped) == (70, 70, [])
        assert [ask(catalogue, seed)[0] for seed in (3, 40, 69)] == ["003", "040", "069"]


def test_only_what_changed_is_read_again(pictures: Path, made: str) -> None:
    seen: list[int] = []

    def counting(batch: Sequence[Pixels]) -> Vectors:
        seen.append(len(batch))
        return embed(batch)

    with Catalogue(made) as catalogue:
        fill(catalogue, [pictures], counting)
        paint(pictures / "a" / "003.png", 503, side=72)
        (pictures / "a" / "004.png").rename(pictures / "b" / "moved.png")
        (pictures / "a" / "005.png").unlink()
        seen.clear()
        done = fill(catalogue, [Path(folder) for folder in catalogue.folders()], counting)
        assert sum(seen) == 1, "the moved file is known by its content"
        assert (done.added, done.unchanged, done.gone, len(catalogue)) == (2, 67, 2, 69)
        assert ask(catalogue, 503)[0] == "003"
        assert ask(catalogue, 4)[0] == "moved"
        assert "005" not in ask(catalogue, 5, k=69)


def test_bad_pictures_are_skipped_and_listed(pictures: Path, made: str) -> None:
    good = (pictures / "a" / "000.png").read_bytes()
    for name, data in {
        "empty.png": b"",
        "half.png": good[:60],
        "words.jpg": b"a red apple",
        "notes.txt": b"no picture by its name",
        ".hidden.png": good,
    }.items():
        (pictures / name).write_bytes(data)
    (pictures / "nowhere.png").symlink_to(pictures / "not-there")
    (pictures / "loop").symlink_to(pictures, target_is_directory=True)
    PIL.new("1", (9000, 8000)).save(pictures / "vast.png")
    with Catalogue(made) as catalogue:
        done = fill(catalogue, [pictures], embed)
        listed = {Path(each.path).name: each.why for each in catalogue.skipped()}
        assert set(listed) == {"empty.png", "half.png", "nowhere.png", "vast.png", "words.jpg"}
        assert "megapixels" in listed["vast.png"]
        assert (done.added, len(catalogue)) == (70, 70)
        again = fill(catalogue, [pictures], embed)
        assert (again.added, again.unchanged, again.skipped) == (0, 75, [])
        (pictures / "half.png").write_bytes(good)
        assert fill(catalogue, [pictures], embed).copies == 1
        assert "half.png" not in {Path(each.path).name for each in catalogue.skipped()}


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.test_tools_index import embed
from tools.index.catalogue import Catalogue
from tools.index.fill import fill
batches = 0
def deadly(batch):
    global batches
    batches += 1
    if batches == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return embed(batch)
with Catalogue("mine") as catalogue:
    fill(catalogue, [Path(sys.argv[1])], deadly)
"""


def test_killed_in_the_middle_it_is_whole_and_goes_on(pictures: Path, made: str) -> None:
    command = [sys.executable, "-c", KILLED, str(pictures)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    with Catalogue(made) as catalogue:
        held = len(catalogue)
        assert held == 32, "the batch before the kill is safe"
        assert ask(catalogue, 7)[0] == "007"
        with catalogue.vectors_path().open("ab") as file:  # killed between vectors and rows
            file.write(b"\xff" * 1000)
        assert ask(catalogue, 7)[0] == "007"
        done = fill(catalogue, [pictures], embed)
        assert (done.added, done.unchanged, len(catalogue)) == (38, 32, 70)
        assert [ask(catalogue, seed)[0] for seed in (7, 69)] == ["007", "069"]


def test_two_writers_do_not_lose_each_others_pictures(pictures: Path, made: str) -> None:
    with Catalogue(made) as one, Catalogue(made) as other:
        fill(
            one,
            [pictures / "a"],
            lambda batch: (fill(other, [pictures / "b"], embed), embed(batch))[1],
        )
        assert len(one) == 70
        assert [ask(other, seed)[0] for seed in (7, 69)] == ["007", "069"]


def test_removed_pictures_leave_no_holes_for_long(pictures: Path, made: str) -> None:
    with Catalogue(made) as catalogue:
        fill(catalogue, [pictures / "a", pictures / "b"], embed)
        assert catalogue.unwatch(str(pictures / "a")) == 40
        assert ask(catalogue, 50, k=70)[0] == "050", "before the holes are closed"
        settle(catalogue)
        assert (catalogue.slots(), len(catalogue)) == (30, 30)
        assert [path.name for path in catalogue.folder.glob("vectors-*")] == ["vectors-1.f32"]
        assert [ask(catalogue, seed)[0] for seed in (41, 69)] == ["041", "069"]
        assert len(ask(catalogue, 50, k=70)) == 30
    assert len(list(pictures.glob("a/*.png"))) == 40, "the files are not touched"


def test_copies_scaled_and_saved_again_are_found(pictures: Path, made: str) -> None:
    first = PIL.open(pictures / "a" / "007.png")
    first.resize((200, 200), PIL.Resampling.BICUBIC).save(pictures / "large.png")
    first.save(pictures / "saved.jpg", quality=60)
    with Catalogue(made) as catalogue:
        fill(catalogue, [pictures], embed)
        (group,) = duplicates(catalogue)
        assert [Path(entry.path).name for entry in group] == ["007.png", "large.png", "saved.jpg"]
        assert nearest(catalogue, np.zeros((0, SIZE), np.float32), 3) == []


def test_the_perceptual_hash_tells_pictures_apart(pictures: Path) -> None:
    every = [looks(np.asarray(PIL.open(path))) for path in sorted(pictures.glob("*/*.png"))]
    apart = [((a ^ b) & (2**64 - 1)).bit_count() for a in every for b in every if a != b]
    assert min(apart) > 8
    assert all(-(2**63) <= one < 2**63 for one in every)


def clusters(count: int, size: int = 24) -> Vectors:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(40, size))
    made = centres[rng.integers(0, 40, count)] + 0.3 * rng.normal(size=(count, size))
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)


def test_blocks_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = clusters(1000)
    monkeypatch.setattr(searching, "BLOCK", 77)
    slots, scores = exact(vectors, vectors[5], 10)
    truth = np.argsort(-(vectors @ vectors[5]), kind="stable")[:10]
    assert slots.tolist() == truth.tolist()
    assert np.allclose(scores, (vectors @ vectors[5])[truth], atol=1e-6)


def test_the_inverted_file_finds_nearly_all_and_what_came_later() -> None:
    vectors = clusters(4000)
    rough = build(vectors[:3500])
    hits = 0
    for query in vectors[::80]:
        found, scores = search(vectors, query, 10, rough)
        assert (np.diff(scores) <= 0).all()
        hits += len(set(found.tolist()) & set(exact(vectors, query, 10)[0].tolist()))
    assert hits >= 0.95 * 10 * len(vectors[::80])
    assert search(vectors, vectors[3900], 1, rough)[0].tolist() == [3900]


def test_a_large_index_keeps_an_inverted_file(
    pictures: Path, made: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "LARGE", 60)
    with Catalogue(made) as catalogue:
        fill(catalogue, [pictures], embed)
        (file,) = catalogue.folder.glob("rough-*.faiss")
        assert ask(catalogue, 69)[0] == "069"
        file.write_bytes(b"damaged")
        assert ask(catalogue, 69)[0] == "069", "then all vectors are compared"


@pytest.mark.parametrize("name", ["../etc", "", "Mine", "a" * 41, "a/b", ".hidden"])
def test_a_name_cannot_leave_the_folder_of_indexes(name: str, home: Path) -> None:
    with pytest.raises(InvalidInput, match="is not allowed"):
        Catalogue(name)
    with pytest.raises(InvalidInput, match="is not allowed"):
        drop(name)


def not_sqlite(folder: Path) -> None:
    (folder / "rows.sqlite").write_bytes(b"this was never a database" * 50)


def no_rows(folder: Path) -> None:
    (folder / "rows.sqlite").write_bytes(b"")


def no_vectors(folder: Path) -> None:
    next(folder.glob("vectors-*")).unlink()


def short_vectors(folder: Path) -> None:
    path = next(folder.glob("vectors-*"))
    path.write_bytes(path.read_bytes()[:-4])


def torn(folder: Path) -> None:
    path = folder / "rows.sqlite"
    path.write_bytes(path.read_bytes()[:9000])


@pytest.mark.parametrize("spoil", [not_sqlite, no_rows, no_vectors, short_vectors, torn])
def test_a_damaged_index_says_so_and_can_be_made_anew(
    pictures: Path, made: str, spoil: object
) -> None:
    with Catalogue(made) as catalogue:
        fill(catalogue, [pictures], embed)
        folder = catalogue.folder
    assert callable(spoil)
    spoil(folder)

    def use() -> None:
        with Catalogue(made) as catalogue:
            list(catalogue.every())
            nearest(catalogue, embed([np.zeros((8, 8, 3), np.uint8)]), 3)

    with pytest.raises(ToolError) as caught:
        use()
    assert "'mine'" in str(caught.value)
    drop(made)
    assert names() == []
    assert len(list(pictures.glob("*/*.png"))) == 70


def test_a_folder_that_is_not_there_changes_nothing(pictures: Path, made: str) -> None:
    with Catalogue(made) as catalogue:
        fill(catalogue, [pictures], embed)
        with pytest.raises(InvalidInput, match="is not a folder"):
            fill(catalogue, [pictures / "a", pictures / "missing"], embed)
        assert len(catalogue) == 70


def test_an_encoder_that_fails_leaves_the_index_as_it_was(pictures: Path, made: str) -> None:
    def broken(batch: Sequence[Pixels]) -> Vectors:
        raise MemoryError

    with Catalogue(made) as catalogue:
        fill(catalogue, [pictures / "a"], embed)
        with pytest.raises(MemoryError):
            fill(catalogue, [pictures / "b"], broken)
        assert len(catalogue) == 40
        assert ask(catalogue, 7)[0] == "007"
