"""The rate at which a device really samples, from sample indices and source stamps."""

from collections import deque

import numpy as np

SPACING_S = 0.5
"""Least time between two points."""
KEPT = 240
"""Points in the fit: two minutes."""
SHORTEST_S = 5.0
"""Signal before which no rate is stated."""
_REFIT_S = 2.0


class EffectiveRate:
    """Theil-Sen line through (stamp, index): the median of the slopes between all pairs of points.

    Up to 29 % of the points may be outliers (Sen, J. Am. Stat. Assoc. 63, 1968), so that bursts, pauses
    and stray stamps do not change it.

    Parameters
    ----------
    nominal_hz
        Rate that the stream claims.
    """

    def __init__(self, nominal_hz: float) -> None:
        self._nominal_hz = nominal_hz
        self._points: deque[tuple[float, int]] = deque(maxlen=KEPT)
        self._hz: float | None = None
        self._fitted = -np.inf

    def add(self, stamp: float, index: int) -> None:
        """Note the source stamp of a sample, in seconds; points closer than `SPACING_S` are left out."""
        if not self._points or stamp - self._points[-1][0] >= SPACING_S:
            self._points.append((stamp, index))

    def restart(self) -> None:
        """Forget the points, because the source's clock or the source itself has changed."""
        self._points.clear()
        self._fitted = -np.inf

    @property
    def hz(self) -> float | None:
        """Samples per second by the source's clock; None before `SHORTEST_S` of signal."""
        if self._points and self._points[-1][0] - self._fitted >= _REFIT_S:
            self._fitted = self._points[-1][0]
            stamps, indices = np.array(self._points, np.float64).T
            if stamps[-1] - stamps[0] >= SHORTEST_S:
                first, second = np.triu_indices(len(stamps), 1)
                run = stamps[second] - stamps[first]
                rise = indices[second] - indices[first]
                self._hz = float(np.median(rise[run > 0] / run[run > 0]))
        return self._hz

    @property
    def ppm(self) -> float | None:
        """By how much it differs from the nominal rate, in parts per million."""
        hz = self.hz
        return None if hz is None else 1e6 * (hz / self._nominal_hz - 1)
