"""The newest samples that left the network, of every lead, to look back at."""

import numpy as np
from numpy.typing import NDArray

from engine.guard.ages import Age
from engine.guard.rows import Rows, index_of
from engine.snapshot import Tree
from streamer.chunk import Samples

RAW, CLEANED, MEAN_SQUARE = range(3)


class Left:
    """Raw, cleaned and mean square of the newest window of each row.

    Hops are written side by side, and move back only where the space behind them is full. Where a hop
    stands follows from the row's age. Rows of different ages are read and written together all the same.

    Parameters
    ----------
    rows
        Number of rows.
    window
        Samples to look back at.
    hop
        Samples that leave together; fewer only in the first hop of a row.
    """

    def __init__(self, rows: int, window: int, hop: int) -> None:
        self._window, self._hop = window, hop
        self._places = max(1, window // hop)
        self._kept = np.zeros((3, rows, window + self._places * hop), np.float32)

    def snapshot(self) -> Tree:
        """All that is kept."""
        return self._kept

    def restore(self, kept: Tree) -> None:
        """Go on from what `snapshot` took of as many rows."""
        self._kept = kept

    def grow(self, rows: int) -> None:
        """Have so many rows, the new ones silent."""
        sides, before, columns = self._kept.shape
        nothing = np.zeros((sides, rows - before, columns), np.float32)
        self._kept = np.concatenate([self._kept, nothing], axis=1)

    def forget(self, rows: Rows) -> None:
        """Hold silence, as after a gap."""
        self._kept[:, rows] = 0

    def append(self, rows: Rows, age: Age, raw: Samples, cleaned: Samples, mean_square: Samples) -> None:
        """Add the hop of this age, each (rows, samples), in mV and mV²."""
        self._make_room(rows, age)
        stop, count = self._stop(age), raw.shape[1]
        if isinstance(stop, int):
            new = self._kept[:, :, stop - count : stop]
            new[RAW, rows], new[CLEANED, rows], new[MEAN_SQUARE, rows] = raw, cleaned, mean_square
            return
        at = index_of(rows)[:, None], np.reshape(stop, (-1, 1)) + np.arange(-count, 0)
        for side, samples in ((RAW, raw), (CLEANED, cleaned), (MEAN_SQUARE, mean_square)):
            self._kept[side, *at] = samples

    def _stop(self, age: Age) -> Age:
        """Where the hop of this age ends."""
        return self._window + (age % self._places + 1) * self._hop

    def _make_room(self, rows: Rows, age: Age) -> None:
        """Move back the newest window of the rows whose space is full."""
        full = (age % self._places == 0) & (age != 0)
        if isinstance(full, bool):
            if not full:
                return
            moved = rows
        elif full.any():
            moved = index_of(rows)[full]
        else:
            return
        window = self._window
        self._kept[:, moved, :window] = self._kept[:, moved, -window:]

    def newest(self, rows: Rows, age: Age, count: int) -> NDArray[np.float32]:
        """The newest samples after the hop of this age, (3, rows, count): not to be written to."""
        stop = self._stop(age)
        if isinstance(stop, int):
            return self._kept[:, rows, stop - count : stop]
        return self._kept[:, index_of(rows)[:, None], stop[:, None] + np.arange(-count, 0)]
