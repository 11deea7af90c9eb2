"""Counts of delays by their length, from which any percentile can be read."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

DELAY_EDGES_MS = (5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 150.0, 200.0, 300.0, 500.0, 1000.0, 2500.0, 10_000.0)
"""Edges of the few bins that figures over a whole service are kept in."""


class Histogram:
    """Counts of durations in bins of 1 % width from 1 µs to 20 min; exact minimum and maximum.

    Counts are replaced and never written to, so that a copy (`copy.copy`) shares them until more is added:
    a ward has a dozen histograms a stream, most of them copies.
    """

    _LOWEST_NS = 1e3
    _STEP = float(np.log(1.01))
    _BINS = 2112
    _NONE: ClassVar[NDArray[np.int64]] = np.zeros(_BINS, np.int64)

    def __init__(self) -> None:
        self._counts = self._NONE
        self.count = 0
        self.min_ns = float("inf")
        self.max_ns = 0.0

    def add(self, nanoseconds: NDArray[np.float64]) -> None:
        """Sort durations in; what is shorter than 1 µs counts as 1 µs; NaN is left out."""
        unknown = np.isnan(nanoseconds)
        if unknown.any():
            nanoseconds = nanoseconds[~unknown]
        if nanoseconds.size == 0:
            return
        relative = np.maximum(nanoseconds, self._LOWEST_NS) / self._LOWEST_NS
        index = np.minimum((np.log(relative) / self._STEP).astype(np.int64), self._BINS - 1)
        self._counts = self._counts + np.bincount(index, minlength=self._BINS)
        self.count += nanoseconds.size
        self.min_ns = min(self.min_ns, float(nanoseconds.min()))
        self.max_ns = max(self.max_ns, float(nanoseconds.max()))

    def percentile_ms(self, percent: float) -> float:
        """The duration that `percent` of all do not exceed, to 1 %; NaN when there are none."""
        if self.count == 0:
            return float("nan")
        reached = np.searchsorted(np.cumsum(self._counts), percent / 100 * self.count)
        edge = self._LOWEST_NS * np.exp((min(int(reached), self._BINS - 1) + 1) * self._STEP)
        return float(min(max(edge, self.min_ns), self.max_ns)) / 1e6

    @property
    def max_ms(self) -> float:
        """The longest, exactly; NaN when there are none."""
        return self.max_ns / 1e6 if self.count else float("nan")

    def since(self, earlier: "Histogram") -> "Histogram":
        """What was added after `earlier` was copied from this; its minimum and maximum to 1 %."""
        later = Histogram()
        later._counts = self._counts - earlier._counts
        later.count = self.count - earlier.count
        used = np.flatnonzero(later._counts)
        if used.size:
            low, high = self._LOWEST_NS * np.exp(np.array([used[0], used[-1] + 1]) * self._STEP)
            later.min_ns, later.max_ns = max(float(low), self.min_ns), min(float(high), self.max_ns)
        return later

    def between(self, edges_ms: Sequence[float]) -> tuple[int, ...]:
        """Counts up to the first edge, between edges, and beyond the last, to 1 %."""
        edges = np.log(np.asarray(edges_ms) * 1e6 / self._LOWEST_NS) / self._STEP
        places = np.clip(np.round(edges), 0, self._BINS).astype(np.int64)
        sums = np.concatenate([[0], np.cumsum(self._counts)])[[0, *places, self._BINS]]
        return tuple(np.diff(sums).tolist())

    @property
    def sum_s(self) -> float:
        """All durations together, to 1 %."""
        middles = self._LOWEST_NS * np.exp((np.arange(self._BINS) + 0.5) * self._STEP)
        return float(self._counts @ middles) / 1e9

    def bars(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Bin edges in ms (one more than counts) and counts, empty bins at both ends left out."""
        used = np.flatnonzero(self._counts)
        first, last = (used[0], used[-1] + 1) if used.size else (0, 0)
        edges = self._LOWEST_NS * np.exp(np.arange(first, last + 1) * self._STEP) / 1e6
        return edges, self._counts[first:last]
