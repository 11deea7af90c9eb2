"""What is worked out of a stream's kept samples when somebody looks at it, and not before.

The ST view, and which waves are unsure, cost more than to keep a hop; most leads of a ward are shown by
nobody. What is looked at is the same as if it had been worked out hop by hop.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.guard.wave_doubt import BASELINE_S, stretch_of, unsure_of
from engine.st_view import StView
from streamer.chunk import Samples

NOT_JUDGED, SURE, UNSURE = np.uint8(0), np.uint8(1), np.uint8(2)
_BLOCK_S = 10.0
"""At once: a half hour in one piece would need its memory twice."""
Gaps = Sequence[tuple[int, int]]
"""Where samples are missing, start and stop, in order."""


def stretches(gaps: Gaps, start: int, stop: int) -> list[tuple[int, int]]:
    """Samples start … stop-1 without the gaps: where each stretch begins and ends, in order."""
    found = []
    for gap_start, gap_stop in reversed(gaps):
        if gap_stop <= start:
            break
        if gap_stop < stop:
            found.append((gap_stop, stop))
        stop = min(stop, gap_start)
    if start < stop:
        found.append((start, stop))
    return found[::-1]


class StOnDemand:
    """The ST view of a stream, as far as it has been asked for.

    A stretch whose begin is not kept any more begins with the oldest sample that is; after a minute the view
    is the same.

    Parameters
    ----------
    leads, fs
        As for `engine.st_view.StView`.
    """

    def __init__(self, leads: int, fs: float) -> None:
        self._view = StView(leads, fs)
        self._block = round(_BLOCK_S * fs)
        self._until = 0
        self.behind = round(self._view.delay_s * fs)

    def catch_up(
        self, raw: Samples, cleaned: Samples, gaps: Gaps, oldest: int, final: int
    ) -> Iterator[tuple[int, Samples]]:
        """What has become known since the last call, up to the last sample that was released.

        Parameters
        ----------
        raw, cleaned
            Rings, (leads, capacity), in which sample n stands at n modulo capacity.
        gaps
            Of the stream.
        oldest, final
            The oldest sample that is kept, and the first that was not released.

        Yields
        ------
        tuple
            As `StView.push` returns it.
        """
        if self._until >= final:
            return
        for start, stop in stretches(gaps, max(self._until, oldest), final):
            if start != self._until:
                yield self._view.rest()
            for at in range(start, stop, self._block):
                end = min(stop, at + self._block)
                yield self._view.push(at, _cut(raw, at, end), _cut(cleaned, at, end))
            self._until = stop
        if self._until < final:
            yield self._view.rest()
            self._until = final


def judge(
    verdicts: NDArray[np.uint8],
    rings: tuple[NDArray[np.float32], NDArray[np.float32]],
    fs: float,
    gaps: Gaps,
    kept: tuple[int, int],
    asked: tuple[int, int],
) -> None:
    """Judge what has not been judged yet of the samples asked for, in whole stretches.

    Parameters
    ----------
    verdicts
        Ring of one lead, (capacity,): `NOT_JUDGED`, `SURE` or `UNSURE`.
    rings
        Cleaned and spread of that lead, (capacity,), mV.
    fs
        Hz.
    gaps
        Of the stream.
    kept
        The oldest sample that is kept, and the first that was not released.
    asked
        Samples start … stop-1.
    """
    length = stretch_of(fs)
    oldest, final = kept
    start = -(-max(oldest, asked[0] // length * length) // length) * length
    stop = min(-(-asked[1] // length) * length, final // length * length)
    if start >= stop:
        return
    # The first sample of each tells: all of a stretch are judged together.
    open_ = np.flatnonzero(verdicts[np.arange(start, stop, length) % verdicts.size] == NOT_JUDGED)
    if not open_.size:
        return
    start, stop = start + int(open_[0]) * length, start + (int(open_[-1]) + 1) * length
    reach = round(BASELINE_S * fs)
    found = np.full(stop - start, SURE)
    # A stretch with a gap in it is not judged, and a baseline does not reach over one.
    for begin, end in stretches(gaps, max(oldest, start - reach), stop):
        first = max(start, -(-begin // length) * length)
        if first + length <= end:
            cleaned, spread = (_cut(ring[None], begin, end)[0] for ring in rings)
            unsure = unsure_of(cleaned, spread, fs, first - begin)[first - begin :]
            found[first - start : end - start][unsure] = UNSURE
    at = np.arange(start, stop) % verdicts.size
    verdicts[at] = found


def _cut(ring: Samples, start: int, stop: int) -> Samples:
    """Copy of samples start … stop-1, all of which are kept."""
    capacity = ring.shape[1]
    at = start % capacity
    head = min(stop - start, capacity - at)
    return np.concatenate([ring[:, at : at + head], ring[:, : stop - start - head]], axis=1)
