"""From the rate of the network back to that of a source: read what was made at the places of its samples."""

import sys
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.snapshot import Tree
from streamer.chunk import Samples
from streamer.resample import Resampler, ratio

_EDGE = 3
"""Columns before the first value of a segment, besides the reach: the way in may begin so much later."""


class WayBack:
    """Values of one stream at the network's rate, read at the places of the source's samples.

    The filter is that of `streamer.resample`, exactly placed: sample m of the source lies at network sample
    m · up / down, in whole numbers, so that nothing drifts. Every segment is for itself: what lies before or
    behind it is its first or last value. What is beside the values (marks, times) is taken from the nearest
    network sample.

    Parameters
    ----------
    fs, there
        Rates of the source and of the network, Hz.

    Attributes
    ----------
    delay_s
        How long a value waits for the second half of the filter, s.
    """

    def __init__(self, fs: float, there: float) -> None:
        self.up, self.down = ratio(fs, there)
        self._filter = Resampler(there, fs)
        self._reach = self._filter.reach
        self.delay_s = self._filter.delay_s
        self.next: int | None = None
        """Network sample that must follow; None where a segment begins."""
        self._ended = False

    def snapshot(self) -> Tree:
        """What is needed to go on."""
        names = ("next", "_ended", "_first", "_values_first", "_values", "_beside")
        return {name: getattr(self, name) for name in names if hasattr(self, name)}

    def restore(self, kept: Tree) -> None:
        """Go on from what `snapshot` took at the same rates."""
        vars(self).update(kept)

    def push(self, start: int, values: Samples, *beside: NDArray[Any]) -> None:
        """Take values, (rows, samples), from network sample `start` on, and what is beside them.

        The last axis of all that is beside them is that of the samples.
        """
        if not values.shape[1]:
            return
        if self.next is None:
            self._first = start
            self._values_first = start - self._reach - _EDGE
            self._values = np.repeat(values[:, :1], self._reach + _EDGE, axis=1)
            self._beside = [each[..., :0] for each in beside]
            self._ended = False
        self._values = np.concatenate([self._values, values], axis=1)
        self._beside = [np.concatenate(pair, axis=-1) for pair in zip(self._beside, beside, strict=True)]
        self.next = start + values.shape[1]

    def end(self) -> None:
        """The segment ends here; what is pushed next begins another one."""
        if self.next is not None:
            ahead = np.repeat(self._values[:, -1:], self._reach + _EDGE, axis=1)
            self._values = np.concatenate([self._values, ahead], axis=1)
        self._ended, self.next = True, None

    @property
    def known(self) -> int:
        """Samples of the source before this one can be read: any number in a segment that has ended."""
        if self._ended:
            return sys.maxsize
        return 0 if self.next is None else -(-(self.next - self._reach) * self.down // self.up)

    def read(self, start: int, stop: int, rows: slice = slice(None)) -> tuple[Samples, list[NDArray[Any]]]:
        """Values and what is beside them at samples start … stop-1 of the source, which must be known.

        A value is NaN where the nearest one is; next to these, the filter takes those that are there.
        """
        position = np.arange(start, stop) * self.up
        nearest = (2 * position + self.down) // (2 * self.down)
        last = self._first + self._beside[0].shape[-1] - 1
        nearest = np.minimum(np.maximum(nearest, self._first), last) - self._first
        values = self._values[rows]
        phase = position % self.down * self._filter.up // self.down
        whole = position // self.down - self._values_first
        # A sum is the cheapest test for NaN and infinity.
        if isfinite(np.add.reduce(values, axis=None)):
            read = self._filter.between(values, whole, phase)
        else:
            known = np.isfinite(values)
            weight = self._filter.between(known.astype(np.float32), whole, phase)
            summed = self._filter.between(np.where(known, values, np.float32(0)), whole, phase)
            there = known[:, nearest + self._first - self._values_first] & (weight > _LEAST_WEIGHT)
            read = np.where(there, summed / np.where(there, weight, np.float32(1)), np.float32(np.nan))
        return read, [each[..., nearest] for each in self._beside]

    def forget(self, before: int) -> None:
        """Samples of the source before this one will not be read again."""
        # A nearest sample lies up to one before.
        unneeded = before * self.up // self.down - self._reach - 1 - self._values_first
        if unneeded > 0:
            self._values = self._values[:, unneeded:]
            self._values_first += unneeded
        passed = min(before * self.up // self.down - 1 - self._first, self._beside[0].shape[-1] - 1)
        if passed > 0:
            self._beside = [each[..., passed:] for each in self._beside]
            self._first += passed


_LEAST_WEIGHT = 0.1
"""Share of a filter's weight that must fall on values that are there."""
