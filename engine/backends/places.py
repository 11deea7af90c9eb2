"""Where states lie on a device: rows of its memory, given out by number."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
"""Places, one for each row of a call; none twice."""
PLACES = 4096
"""Rows whose states stay on a GPU, 41 kB each; those of more come and go."""


class Places:
    """The places that are free.

    Parameters
    ----------
    numbers
        Of all places there are.
    """

    def __init__(self, numbers: range) -> None:
        # Taken from the end, so the first are given out first.
        self._free = list(reversed(numbers))

    def __len__(self) -> int:
        """How many are free."""
        return len(self._free)

    def claim(self, rows: int) -> Rows | None:
        """So many places, or None where fewer are free."""
        if rows > len(self._free):
            return None
        return np.array([self._free.pop() for _ in range(rows)], np.int64)

    def release(self, places: Iterable[int]) -> None:
        """Take places back; what they hold is then nobody's."""
        self._free += map(int, places)
