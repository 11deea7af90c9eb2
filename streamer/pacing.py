"""Spikes of pacemakers, bridged before a lead's rate is changed: a resampler would make beats of them.

A spike of a millisecond and hundreds of mV has left its amplifier some samples long. A low-pass spreads it
over tens of ms, where it looks like a QRS complex, with or without a heart that follows it.
"""

import numpy as np

from streamer.chunk import Samples

STEP_MV = 5.0
"""A spike rises and falls by more than this between two samples, from `SLOWEST_HZ` to `FASTEST_HZ`; beyond
them it is so steep. A QRS complex of 5 mV and 20 ms reaches 2 mV at 250 Hz."""
SLOWEST_HZ, FASTEST_HZ = 250.0, 1000.0
QUIET_S, QUIET_SHARE, TIMES = 0.25, 0.75, 50.0
"""It steps by more than so many times what this share of the steps in so long before it stay below. Electrode
motion and muscle noise at -6 dB step by up to 25 mV at 250 Hz, and reach 40 times."""
LONGEST_S = 0.012
"""From the first such step to the last. What has more of them is no spike."""
BEFORE_S, AFTER_S = 0.004, 0.010
"""A bridge begins before the first step, and ends after the last, where an amplifier has settled."""


class SpikeBridge:
    """Draws a line over each spike of a stretch; what does not come back to where it was stays.

    Parameters
    ----------
    fs
        Rate of the stretches, Hz.

    Attributes
    ----------
    step_mv
        Steps of a spike are larger. Without one, a stretch has none.
    reach
        Samples before a spike's last one that decide whether it is one.
    """

    def __init__(self, fs: float) -> None:
        self.step_mv = STEP_MV * max(1.0, SLOWEST_HZ / fs) * min(1.0, FASTEST_HZ / fs)
        self._before, self._after = (int(np.ceil(span * fs)) for span in (BEFORE_S, AFTER_S))
        self._longest, self._quiet = int(LONGEST_S * fs), int(np.ceil(QUIET_S * fs))
        self.reach = self._quiet + self._before + self._longest + self._after + 2

    def bridged(self, stretch: Samples) -> Samples:
        """The same, (samples,) mV, without its spikes.

        Where a stretch ends within a bridge, it ends level. A stretch with a missing sample (NaN) is left
        alone, for nothing that is missing may be made up, and so is its first quarter of a second.
        """
        moves = np.abs(np.diff(stretch))
        steps = np.flatnonzero(moves > self.step_mv)
        if not steps.size or np.isnan(stretch).any():
            return stretch
        result = stretch.copy()
        apart = np.diff(steps) > self._before + self._after + 2
        for group in np.split(steps, np.flatnonzero(apart) + 1):
            # A step lies behind its sample.
            start, stop = int(group[0]) - self._before, int(group[-1]) + 2 + self._after
            quiet = moves[start - 1 - self._quiet : start - 1] if start > self._quiet else moves[:0]
            if group[-1] - group[0] > self._longest or not quiet.size:
                continue
            usual = int(QUIET_SHARE * quiet.size)
            if moves[group].max() <= TIMES * np.partition(quiet, usual)[usual]:
                continue
            begin = stretch[start - 1]
            end = stretch[stop] if stop < len(stretch) else begin
            if abs(end - begin) <= self.step_mv:
                inside = np.arange(start, min(stop, len(stretch)))
                result[inside] = np.interp(inside, [start - 1, stop], [begin, end])
        return result
