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
_MOST_NARROW = np.iinfo(np.uint32).max
_EDGES_NS: NDArray[np.float64] = _LOWEST_NS * np.exp(np.arange(_BINS + 1) * _STEP)
_MIDDLES_NS: NDArray[np.float64] = _LOWEST_NS * np.exp((np.arange(_BINS) + 0.5) * _STEP)


class Histogram:
    """Counts of durations in bins of 1 % width from 1 µs to 20 min; exact minimum and maximum.

    Only bins with something in them are kept, some hundred of two thousand: a ward has a dozen histograms a
    stream. Arrays are replaced and never written to, so that a copy (`copy.copy`) shares them until more is
    added.
    """

    _NO_BINS: ClassVar[NDArray[np.uint16]] = np.zeros(0, np.uint16)
    _NO_COUNTS: ClassVar[NDArray[np.integer]] = np.zeros(0, np.uint32)

    def __init__(self) -> None:
        self._bins, self._counts = self._NO_BINS, self._NO_COUNTS
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
        edges = _EDGES_NS[self._bins[np.minimum(reached, len(self._bins) - 1)] + 1]
        within: list[float] = (np.minimum(np.maximum(edges, self.min_ns), self.max_ns) / 1e6).tolist()
        return within

    @property
    def max_ms(self) -> float:
        """The longest, exactly; NaN when there are none."""
        return self.max_ns / 1e6 if self.count else float("nan")

    def since(self, earlier: "Histogram") -> "Histogram":
        """What was added after `earlier` was copied from this; its minimum and maximum to 1 %."""
        later = Histogram()
        later._hold(self._of_all_bins() - earlier._of_all_bins())
        later.count = self.count - earlier.count
        if later.count:
            low, high = _EDGES_NS[[later._bins[0], later._bins[-1] + 1]].tolist()
            later.min_ns, later.max_ns = max(low, self.min_ns), min(high, self.max_ns)
        return later

    def between(self, edges_ms: tuple[float, ...]) -> tuple[int, ...]:
        """Counts up to the first edge, between edges, and beyond the last, to 1 %."""
        return tuple(np.add.reduceat(self._of_all_bins(), _places(edges_ms)).tolist())

    @property
    def sum_s(self) -> float:
        """All durations together, to 1 %."""
        return float(self._counts @ _MIDDLES_NS[self._bins]) / 1e9

    def bars(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Bin edges in ms (one more than counts) and counts, empty bins at both ends left out."""
        first, stop = (int(self._bins[0]), int(self._bins[-1]) + 1) if self.count else (0, 0)
        return _EDGES_NS[first : stop + 1] / 1e6, self._of_all_bins()[first:stop]

    def _of_all_bins(self) -> NDArray[np.int64]:
        """Counts of all bins, in new memory."""
        counts = np.zeros(_BINS, np.int64)
        counts[self._bins] = self._counts
        return counts

    def _hold(self, counts: NDArray[np.int64]) -> None:
        """Keep these counts of all bins."""
        bins = np.flatnonzero(counts)
        self._bins, self._counts = bins.astype(np.uint16), _narrowed(counts[bins])


def _narrowed(counts: NDArray[np.int64]) -> NDArray[np.integer]:
    """The same in half the memory, where they fit."""
    return counts.astype(np.uint32) if counts.size and counts.max() <= _MOST_NARROW else counts


@cache
def _places(edges_ms: tuple[float, ...]) -> NDArray[np.int64]:
    """The first bin of each stretch between edges, the one below the first edge included."""
    edges = np.round(np.log(np.asarray(edges_ms) * 1e6 / _LOWEST_NS) / _STEP)
    return np.concatenate([[0], np.clip(edges, 0, _BINS - 1)]).astype(np.int64)


def add_to_each(
    histograms: Sequence[Histogram],
    nanoseconds: NDArray[np.float64],
    times: NDArray[np.int64] | None = None,
) -> None:
    """Sort a row of durations into each of several, (histograms, durations); as `Histogram.add`.

    Parameters
    ----------
    times
        How often each duration counts, (durations,), 1 or more; None counts each once.
    """
    known = ~np.isnan(nanoseconds)
    relative = np.maximum(np.where(known, nanoseconds, 0), _LOWEST_NS) / _LOWEST_NS
    index = np.minimum((np.log(relative) / _STEP).astype(np.int64), _BINS - 1)
    least = np.where(known, nanoseconds, np.inf).min(axis=1, initial=np.inf).tolist()
    most = np.where(known, nanoseconds, 0).max(axis=1, initial=0).tolist()
    for row, (histogram, of) in enumerate(zip(histograms, known, strict=True)):
        counted = index[row][of] if times is None else np.repeat(index[row][of], times[of])
        if counted.size:
            more = np.bincount(counted, minlength=_BINS)
            more[histogram._bins] += histogram._counts
            histogram._hold(more)
            histogram.count += counted.size
            histogram.min_ns = min(histogram.min_ns, least[row])
            histogram.max_ns = max(histogram.max_ns, most[row])


def medians_ms(later: Sequence[Histogram], earlier: Sequence[Histogram]) -> list[float]:
    """Medians of what was added to each after it was copied, ms to 1 %; NaN where nothing was."""
    return [_median_ms(now, before) for now, before in zip(later, earlier, strict=True)]


def _median_ms(now: Histogram, before: Histogram) -> float:
    count = now.count - before.count
    if count == 0:
        return float("nan")
    reached = int((now._of_all_bins() - before._of_all_bins()).cumsum().searchsorted(0.5 * count))
    return float(min(_EDGES_NS[reached + 1], now.max_ns)) / 1e6
