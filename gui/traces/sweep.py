"""Map samples to columns of the screen, and reduce many samples to the points that draw the same picture."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, floor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Piece(NamedTuple):
    """Columns start … stop-1, counted from the stream's beginning, and the x of the first."""

    start: int
    stop: int
    x: int


@dataclass(frozen=True)
class Sweep:
    """A page that is filled from left to right, then overwritten from the left again.

    Column c of the stream always stands at c less `origin`, modulo `width`. Scrolling is the same page,
    turned so that the newest column is at the right.

    Parameters
    ----------
    width
        Columns of the page, px.
    columns_per_sample
        Pixels per second over samples per second.
    origin
        A column that stands at the left edge: a page that stands still begins with it.
    """

    width: int
    columns_per_sample: float
    origin: int = 0

    def column(self, sample: float) -> int:
        """Column, counted from the stream's beginning, in which a sample falls."""
        return floor(sample * self.columns_per_sample)

    def samples(self, start: int, stop: int) -> tuple[int, int]:
        """First sample, and first after the last, of columns start … stop-1, rounded outwards."""
        return floor(start / self.columns_per_sample), ceil(stop / self.columns_per_sample) + 1

    def pieces(self, start: int, stop: int) -> Iterator[Piece]:
        """Split columns start … stop-1 at the end of the page; if they exceed a page, keep the last page."""
        start = max(start, stop - self.width)
        while start < stop:
            x = (start - self.origin) % self.width
            end = min(stop, start + self.width - x)
            yield Piece(start, end, x)
            start = end


def points(
    values: NDArray[np.float32], first: int, columns_per_sample: float
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Points to draw for samples `first` …: x in columns from the stream's beginning, and mV.

    Up to two samples a column are all drawn. Of more, each column keeps its lowest and its highest
    (a mean would flatten the QRS complex), in the order that its first and last sample suggest.
    Columns do not depend on where the stretch begins, so that pieces join into one picture.
    """
    x, begins, ends = _places(first, values.size, columns_per_sample)
    if columns_per_sample >= 0.5 or values.size == 0:
        return x, values
    low = np.fmin.reduceat(values, begins)
    high = np.fmax.reduceat(values, begins)
    falling = values[ends] < values[begins]
    pairs = np.empty(2 * begins.size, np.float32)
    pairs[::2] = np.where(falling, high, low)
    pairs[1::2] = np.where(falling, low, high)
    return x, pairs


@lru_cache(maxsize=32)
def _places(
    first: int, size: int, columns_per_sample: float
) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.intp]]:
    """Where the points of `size` samples stand, and the first and last sample of each column, if reduced.

    All leads of a stretch share these. They grow with the columns and not with the samples.
    """
    x = np.arange(first, first + size, dtype=np.float64) * columns_per_sample
    if columns_per_sample >= 0.5 or size == 0:
        none = np.empty(0, np.intp)
        return x, none, none
    # Fewer columns than samples: none between the first and the last is without one.
    columns = np.arange(floor(x[0]), floor(x[-1]) + 1, dtype=np.float64)
    begins = x.searchsorted(columns)
    ends = np.empty_like(begins)
    ends[:-1], ends[-1] = begins[1:] - 1, size - 1
    return (columns + 0.5).repeat(2), begins, ends


def runs(values: NDArray[np.float32]) -> list[slice]:
    """Stretches without NaN: no line is drawn across missing samples."""
    known = np.isfinite(values)
    if known.all():
        return [slice(0, values.size)] if values.size else []
    edges = (np.flatnonzero(known[1:] != known[:-1]) + 1).tolist()
    if known[0]:
        edges.insert(0, 0)
    if known[-1]:
        edges.append(values.size)
    return [slice(start, stop) for start, stop in zip(edges[::2], edges[1::2], strict=True)]
