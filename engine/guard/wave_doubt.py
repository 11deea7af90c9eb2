"""Where a wave is smaller than the network's uncertainty of it: it can be read neither as there nor as gone.

The guard shows raw where nothing of the output is to be trusted. Here the output stays, and is said to be
unsure: with electrode motion P waves go first, then T waves, and QRS complexes last.
"""

import numpy as np
from numpy.typing import NDArray

from engine.messages import Cleaned, Gap
from streamer.chunk import Samples

JUDGED_S = 0.1
"""Length of a stretch that is judged as a whole: about a P wave or a QRS complex."""
BASELINE_S = 2.0
"""The baseline is the median of cleaned over so much before a stretch's end, or of what there is of it."""
TIMES = 2.0
"""A wave is unsure that is not so many times as high above the baseline as the mean spread within it: of
normally distributed errors 95 % are smaller."""
LEAST_MV = 0.1
"""And only where so many spreads are more than this, the height of a P wave, which could hide there."""
BEAT_S = 0.05
"""A beat is unsure where all is within so much of it, to either side."""


def stretch_of(fs: float) -> int:
    """Samples that are judged as a whole."""
    return max(1, round(JUDGED_S * fs))


class WaveDoubt:
    """Judges a stream's cleaned samples as they come, in stretches of `JUDGED_S`; any cut gives the same.

    A stretch begins at a multiple of its length, and is judged from what lies before its end. One with a
    sample that the network did not make (its spread is not known) is not judged, and not unsure.

    Parameters
    ----------
    leads
        Number of leads.
    fs
        Hz.
    """

    def __init__(self, leads: int, fs: float) -> None:
        self._length = stretch_of(fs)
        self._reach = round(BASELINE_S * fs)
        self._nothing = np.empty((leads, 0), np.bool_)
        self._kept: list[tuple[int, int, Samples]] = []  # start, stop, and cleaned with its spread
        self._next = self._judged = 0

    def push(self, message: Cleaned | Gap) -> tuple[int, NDArray[np.bool_]]:
        """Take what left the engine; index of the first sample that is judged now, and (leads, samples)."""
        if isinstance(message, Gap) or message.start != self._next:
            self._kept.clear()
            start = message.stop if isinstance(message, Gap) else message.start
            self._judged = -(-start // self._length) * self._length
        self._next = message.stop
        if isinstance(message, Gap):
            return self._judged, self._nothing
        self._kept.append((message.start, message.stop, np.stack([message.cleaned, message.spread])))
        first, found = self._judged, [self._nothing]
        while self._judged + self._length <= message.stop:
            self._judged += self._length
            found.append(np.repeat(self._unsure(self._judged)[:, None], self._length, axis=1))
        while self._kept and self._kept[0][1] <= self._judged - self._reach:
            self._kept.pop(0)
        return first, np.concatenate(found, axis=1)

    def _unsure(self, stop: int) -> NDArray[np.bool_]:
        """Of each lead, whether the stretch is unsure that ends before a sample."""
        doubt = TIMES * self._read(stop - self._length, stop)[1].mean(axis=1)
        # Most stretches are sure without their baseline, which is dear. A comparison with NaN is false.
        if not (doubt > LEAST_MV).any():
            return np.zeros(len(doubt), np.bool_)
        return _is_unsure(doubt, self._read(stop - self._reach, stop)[0], self._length)

    def _read(self, start: int, stop: int) -> Samples:
        """Samples start … stop-1 of cleaned and its spread, (2, leads, samples); fewer where not all came."""
        first = len(self._kept)
        while first and self._kept[first - 1][1] > start:
            first -= 1
        parts = self._kept[first:]
        joined: Samples = np.concatenate([part for _, _, part in parts], axis=2)
        return joined[:, :, max(0, start - parts[0][0]) : stop - parts[0][0]]


def _is_unsure(doubt: Samples, cleaned: Samples, length: int) -> NDArray[np.bool_]:
    """Of each lead, by its doubt and by cleaned over `BASELINE_S`, whose last `length` samples are judged."""
    wave = cleaned[:, -length:] - np.nanmedian(cleaned, axis=1, keepdims=True)
    unsure: NDArray[np.bool_] = (doubt > LEAST_MV) & (doubt > np.abs(wave).max(axis=1))
    return unsure


def unsure_of(cleaned: Samples, spread: Samples, fs: float, skipped: int = 0) -> NDArray[np.bool_]:
    """As `WaveDoubt`, of one lead that is there already, (samples,); judged from its begin.

    Parameters
    ----------
    cleaned, spread
        (samples,), mV; NaN where nothing is known.
    skipped
        So many samples at the begin are not judged; baselines reach into them.
    """
    length, reach = stretch_of(fs), round(BASELINE_S * fs)
    unsure = np.zeros(len(cleaned), np.bool_)
    whole = (len(cleaned) - skipped) // length * length
    doubts = TIMES * spread[skipped : skipped + whole].reshape(-1, length).mean(axis=1)
    for stretch in np.flatnonzero(doubts > LEAST_MV):
        start = skipped + int(stretch) * length
        stop = start + length
        before = cleaned[None, max(0, stop - reach) : stop]
        unsure[start:stop] = _is_unsure(doubts[stretch : stretch + 1], before, length)[0]
    return unsure


def unsure_beats(beats: NDArray[np.int64], unsure: NDArray[np.bool_], fs: float) -> NDArray[np.bool_]:
    """Which beats are unsure, (beats,).

    Parameters
    ----------
    beats
        Where in the trace they are, in order.
    unsure
        Of the same trace, (samples,), by `WaveDoubt`.
    """
    reach = max(1, round(BEAT_S * fs))
    before = np.concatenate([[0], np.cumsum(unsure)])
    start, stop = np.maximum(beats - reach, 0), np.minimum(beats + reach, len(unsure))
    every: NDArray[np.bool_] = before[stop] - before[start] == stop - start
    return every & (stop > start)
