"""Experience: what repairs were worth and how long work took, as the store remembers it."""

from __future__ import annotations

from collections.abc import Sequence

from agent.database import Rows
from agent.drawing import Try
from agent.rates import Rate
from agent.timing import Timing

SCHEMA = """
CREATE TABLE IF NOT EXISTS repairs (
    arm TEXT NOT NULL, kind TEXT NOT NULL, weights TEXT NOT NULL, tries REAL NOT NULL,
    gained REAL NOT NULL, seconds REAL NOT NULL, PRIMARY KEY (arm, kind, weights));
CREATE TABLE IF NOT EXISTS timings (
    work TEXT NOT NULL, weights TEXT NOT NULL, timing TEXT NOT NULL, PRIMARY KEY (work, weights));
"""


class Experience(Rows):
    """Rates and timings by the weights they were seen with, in a database of a subclass."""

    def repair_rates(self, weights: Sequence[str]) -> dict[tuple[str, str], Rate]:
        """What repairs mended and cost so far, by arm and kind of claim.

        Args:
            weights: digests of the checkpoints in use; what others did is left out.
        """
        found: dict[tuple[str, str], Rate] = {}
        query = "SELECT arm, kind, weights, tries, gained, seconds FROM repairs"
        for arm, kind, digest, *numbers in self._database.rows(query):
            if digest in weights:
                tries, gained, seconds = map(float, numbers)
                found[arm, kind] = found.get((arm, kind), Rate()).plus(tries, gained, seconds)
        return found

    def count_repair(self, tried: Try, weights: str) -> None:
        """Remember what a repair mended and cost."""
        with self._database.transaction() as sql:
            sql(
                "INSERT INTO repairs VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (arm, kind, weights) "
                "DO UPDATE SET tries = repairs.tries + excluded.tries, gained = repairs.gained + "
                "excluded.gained, seconds = repairs.seconds + excluded.seconds",
                *(tried.arm, tried.kind, weights, tried.pictures, tried.gained, tried.seconds),
            )

    def timings(self, weights: str) -> dict[str, Timing]:
        """How long batches of each kind of work took with these weights."""
        rows = self._database.rows("SELECT work, timing FROM timings WHERE weights = ?", weights)
        return {work: Timing.model_validate_json(timing) for work, timing in rows}

    def count_batches(self, weights: str, batches: Sequence[tuple[str, int, float]]) -> None:
        """Remember batches: kind of work, pictures, seconds."""
        with self._database.transaction() as sql:
            for work, pictures, seconds in batches:
                rows = sql(
                    "SELECT timing FROM timings WHERE work = ? AND weights = ?", work, weights
                )
                known = Timing.model_validate_json(rows[0][0]).faded() if rows else Timing()
                sql(
                    "INSERT INTO timings VALUES (?, ?, ?) "
                    "ON CONFLICT (work, weights) DO UPDATE SET timing = excluded.timing",
                    *(work, weights, known.plus(pictures, seconds).model_dump_json()),
                )
