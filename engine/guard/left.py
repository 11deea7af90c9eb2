"""The newest samples that left the network, of every lead, to look back at."""

import numpy as np
from numpy.typing import NDArray

from engine.guard.rows import Rows, index_of, same
from engine.snapshot import Tree
from streamer.chunk import Samples

RAW, CLEANED, MEAN_SQUARE = range(3)


class Left:
    """Raw, cleaned and mean square of the newest window of each row.

    Samples are written side by side, and move back only where the space behind them is full. Rows that
    stand at different places, since their streams began at different times, are read and written together
    all the same.

    Parameters
    ----------
    rows
        Number of rows.
    window
        Samples to look back at.
    """

    def __init__(self, rows: int, window: int) -> None:
        self._window = window
        self._kept = np.zeros((3, rows, 2 * window), np.float32)
        self._stop = np.full(rows, window)

    def snapshot(self) -> Tree:
        """The newest window of each row."""
        return self.newest(slice(0, len(self._stop)), self._window)

    def restore(self, kept: Tree) -> None:
        """Go on from what `snapshot` took of as many rows."""
        self._kept[:, :, : self._window] = kept
        self._stop[:] = self._window

    def grow(self, rows: int) -> None:
        """Have so many rows, the new ones silent."""
        more = rows - len(self._stop)
        nothing = np.zeros((3, more, 2 * self._window), np.float32)
        self._kept = np.concatenate([self._kept, nothing], axis=1)
        self._stop = np.concatenate([self._stop, np.full(more, self._window)])

    def forget(self, rows: Rows) -> None:
        """Hold silence, as after a gap."""
        self._kept[:, rows] = 0
        self._stop[rows] = self._window

    def append(self, rows: Rows, raw: Samples, cleaned: Samples, mean_square: Samples) -> None:
        """Add samples, each (rows, samples), in mV and mV²."""
        count = raw.shape[1]
        self._make_room(rows, count)
        stop = self._stop[rows]
        if same(stop):
            first = int(stop[0])
            new = self._kept[:, :, first : first + count]
            new[RAW, rows], new[CLEANED, rows], new[MEAN_SQUARE, rows] = raw, cleaned, mean_square
        else:
            at = index_of(rows)[:, None], stop[:, None] + np.arange(count)
            for side, samples in ((RAW, raw), (CLEANED, cleaned), (MEAN_SQUARE, mean_square)):
                self._kept[side, *at] = samples
        self._stop[rows] += count

    def _make_room(self, rows: Rows, count: int) -> None:
        full = self._stop[rows] + count > self._kept.shape[2]
        if not full.any():
            return
        window = self._window
        for row in index_of(rows)[full]:
            stop = self._stop[row]
            self._kept[:, row, :window] = self._kept[:, row, stop - window : stop].copy()
            self._stop[row] = window

    def newest(self, rows: Rows, count: int) -> NDArray[np.float32]:
        """The newest samples of these rows, (3, rows, count): not to be written to."""
        stop = self._stop[rows]
        if same(stop):
            last = int(stop[0])
            return self._kept[:, rows, last - count : last]
        return self._kept[:, index_of(rows)[:, None], stop[:, None] + np.arange(-count, 0)]
