"""How strongly raw and cleaned show a QRS, hop by hop: cheap, causal, with a memory of a few seconds.

A QRS rises and falls steeply within a tenth of a second. So its strength at a moment is the lesser of
the steepest rise and the steepest fall around it. Baseline wander, P and T waves have neither; a step
of an electrode has only one of them.
"""

import numpy as np
from numpy.typing import NDArray

from engine.config import EngineConfig
from streamer.chunk import Samples

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


class QrsEvidence:
    """Strength of QRS in mV of one stream, from the windows that the network sees and answers.

    Attributes
    ----------
    level
        Typical strength of a beat in raw and in cleaned, shape (2, leads), mV; 0 before it is known.
    floor
        Strength between beats, in the same shape.
    bpm
        Beats per minute over the last seconds, in the same shape; NaN where less than three were seen.
    """

    def __init__(self, config: EngineConfig, leads: int) -> None:
        fs, window = config.fs, config.window
        behind = config.lookahead - min(round(LEAD_S * fs), config.lookahead // 2)
        reach = round(REACH_S * fs)
        stop = window - max(0, behind - reach)
        start = max(0, window - behind - config.hop - reach)
        self._span = slice(start, stop)
        self._lag = min(round(SLOPE_S * fs), stop - start - 1)
        """Samples over which a slope is measured; 0 where the window is too short for one."""
        self._lasting = min(round(LASTING_S * fs), stop - start - self._lag - 1)
        self._part = np.zeros((2, leads, stop - start), np.float32)
        self._slope = np.zeros((2, leads, stop - start - self._lag), np.float32)
        self._hop_s = config.hop / fs
        self._per_level = max(1, round(LEVEL_S * fs / config.hop))
        self._seen = np.zeros((LEVELS * self._per_level, 2, leads), np.float32)
        self.forget()

    def forget(self) -> None:
        """Begin afresh, as after a gap."""
        self._count = 0
        self._seen[:] = 0
        leads = self._part.shape[1]
        self.level: NDArray[np.float32] = np.zeros((2, leads), np.float32)
        self.floor: NDArray[np.float32] = np.zeros((2, leads), np.float32)
        self.bpm: NDArray[np.float64] = np.full((2, leads), np.nan)

    @property
    def known(self) -> bool:
        """Whether enough was seen for `level` and `floor`."""
        return self._count >= len(self._seen)

    def push(self, window: Samples, predicted: Samples) -> tuple[list[float], list[float], list[float]]:
        """Around the judged hop: strength in raw, in cleaned, and the steepest of raw; by lead, mV."""
        part = self._part
        part[0] = window[:, self._span]
        part[1] = predicted[:, self._span]
        return self._measure(part)

    def push_both(self, both: Samples) -> tuple[list[float], list[float], list[float]]:
        """The same, of raw and cleaned in one array, (2, leads, window) mV, which is not copied."""
        return self._measure(both[:, :, self._span])

    def _measure(self, part: Samples) -> tuple[list[float], list[float], list[float]]:
        slope, lag = self._slope, self._lag
        np.subtract(part[:, :, lag:], part[:, :, : part.shape[2] - lag], out=slope)
        # A pacemaker's spike is steep both ways too, but shorter than `LASTING_S`.
        lasting = self._lasting
        early, late = slope[:, :, : slope.shape[2] - lasting], slope[:, :, lasting:]
        rise = np.maximum.reduce(np.minimum(early, late), axis=2)
        fall = np.minimum.reduce(np.maximum(early, late), axis=2)
        strength: NDArray[np.float32] = np.minimum(rise, -fall)
        self._seen[self._count % len(self._seen)] = strength
        self._count += 1
        raw, cleaned = strength.tolist()
        steepest: list[float] = np.maximum(rise[0], -fall[0]).tolist()
        return raw, cleaned, steepest

    def settle(self) -> None:
        """Bring `level`, `floor` and `bpm` up to date."""
        seen = self._seen
        if not np.isfinite(seen).all():
            seen = np.nan_to_num(seen, nan=0.0, posinf=0.0, neginf=0.0)
        greatest = np.maximum.reduce(seen.reshape(LEVELS, self._per_level, *seen.shape[1:]), axis=1)
        greatest.sort(axis=0)
        self.level = greatest[LEVELS // 2]
        self.floor = _floor(seen)
        above = seen > _COUNTED * self.level
        oldest = self._count % len(seen)
        if oldest:
            above = np.concatenate([above[oldest:], above[:oldest]])
        beats = above[1:] & ~above[:-1]
        count = beats.sum(axis=0)
        hops = len(beats) - 1 - beats[::-1].argmax(axis=0) - beats.argmax(axis=0)
        rate = 60 * (count - 1) / (np.maximum(hops, 1) * self._hop_s)
        self.bpm = np.where(count >= 3, rate, np.nan)


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
