"""Retrieval: how right and how fast an index finds, from 10,000 vectors to a million.

    python -m benchmarks.retrieval

Words find pictures among held-out scenes, embedded by the miniature CLIP. Speed is measured on
vectors spread like those of scenes: mixtures of two, with noise.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from benchmarks import report
from benchmarks.bench import Bench
from benchmarks.eyes import scenes
from miniature.world.language import describe
from miniature.world.scene import draw
from miniature.world.splits import FIRST_SEED
from models import encoders
from tools.index.catalogue import Vectors
from tools.index.nearest import LARGE, build, exact, search

SIZES = (10_000, 20_000, 50_000, 100_000, 1_000_000)
QUERIES = 50
K = 10
BENCH = Bench(
    full="--largest 1000000",
    quick="--largest 20000",
    seeds="scenes of the test split in order; crowd from seed 0",
    higher=("*.r_at_1", "growth.*.inverted_recall_at_10", "growth.*.inverted_ratio"),
    over={"*.r_at_1": "scenes"},
)


def embedded(checkpoint: str, count: int, *, held_out: bool) -> tuple[Vectors, Vectors, list[str]]:
    """Pictures and descriptions of scenes as unit vectors, (count, D) each, and the words."""
    chosen = scenes(count, held_out=held_out, first=FIRST_SEED["test"])
    encoder = encoders.load(checkpoint, "cpu", "auto")
    words = [describe(scene) for scene in chosen]
    pictures = encoder.pictures([draw(scene) for scene in chosen]).numpy()
    return pictures, encoder.texts(words).numpy(), words


def recall(pictures: Vectors, texts: Vectors, words: list[str]) -> dict[str, float]:
    """Share of descriptions whose own picture, or one described the same, is the first / in 5."""
    order = np.argsort(-(texts @ pictures.T), axis=1)[:, :5]
    right = np.array([[words[j] == words[i] for j in row] for i, row in enumerate(order)])
    return {"r_at_1": float(right[:, 0].mean()), "r_at_5": float(right.any(1).mean())}


def crowd(pictures: Vectors, count: int) -> Vectors:
    """Many vectors like those of scenes: float32, (count, D), unit length."""
    rng = np.random.default_rng(0)
    made = np.empty((count, pictures.shape[1]), np.float32)
    spread = pictures.std(0)
    for start in range(0, count, 50_000):
        part = made[start : start + 50_000]
        one, other = (pictures[rng.integers(0, len(pictures), len(part))] for _ in range(2))
        share = rng.random((len(part), 1), np.float32)
        part[:] = share * one + (1 - share) * other
        part += 0.5 * spread * rng.standard_normal(part.shape, np.float32)
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return made


def milliseconds(find: Callable[[Vectors], object], queries: Vectors) -> float:
    """Median time of one query alone, ms."""
    taken = []
    for query in queries:
        start = time.perf_counter()
        find(query)
        taken.append(time.perf_counter() - start)
    return 1000 * float(np.median(taken))


def brute(vectors: Vectors, query: Vectors) -> Vectors:
    """The plain way: all cosines at once, then the best."""
    scores = vectors @ query
    best = np.argpartition(-scores, K)[:K]
    return np.asarray(best[np.argsort(-scores[best])])


def growth(vectors: Vectors, queries: Vectors) -> dict[str, Any]:
    """Speed and recall of each way of searching, at one size."""
    flat = faiss.IndexFlatIP(vectors.shape[1])
    flat.add(vectors)
    start = time.process_time()
    rough = build(vectors)
    made = time.process_time() - start
    truth = [set(brute(vectors, query).tolist()) for query in queries]
    hits = [
        len(want & set(search(vectors, query, K, rough)[0].tolist()))
        for want, query in zip(truth, queries, strict=True)
    ]
    plain = milliseconds(lambda query: brute(vectors, query), queries)
    ways = {
        "blocks": milliseconds(lambda query: exact(vectors, query, K), queries),
        "flat": milliseconds(lambda query: flat.search(query[None], K), queries),
        "inverted": milliseconds(lambda query: search(vectors, query, K, rough), queries),
    }
    return {
        "vectors": len(vectors),
        "numpy_ms": plain,
        **{f"{name}_ratio": plain / value for name, value in ways.items()},
        "inverted_ms": ways["inverted"],
        "inverted_recall_at_10": sum(hits) / (K * len(queries)),
        "probes": rough.nprobe,
        "build_cpu_s": made,
    }


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Time of a query against the size of the index, both logarithmic."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    sizes = [row["vectors"] for row in rows]
    for name, words in (
        ("blocks", "all compared, by blocks"),
        ("flat", "faiss Flat"),
        ("inverted", "inverted file, 8 bits"),
    ):
        axes.plot(
            sizes, [row["numpy_ms"] / row[f"{name}_ratio"] for row in rows], "o-", label=words
        )
    axes.set(xscale="log", yscale="log", xlabel="vectors", ylabel="ms a query")
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})


def body(found: dict[str, Any]) -> str:
    """The figures as markdown."""
    right = [
        (key, report.percent(found[key]["r_at_1"]), report.percent(found[key]["r_at_5"]))
        for key in ("seen", "held out")
    ]
    speed = [
        (
            f"{row['vectors']:,}",
            f"{row['numpy_ms']:.1f}",
            *(f"{row[f'{way}_ratio']:.1f}×" for way in ("blocks", "flat", "inverted")),
            f"{row['inverted_ms']:.2f}",
            report.percent(row["inverted_recall_at_10"]),
            f"{row['build_cpu_s']:.0f}",
        )
        for row in found["growth"]
    ]
    head = ("vectors", "numpy, ms", "blocks", "Flat", "inverted", "inverted, ms")
    return "\n\n".join(
        (
            f"Full descriptions among {found['scenes']:,} scenes that training never saw; seen and "
            "held-out are the (object, colour) and (object, object) pairs in them. A picture with "
            "the very same description counts as found.",
            report.table(("pairs", "R@1", "R@5"), right),
            "One query, ten wanted. The ratios say how many times as fast as numpy brute force in "
            "the same run (one matrix product over all vectors, then argpartition): `blocks` is "
            f"the exact search of an index below {LARGE:,}, `inverted` the one from there on; "
            "`Flat` is faiss IndexFlatIP, which holds all vectors in memory and is not used.",
            report.table((*head, "recall@10", "build, CPU s"), speed),
            "![ms a query against vectors](retrieval.svg)",
        )
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="How right and how fast an index finds.")
    parser.add_argument("--checkpoint", default="miniature/weights/clip")
    parser.add_argument("--scenes", type=int, default=1000)
    parser.add_argument("--largest", type=int, default=SIZES[-1])
    arguments = parser.parse_args()
    faiss.omp_set_num_threads(1)
    found: dict[str, Any] = {"scenes": arguments.scenes, "growth": []}
    seen = embedded(arguments.checkpoint, arguments.scenes, held_out=False)
    found["seen"] = recall(*seen)
    found["held out"] = recall(*embedded(arguments.checkpoint, arguments.scenes, held_out=True))
    print(found, flush=True)
    sizes = [size for size in SIZES if size <= arguments.largest]
    every = crowd(seen[0], sizes[-1] + QUERIES)
    for size in sizes:
        found["growth"].append(growth(every[:size], every[-QUERIES:]))
        print(found["growth"][-1], flush=True)
    command = f"python -m benchmarks.retrieval --largest {arguments.largest}"
    plot(found["growth"], report.place("retrieval", command) / "retrieval.svg")
    report.write("retrieval", "Retrieval: right and fast", command, found, body(found))


if __name__ == "__main__":
    main()
