"""The ST view: cleaned, and of what cleaning took away all that is slow, but for drift below 0.05 Hz.

Cleaning takes part of an ST change for noise. It is slow, as the wander is that goes with it: so both come
back here, and fast noise stays away. Slow noise, as of electrodes that move, comes back in full.
"""

import numpy as np
from numpy.typing import NDArray

from models.filters import ST_VIEW_HZ
from streamer.chunk import Samples

SLOWEST_HZ = ST_VIEW_HZ
"""What is slower is not in the view."""
SMOOTHED_S = 0.02
"""Standard deviation of the bell that smooths what was taken away: what is slower than some 7 Hz passes. An
ST change is there 60 ms after J, and the level before the QRS complex is not touched by it."""
_REACH = 3.0


class StView:
    """Makes the ST view of a stream's leads as they leave the engine; any cut into messages gives the same.

    A stretch without gaps begins at 0 mV of drift.

    Parameters
    ----------
    leads
        Number of leads.
    fs
        Hz.

    Attributes
    ----------
    delay_s
        The view of a sample is known so much after its cleaned value.
    """

    def __init__(self, leads: int, fs: float) -> None:
        from scipy import signal

        half = max(1, round(_REACH * SMOOTHED_S * fs))
        bell = np.exp(-0.5 * (np.arange(-half, half + 1) / (SMOOTHED_S * fs)) ** 2)
        self._half, self._bell = half, bell / bell.sum()
        self._highpass = signal.butter(1, SLOWEST_HZ, "highpass", fs=fs)
        self.delay_s = half / fs
        self._leads = leads
        self._next: int | None = None
        self._start_at(0)

    def push(self, start: int, raw: Samples, cleaned: Samples) -> tuple[int, Samples]:
        """Take what left the engine; index of the first sample that is known now, and (leads, samples) mV.

        Parameters
        ----------
        start
            Index of the first sample; where it does not follow on the last one, a stretch begins. Before, ask
            for the `rest` of the one that has ended.
        raw, cleaned
            (leads, samples), mV.
        """
        if start != self._next:
            self._start_at(start)
        self._next = start + raw.shape[1]
        return self._take(raw - cleaned, cleaned)

    def rest(self) -> tuple[int, Samples]:
        """The view of what was pushed last, as if it stayed as it is; the stretch ends with it."""
        if self._removed is None:
            return self._at, np.empty((self._leads, 0), np.float32)
        held = np.repeat(self._held, self._half, axis=1)
        found = self._take(held, np.empty((self._leads, 0), np.float32))
        self._next = None
        self._start_at(self._at)
        return found

    def _start_at(self, sample: int) -> None:
        self._at = sample
        self._removed: NDArray[np.float64] | None = None
        self._cleaned = np.empty((self._leads, 0), np.float32)
        self._held, self._first = np.zeros((2, self._leads, 1))
        self._zi = np.zeros((self._leads, 1))

    def _take(self, removed: NDArray[np.floating], cleaned: Samples) -> tuple[int, Samples]:
        from scipy import signal

        known = self._filled(removed.astype(np.float64))
        if self._removed is None:
            # A stretch begins without drift, and what lies before it is as its first sample.
            self._first = known[:, :1].copy()
            self._removed = np.zeros((self._leads, self._half))
        self._removed = np.concatenate([self._removed, known - self._first], axis=1)
        self._cleaned = np.concatenate([self._cleaned, cleaned], axis=1)
        count = self._removed.shape[1] - 2 * self._half
        first = self._at
        if count <= 0:
            return first, self._cleaned[:, :0]
        slow = np.array([np.convolve(row, self._bell, "valid") for row in self._removed])
        slow, self._zi = signal.lfilter(*self._highpass, slow, axis=1, zi=self._zi)
        view: Samples = self._cleaned[:, :count] + slow.astype(np.float32)
        self._removed, self._cleaned = self._removed[:, count:], self._cleaned[:, count:]
        self._at += count
        return first, view

    def _filled(self, removed: NDArray[np.float64]) -> NDArray[np.float64]:
        """The same, with what is missing held; cleaned is missing there, so that it shows nowhere."""
        unknown = np.isnan(removed)
        if unknown.any():
            before = np.concatenate([self._held, removed], axis=1)
            index = np.where(np.isnan(before), 0, np.arange(before.shape[1]))
            removed = np.take_along_axis(before, np.maximum.accumulate(index, axis=1), axis=1)[:, 1:]
        self._held = removed[:, -1:].copy()
        return removed


def st_view_of(raw: Samples, cleaned: Samples, fs: float) -> Samples:
    """The ST view of a whole lead, (samples,) mV."""
    view = StView(1, fs)
    parts = [view._take(raw[None] - cleaned[None], cleaned[None]), view.rest()]
    return np.concatenate([part[0] for _, part in parts])
