"""Rows of arrays that are kept for all streams together: each lead of each stream has one of its own.

What a stage knows of many leads lies in few arrays, so that the leads that are ready together cost it
about as many calls of numpy as one lead does.
"""

from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.snapshot import Tree

Rows = slice | NDArray[np.intp]
"""Rows that are ready together: a slice where they lie side by side, which numpy reads without copying."""


def index_of(rows: Rows) -> NDArray[np.intp]:
    """The same rows, number by number."""
    return np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows


def rows_at(index: NDArray[np.intp]) -> Rows:
    """The same rows, as a slice where they lie side by side in order."""
    if index.size and (np.diff(index) == 1).all():
        return slice(int(index[0]), int(index[-1]) + 1)
    return index


def joined(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Arrays with a row for each lead of a stream, those of several streams below each other."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def parted(rows: NDArray[Any], counts: Sequence[int]) -> Iterable[NDArray[Any]]:
    """The rows of each of several streams, views of so many each: the reverse of `joined`."""
    if min(counts) == max(counts):
        return rows.reshape(len(counts), counts[0], *rows.shape[1:])
    return [rows[start:stop] for start, stop in pairwise(accumulate(counts, initial=0))]


def same(values: NDArray[np.int64]) -> bool:
    """Whether all of these, of which there is at least one, are equal."""
    return len(values) == 1 or bool((values == values[0]).all())


def any_of(flags: NDArray[Any]) -> bool:
    """Whether one of these is true, or not 0; on few of them cheaper than numpy's own method."""
    return int(np.count_nonzero(flags)) > 0


def all_of(flags: NDArray[np.bool_]) -> bool:
    """Whether all of these are true."""
    return int(np.count_nonzero(flags)) == flags.size


class Bank:
    """Arrays in which the last axis is that of the rows; each starts afresh on its own.

    Whatever array a bank holds is one of these: `grow` finds them by that.
    """

    def grow(self, rows: int) -> None:
        """Have so many rows, the new ones afresh."""
        before = 0
        for name, kept in vars(self).items():
            if isinstance(kept, np.ndarray):
                before = kept.shape[-1]
                more = np.zeros((*kept.shape[:-1], rows - before), kept.dtype)
                setattr(self, name, np.concatenate([kept, more], axis=-1))
        self.forget(slice(before, rows))

    def snapshot(self) -> Tree:
        """All arrays, by name."""
        return {name: kept for name, kept in vars(self).items() if isinstance(kept, np.ndarray)}

    def restore(self, kept: Tree) -> None:
        """Go on from what `snapshot` took of a bank with as many rows."""
        vars(self).update(kept)

    def forget(self, rows: Rows) -> None:
        """Start these afresh, as after a gap."""
        raise NotImplementedError
