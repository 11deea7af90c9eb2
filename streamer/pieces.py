"""Samples of a stream that have their index, and the count of what was not as it should be."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Piece:
    """Consecutive samples of a stream.

    Parameters
    ----------
    start
        Index of the first.
    rows
        Values as they came, shape (samples, channels).
    stamps
        Of the source's clock, in seconds, shape (samples,).
    arrived_ns
        When they came.
    """

    start: int
    rows: NDArray[Any]
    stamps: NDArray[np.float64]
    arrived_ns: int

    @property
    def stop(self) -> int:
        """Index of the first sample after these."""
        return self.start + len(self.rows)

    def before(self, stop: int | None) -> "Piece":
        """Those of these samples that lie before an index; all of them where it is None."""
        if stop is None or self.stop <= stop:
            return self
        kept = max(0, stop - self.start)
        return replace(self, rows=self.rows[:kept], stamps=self.stamps[:kept])


@dataclass
class Counts:
    """What was not as it should be, in samples (jumps and gaps: in events)."""

    gaps: int = 0
    gap_samples: int = 0
    duplicates: int = 0
    """Came again, with the same stamp and the same values: dropped."""
    reordered: int = 0
    """Came after younger ones, and were put back in their place."""
    late: int = 0
    """Came when their place had been reported as a gap: dropped, the gap stands."""
    clock_jumps: int = 0
    """The source's clock was set; the count of samples goes on."""
