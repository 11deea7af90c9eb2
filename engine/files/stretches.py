"""Where samples lie in time whose recording was interrupted: stretches, and gaps between them."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

LONGEST_S = 31 * 24 * 3600.0
"""From the first to the last sample: gaps take time too, and a clock that was set makes a gap of years."""


class Stretch(NamedTuple):
    """Consecutive samples of one channel.

    Parameters
    ----------
    at
        Index of the first one in time, the first sample of the file being 0.
    stored
        Its index among the samples that the file holds.
    """

    at: int
    stored: int
    length: int


class Stored(NamedTuple):
    """Samples start … stop-1 of those that a file holds, and where in a window of time they lie."""

    here: slice
    start: int
    stop: int


def samples_of(stretches: Sequence[Stretch]) -> int:
    """Samples from the first to the last, gaps included."""
    return stretches[-1].at + stretches[-1].length if stretches else 0


def stored_in(stretches: Sequence[Stretch], start: int, stop: int) -> Iterator[Stored]:
    """What a file holds of samples start … stop-1 in time; what lies between is missing."""
    first = max(0, int(np.searchsorted([each.at for each in stretches], start, "right")) - 1)
    for each in stretches[first:]:
        begin, end = max(start, each.at), min(stop, each.at + each.length)
        if each.at >= stop:
            return
        if begin < end:
            stored = each.stored - each.at
            yield Stored(slice(begin - start, end - start), begin + stored, end + stored)


def by_onsets(onsets: Sequence[float], count: int, fs: float) -> list[Stretch] | None:
    """Stretches of blocks of as many samples each, from when each block begins.

    A block that begins within a sample of the end of the one before goes on from it.

    Parameters
    ----------
    onsets
        Seconds, on any clock.
    count
        Samples of a block.
    fs
        Their rate, Hz.

    Returns
    -------
    list of Stretch
        None where blocks overlap, or do not follow each other in time.
    """
    stretches: list[Stretch] = []
    for place, onset in enumerate(onsets):
        at, stop = round((onset - onsets[0]) * fs), samples_of(stretches)
        if at < stop - 1:
            return None
        if stretches and at <= stop + 1:
            last = stretches.pop()
            stretches.append(last._replace(length=last.length + count))
        else:
            stretches.append(Stretch(at, place * count, count))
    return stretches
