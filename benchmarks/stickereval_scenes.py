"""StickerEval, scenes: the same arms on prompts of four things.

    python -m benchmarks.stickereval_scenes

Everything is as told in benchmarks/stickereval.py, but for the prompts.
"""

from __future__ import annotations

from benchmarks import stickereval
from benchmarks.bench import Bench
from benchmarks.stickereval_prompts import SCENES_FILE

BENCH = Bench(
    full="--limit 24 --n 4 --seeds 1 --fresh",
    quick="--limit 4 --n 2 --seeds 1 --fresh",
    seeds="fixed prompts, each with its own drawing seed",
    higher=(
        "right.model",
        "right.model_best",
        "right.single",
        "right.best",
        "right.loop",
        "right_of_claimed_passed",
    ),
    over={"right.*": "cases", "right_of_claimed_passed": "passed"},
)


def main() -> None:
    """Command line."""
    stickereval.main("stickereval_scenes", "StickerEval, scenes", SCENES_FILE)


if __name__ == "__main__":
    main()
