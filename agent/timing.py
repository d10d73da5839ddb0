"""Timing: how long a batch takes by its size: a fixed part, and one for each picture."""

from __future__ import annotations

from pydantic import Field

from tools.base import Record

FURTHER = 0.6  # of its share, that one more picture is believed to add to a batch
REMEMBERED = 8.0  # batches that all earlier runs together weigh as, at most


class Timing(Record):
    """Sums over batches, from which a straight line is fitted by least squares."""

    batches: float = Field(0.0, ge=0)
    pictures: float = Field(0.0, ge=0)
    squares: float = Field(0.0, ge=0, description="of the pictures of each batch")
    seconds: float = Field(0.0, ge=0)
    products: float = Field(0.0, ge=0, description="of pictures and seconds of each batch")

    def plus(self, pictures: int, seconds: float) -> Timing:
        """The timing after one more batch."""
        return Timing(
            batches=self.batches + 1,
            pictures=self.pictures + pictures,
            squares=self.squares + pictures * pictures,
            seconds=self.seconds + seconds,
            products=self.products + pictures * seconds,
        )

    def faded(self) -> Timing:
        """The same line with less weight, so that this run's batches count for more."""
        share = min(1.0, REMEMBERED / self.batches) if self.batches else 1.0
        return Timing(**{name: value * share for name, value in self.model_dump().items()})

    def of(self, pictures: int) -> float:
        """Seconds that a batch of so many pictures is expected to take; 0 if nothing is known."""
        if not self.batches or pictures == 0:
            return 0.0
        spread = self.batches * self.squares - self.pictures**2
        mean = self.seconds / self.pictures
        each = FURTHER * mean  # until batches of another size were seen
        if spread > 1e-6 * self.squares:
            slope = (self.batches * self.products - self.pictures * self.seconds) / spread
            each = min(max(slope, 0.0), mean)  # a batch never costs more a picture than one alone
        fixed = (self.seconds - each * self.pictures) / self.batches
        return fixed + each * pictures
