"""Counts of delays by their length, from which any percentile can be read."""

from collections.abc import Sequence
from functools import cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

DELAY_EDGES_MS = (5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 150.0, 200.0, 300.0, 500.0, 1000.0, 2500.0, 10_000.0)
"""Edges of the few bins that figures over a whole service are kept in."""


_LOWEST_NS = 1e3
_STEP = float(np.log(1.01))
_BINS = 2112
_EDGES_NS: NDArray[np.float64] = _LOWEST_NS * np.exp(np.arange(_BINS + 1) * _STEP)
_MIDDLES_NS: NDArray[np.float64] = _LOWEST_NS * np.exp((np.arange(_BINS) + 0.5) * _STEP)


class Histogram:
    """Counts of durations in bins of 1 % width from 1 µs to 20 min; exact minimum and maximum.

    Counts are replaced and never written to, so that a copy (`copy.copy`) shares them until more is added:
    a ward has a dozen histograms a stream, most of them copies.
    """

    _NONE: ClassVar[NDArray[np.int64]] = np.zeros(_BINS, np.int64)

    def __init__(self) -> None:
        self._counts = self._NONE
        self.count = 0
        self.min_ns = float("inf")
        self.max_ns = 0.0

    def add(self, nanoseconds: NDArray[np.float64]) -> None:
        """Sort durations in; what is shorter than 1 µs counts as 1 µs; NaN is left out."""
        add_to_each([self], nanoseconds[None])

    def percentile_ms(self, percent: float) -> float:
        """The duration that `percent` of all do not exceed, to 1 %; NaN when there are none."""
        return self.percentiles_ms(percent)[0]

    def percentiles_ms(self, *percents: float) -> list[float]:
        """`percentile_ms` of several, which costs little more than one."""
        if self.count == 0:
            return [float("nan")] * len(percents)
        reached = self._counts.cumsum().searchsorted([percent / 100 * self.count for percent in percents])
        edges = _EDGES_NS[np.minimum(reached, _BINS - 1) + 1]
        within: list[float] = (np.minimum(np.maximum(edges, self.min_ns), self.max_ns) / 1e6).tolist()
        return within

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
            low, high = _EDGES_NS[[used[0], used[-1] + 1]].tolist()
            later.min_ns, later.max_ns = max(low, self.min_ns), min(high, self.max_ns)
        return later

    def between(self, edges_ms: tuple[float, ...]) -> tuple[int, ...]:
        """Counts up to the first edge, between edges, and beyond the last, to 1 %."""
        return tuple(np.add.reduceat(self._counts, _places(edges_ms)).tolist())

    @property
    def sum_s(self) -> float:
        """All durations together, to 1 %."""
        return float(self._counts @ _MIDDLES_NS) / 1e9

    def bars(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Bin edges in ms (one more than counts) and counts, empty bins at both ends left out."""
        used = np.flatnonzero(self._counts)
        first, last = (used[0], used[-1] + 1) if used.size else (0, 0)
        return _EDGES_NS[first : last + 1] / 1e6, self._counts[first:last]


@cache
def _places(edges_ms: tuple[float, ...]) -> NDArray[np.int64]:
    """The first bin of each stretch between edges, the one below the first edge included."""
    edges = np.round(np.log(np.asarray(edges_ms) * 1e6 / _LOWEST_NS) / _STEP)
    return np.concatenate([[0], np.clip(edges, 0, _BINS - 1)]).astype(np.int64)


def add_to_each(histograms: Sequence[Histogram], nanoseconds: NDArray[np.float64]) -> None:
    """Sort a row of durations into each of several, (histograms, durations); as `Histogram.add`."""
    known = ~np.isnan(nanoseconds)
    relative = np.maximum(np.where(known, nanoseconds, 0), _LOWEST_NS) / _LOWEST_NS
    index = np.minimum((np.log(relative) / _STEP).astype(np.int64), _BINS - 1)
    least = np.where(known, nanoseconds, np.inf).min(axis=1, initial=np.inf).tolist()
    most = np.where(known, nanoseconds, 0).max(axis=1, initial=0).tolist()
    for row, (histogram, count) in enumerate(zip(histograms, known.sum(axis=1).tolist(), strict=True)):
        if count:
            more = np.bincount(index[row][known[row]], minlength=_BINS)
            histogram._counts = histogram._counts + more
            histogram.count += count
            histogram.min_ns = min(histogram.min_ns, least[row])
            histogram.max_ns = max(histogram.max_ns, most[row])


def medians_ms(later: Sequence[Histogram], earlier: Sequence[Histogram]) -> list[float]:
    """Medians of what was added to each after it was copied, ms to 1 %; NaN where nothing was."""
    return [_median_ms(now, before) for now, before in zip(later, earlier, strict=True)]


def _median_ms(now: Histogram, before: Histogram) -> float:
    count = now.count - before.count
    if count == 0:
        return float("nan")
    reached = int((now._counts - before._counts).cumsum().searchsorted(0.5 * count))
    return float(min(_EDGES_NS[reached + 1], now.max_ns)) / 1e6
