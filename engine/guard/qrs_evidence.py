"""How strongly raw and cleaned show a QRS, hop by hop: cheap, causal, with a memory of a few seconds.

A QRS rises and falls steeply within a tenth of a second. So its strength at a moment is the lesser of
the steepest rise and the steepest fall around it. Baseline wander, P and T waves have neither; a step
of an electrode has only one of them.
"""

from math import isfinite

import numpy as np
from numpy.typing import NDArray

from engine.config import EngineConfig
from engine.guard.ages import Age
from engine.guard.rows import Bank, Rows, index_of
from streamer.chunk import Samples

Strength = NDArray[np.float32]
"""Of each row, mV."""

SLOPE_S = 0.022
"""A rise or fall is measured over this: half of a narrow QRS."""
LASTING_S = 0.006
"""A rise or fall goes on for longer than this: a pacemaker's spike lasts 2 ms."""
REACH_S = 0.1
"""A QRS is looked for this far to either side: a wide ventricular one fits in."""
LEAD_S = 0.15
"""A hop is judged this long before it leaves, or half of the look-ahead where that is less."""
LEVEL_S, LEVELS = 2.0, 3
"""Typical strength is the median of the maxima of `LEVELS` stretches of `LEVEL_S` each."""
_FLOOR_PERCENTILE = 20
_COUNTED = 0.5
"""Share of the typical strength from which a beat counts for the rate."""


class QrsEvidence(Bank):
    """Strength of QRS in mV of each row, from what the network sees and answers.

    Attributes
    ----------
    level
        Typical strength of a beat in raw and in cleaned, shape (2, rows), mV; 0 before it is known.
    floor
        Strength between beats, in the same shape.
    bpm
        Beats per minute over the last seconds, in the same shape; NaN where less than three were seen.
    """

    def __init__(self, config: EngineConfig, rows: int) -> None:
        fs, window = config.fs, config.window
        behind = config.lookahead - min(round(LEAD_S * fs), config.lookahead // 2)
        reach = round(REACH_S * fs)
        stop = window - max(0, behind - reach)
        start = max(0, window - behind - config.hop - reach)
        self.span = slice(start, stop)
        """Samples of the window to look at."""
        self._lag = min(round(SLOPE_S * fs), stop - start - 1)
        """Samples over which a slope is measured; 0 where the window is too short for one."""
        self._lasting = min(round(LASTING_S * fs), stop - start - self._lag - 1)
        self._hop_s = config.hop / fs
        self._per_level = max(1, round(LEVEL_S * fs / config.hop))
        self._hops = LEVELS * self._per_level
        self._seen = np.zeros((self._hops, 2, rows), np.float32)
        self.level: NDArray[np.float32] = np.zeros((2, rows), np.float32)
        self.floor: NDArray[np.float32] = np.zeros((2, rows), np.float32)
        self.bpm: NDArray[np.float64] = np.zeros((2, rows))
        self.forget(slice(0, rows))

    def forget(self, rows: Rows) -> None:
        """Begin afresh, as after a gap."""
        self._seen[..., rows] = 0
        self.level[:, rows] = 0
        self.floor[:, rows] = 0
        self.bpm[:, rows] = np.nan

    def known(self, age: Age) -> bool | NDArray[np.bool_]:
        """Whether enough was seen for `level` and `floor`, the hop of this age included."""
        return age + 1 >= self._hops

    def push(self, rows: Rows, age: Age, part: Samples) -> tuple[Strength, Strength]:
        """Around the judged hop: strength in raw and in cleaned, (2, rows), and the steepest of raw, mV.

        Parameters
        ----------
        part
            `span` of raw and of cleaned, (2, rows, samples) mV.
        """
        lag = self._lag
        late, early = part[:, :, lag:], part[:, :, : part.shape[2] - lag]
        rises = np.empty((2, *late.shape), np.float32)
        np.subtract(late, early, out=rises[0])
        # A fall is a rise of what stands on its head.
        np.subtract(early, late, out=rises[1])
        # A pacemaker's spike is steep both ways too, but shorter than `LASTING_S`.
        lasting = self._lasting
        both = np.minimum(rises[..., : rises.shape[3] - lasting], rises[..., lasting:])
        rise, fall = np.maximum.reduce(both, axis=3)
        strength: Strength = np.minimum(rise, fall)
        at = age % self._hops
        if isinstance(at, int):
            # In two steps: a number and an array of rows in one index would put the rows first.
            self._seen[at][:, rows] = strength
        else:
            self._seen[at, :, index_of(rows)] = strength.T
        return strength, np.maximum(rise[0], fall[0])

    def settle(self, rows: Rows, age: Age) -> None:
        """Bring `level`, `floor` and `bpm` up to date after the hop of this age."""
        seen = self._seen[:, :, rows]
        # A sum is the cheapest test for NaN and infinity.
        if not isfinite(np.add.reduce(seen, axis=None)):
            seen = np.nan_to_num(seen, nan=0.0, posinf=0.0, neginf=0.0)
        greatest = np.maximum.reduce(seen.reshape(LEVELS, self._per_level, *seen.shape[1:]), axis=1)
        greatest.sort(axis=0)
        level = greatest[LEVELS // 2]
        self.level[:, rows] = level
        self.floor[:, rows] = _floor(seen)
        above = self._in_order(age, seen > _COUNTED * level)
        beats = above[1:] > above[:-1]
        count = np.add.reduce(beats, axis=0, dtype=np.int64)
        hops = len(beats) - 1 - beats[::-1].argmax(axis=0) - beats.argmax(axis=0)
        rate = 60 * (count - 1) / (np.maximum(hops, 1) * self._hop_s)
        self.bpm[:, rows] = np.where(count >= 3, rate, np.nan)

    def _in_order(self, age: Age, above: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """What was seen of each row, (hops, 2, rows), the oldest first."""
        oldest = (age + 1) % self._hops
        if isinstance(oldest, int):
            return np.concatenate([above[oldest:], above[:oldest]])
        order = (oldest + np.arange(self._hops)[:, None]) % self._hops
        return np.take_along_axis(above, order[:, None, :], axis=0)


def _floor(seen: NDArray[np.float32]) -> NDArray[np.float32]:
    """The percentile of the strength between beats, over the first axis.

    To the bit what `numpy.percentile` says, and cheaper: it is asked for at every look.
    """
    position = (len(seen) - 1) * (_FLOOR_PERCENTILE / 100)
    below = int(position)
    above = min(below + 1, len(seen) - 1)
    ordered = np.partition(seen, (below, above), axis=0)
    least, next_least = ordered[below], ordered[above]
    between, apart = position - below, next_least - least
    # From the nearer of the two, as numpy does.
    floor: NDArray[np.float32]
    floor = next_least - apart * (1 - between) if between >= 0.5 else least + apart * between
    return floor
