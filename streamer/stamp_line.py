"""The line of a device's stamps over its sample count: where it is, and how much stamps scatter about it."""

import numpy as np
from numpy.typing import NDArray

_FOLLOW_S = 10.0  # time constant of the loop once the line is known
_LEARNT_S = 0.25
_UNSURE_S = 0.001  # an unknown rate may take the line off by this much before it is learnt
_JITTER = 8  # mean deviations: 6.4 standard deviations of Gaussian jitter
_WORST_S = 0.05  # mean deviation; a clock that scatters more is not followed further


class StampLine:
    """Offset and rate of a device's clock, followed by a second-order loop on the median of each run.

    So the true rate of a device is learnt, whatever its nominal rate is.

    Parameters
    ----------
    fs
        Nominal rate in Hz.

    Attributes
    ----------
    period
        Seconds of the device's clock between two samples.
    begun
        Whether a stamp is known from which to count.
    passed_s
        Signal that the line has passed, gaps included, in seconds.
    """

    def __init__(self, fs: float) -> None:
        self._nominal = self.period = 1 / fs
        self._scatter = self.period / 8
        self._due = 0.0  # stamp that the next sample should have
        self._followed_s = 0.0
        self.passed_s = 0.0
        self.begun = False

    @property
    def tolerance_s(self) -> float:
        """How far a stamp may be off the line and still be jitter."""
        unsure = _UNSURE_S if self._followed_s < _LEARNT_S else 0.0
        return max(self.period / 2, _JITTER * self._scatter, unsure)

    def set(self, stamp: float) -> None:
        """Expect this stamp next; rate and scatter stay what they are."""
        self._due = stamp
        self.begun = True

    def next(self, count: int) -> NDArray[np.float64]:
        """Stamps that the next `count` samples should have."""
        line: NDArray[np.float64] = self._due + np.arange(count, dtype=np.float64) * self.period
        return line

    def off(self, stamp: float) -> float:
        """By how much a stamp is behind the one that is expected next."""
        return stamp - self._due

    def skip(self, count: int) -> None:
        """Move past samples that did not come."""
        self._due += count * self.period
        self.passed_s += count * self.period

    def take(self, stamps: NDArray[np.float64], *, follow: bool) -> None:
        """Move past samples with these stamps, and learn how much they scatter.

        Parameters
        ----------
        follow
            Learn offset and rate from them too.
        """
        count = len(stamps)
        off = stamps - self.next(count)
        self.skip(count)
        span = count * self.period
        # Quick at first: with a quarter of the time followed, the error falls faster than time grows.
        known_s = min(max(self._followed_s / 4, 0.1), _FOLLOW_S)
        gain = 1 - np.exp(-span / known_s)
        limit = self.tolerance_s
        strays = float(np.minimum(np.abs(off), limit).mean())
        self._scatter += gain * (min(strays, _WORST_S) - self._scatter)
        if follow:
            middle = min(max(float(np.median(off)), -limit), limit)
            self._due += gain * middle
            period = self.period + gain**2 / 4 * middle / count
            self.period = min(max(period, 0.95 * self._nominal), 1.05 * self._nominal)
            self._followed_s += span
