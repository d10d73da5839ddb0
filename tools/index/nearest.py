"""Nearest: the pictures of an index whose vectors lie closest to a query.

Up to `LARGE` vectors every one is compared, block by block out of the memory map. Above, an
inverted file with 8-bit vectors (faiss; Douze et al. 2024, arXiv:2401.08281) names candidates,
which are compared exactly. What was added since that file was made is always compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tools.index.catalogue import Catalogue, Entry, Vectors

LARGE = 20_000  # vectors; from here on the inverted file pays: benchmarks/retrieval.py
BLOCK = 16_384  # vectors in memory at once
STALE = 0.2  # share of vectors that the inverted file may lack
WANTED = 0.98  # share of true neighbours among the candidates that its width is set for
CANDIDATES = 10  # for each picture wanted
TUNING = 200  # queries that its width is set with


class Hit(NamedTuple):
    """One picture that was found.

    Attributes:
        slot: its place in the vectors.
        score: cosine with the query, -1..1.
        entry: the picture.
    """

    slot: int
    score: float
    entry: Entry


def nearest(catalogue: Catalogue, queries: Vectors, k: int) -> list[list[Hit]]:
    """The `k` closest pictures to each query, the closest first.

    Args:
        catalogue: where to look.
        queries: unit vectors, float32, (Q, D).
        k: how many; fewer come when the index holds fewer.
    """
    vectors = catalogue.vectors()
    rough = _open(catalogue)
    found: list[list[Hit]] = []
    for query in np.ascontiguousarray(queries, np.float32):
        wanted, hits = k, list[Hit]()
        while True:  # slots of removed pictures are found too, and dropped
            slots, scores = search(vectors, query, wanted, rough)
            entries = catalogue.at(slots.tolist())
            hits = [
                Hit(int(slot), float(score), entries[int(slot)])
                for slot, score in zip(slots, scores, strict=True)
                if int(slot) in entries
            ]
            if len(hits) >= k or wanted >= len(vectors):
                break
            wanted *= 4
        found.append(hits[:k])
    return found


def search(
    vectors: Vectors, query: Vectors, k: int, rough: Any = None
) -> tuple[NDArray[np.int64], Vectors]:
    """Slots and cosines of the `k` best, the best first.

    Args:
        vectors: float32, (N, D), unit length.
        query: float32, (D,), unit length.
        k: how many.
        rough: an inverted file over the first of them, or None to compare all.
    """
    if rough is None:
        return exact(vectors, query, k)
    _, (named,) = rough.search(query[None], min(CANDIDATES * k, rough.ntotal))
    named = np.sort(named[named >= 0])
    late_slots, late_scores = exact(vectors[rough.ntotal :], query, k)
    slots = np.concatenate([named, late_slots + rough.ntotal])
    scores = np.concatenate([vectors[named] @ query, late_scores])
    order = np.argsort(-scores, kind="stable")[:k]
    return slots[order], scores[order]


def exact(vectors: Vectors, query: Vectors, k: int) -> tuple[NDArray[np.int64], Vectors]:
    """As `search`, all vectors compared."""
    slots, scores = np.empty(0, np.int64), np.empty(0, np.float32)
    for start in range(0, len(vectors), BLOCK):
        block = vectors[start : start + BLOCK] @ query
        best = np.argpartition(-block, k - 1)[:k] if len(block) > k else np.arange(len(block))
        slots = np.concatenate([slots, best + start])
        scores = np.concatenate([scores, block[best]])
        order = np.lexsort((slots, -scores))[:k]
        slots, scores = slots[order], scores[order]
    return slots, scores


def build(vectors: Vectors) -> Any:
    """An inverted file over all vectors, as wide as it must be to find nearly all neighbours."""
    import faiss

    lists = int(2 * len(vectors) ** 0.5)
    size = vectors.shape[1]
    rough = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(size),
        size,
        lists,
        faiss.ScalarQuantizer.QT_8bit,
        faiss.METRIC_INNER_PRODUCT,
    )
    rng = np.random.default_rng(0)
    sample = np.sort(rng.permutation(len(vectors))[: 40 * lists])
    rough.train(np.asarray(vectors[sample]))
    for start in range(0, len(vectors), BLOCK):
        rough.add(np.asarray(vectors[start : start + BLOCK]))
    asked = vectors[np.sort(rng.permutation(len(vectors))[:TUNING])]
    truth = [set(exact(vectors, query, 10)[0].tolist()) for query in asked]
    for probes in (2**i for i in range(3, 12)):
        rough.nprobe = min(probes, lists)
        found = [set(search(vectors, query, 10, rough)[0].tolist()) for query in asked]
        hits = sum(len(a & b) for a, b in zip(truth, found, strict=True))
        if hits >= WANTED * sum(map(len, truth)) or rough.nprobe == lists:
            break
    return rough


def settle(catalogue: Catalogue) -> None:
    """After pictures came or went: close holes, and keep the inverted file up to date."""
    import faiss

    if catalogue.compact():
        for old in catalogue.folder.glob("rough-*.faiss"):
            old.unlink()
    vectors = catalogue.vectors()
    rough = _open(catalogue)
    held = rough.ntotal if rough is not None else 0
    if len(vectors) < LARGE or len(vectors) - held <= STALE * len(vectors):
        return
    path = _path(catalogue)
    part = path.with_suffix(".part")
    faiss.write_index(build(vectors), str(part))
    part.replace(path)


def _open(catalogue: Catalogue) -> Any:
    """The inverted file, memory-mapped; None where there is none, or it is no use."""
    path = _path(catalogue)
    if not path.is_file():
        return None
    import faiss

    try:
        return faiss.read_index(str(path), faiss.IO_FLAG_MMAP)
    except RuntimeError:  # damaged: all vectors are compared until it is made anew
        return None


def _path(catalogue: Catalogue) -> Path:
    with catalogue.guard():
        return catalogue.folder / catalogue.vectors_path().with_suffix(".faiss").name.replace(
            "vectors", "rough"
        )


def spread(vectors: Vectors, queries: Sequence[Vectors]) -> list[float]:
    """How far the cosines with each query lie apart, over a sample of the index."""
    step = max(1, len(vectors) // 2048)
    sample = vectors[::step]
    return [float(np.std(sample @ query)) for query in queries]
