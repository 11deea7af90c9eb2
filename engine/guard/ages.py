"""How many hops of each lead were judged since it began: all that recurs in the guard follows from it."""

import numpy as np
from numpy.typing import NDArray

from engine.guard.rows import Bank, Rows, same
from engine.snapshot import Tree

Age = int | NDArray[np.int64]
"""Of several rows: a number where all are of one age, else (rows,)."""


class Ages(Bank):
    """Counts the hops of each row.

    The rows that are judged together are mostly those of the hop before, and of one age: then a plain
    number is counted, and written to the array when something else is asked for.

    Parameters
    ----------
    rows
        Number of rows.
    """

    def __init__(self, rows: int) -> None:
        self._of = np.zeros(rows, np.int64)
        self._together: Rows | None = None
        self._common = 0

    def next(self, rows: Rows) -> Age:
        """Age of these rows before this hop; it is counted."""
        if rows is self._together:
            self._common += 1
            return self._common - 1
        self._write()
        ages = self._of[rows]
        if same(ages):
            self._together, self._common = rows, int(ages[0]) + 1
            return self._common - 1
        self._of[rows] = ages + 1
        # Of a slice it would be a view, which has been counted on.
        return self._of[rows] - 1

    def forget(self, rows: Rows) -> None:
        """Begin afresh, as after a gap."""
        self._write()
        self._of[rows] = 0

    def grow(self, rows: int) -> None:
        """Have so many rows, the new ones afresh."""
        self._write()
        super().grow(rows)

    def snapshot(self) -> Tree:
        """The age of each row."""
        self._write()
        return super().snapshot()

    def restore(self, kept: Tree) -> None:
        """Go on from what `snapshot` took of as many rows."""
        self._together = None
        super().restore(kept)

    def _write(self) -> None:
        if self._together is not None:
            self._of[self._together] = self._common
            self._together = None
