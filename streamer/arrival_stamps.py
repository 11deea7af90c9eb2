"""Whether a device's stamps say when its samples were delivered, and not when they were sampled."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

ENOUGH = 4
"""Packets that came too early by their stamps, and whose stamps went with their arrival."""
MOST = 0.75
"""Share of those that came too early of which that must be true."""
REMEMBERED = 64
"""Packets."""
_LEAST_S = 0.002  # closer to where counting expects them, packets prove nothing
_WITH_ARRIVAL = 3  # stamps go with the arrival that are so many times closer to it than to the count
_EXACT_S = 1e-5  # liblsl spaces the samples of a packet that has one stamp by exactly the stated rate


class ArrivalStamps:
    """Looks for packets whose stamps go back against the count of samples while they go with the arrival.

    A radio delivers unevenly, and after a stall all that it has queued at once; a program that stamps what
    is delivered then puts more samples into a second than the device takes. Stamps of the device never do
    that. Nor do losses, which only lead forwards; a clock that was set back, samples sent twice and
    samples in the wrong order do, but not with the arrival.

    A packet is known by its stamps: within it they are spaced by the stated rate, or are all the same.

    Parameters
    ----------
    fs
        Rate that the device states, in Hz.
    """

    def __init__(self, fs: float) -> None:
        self._period = 1 / fs
        self._kept = max(512, round(fs))
        self.found = False
        """Whether the stamps are made on arrival; once found, it stays so."""
        self.restart()

    def restart(self) -> None:
        """Forget the packets, because the next ones are those of another connection."""
        self._stamps: NDArray[np.float64] = np.empty(0)
        self._arrived_s = 0.0
        self._since = 0  # samples of the packet that goes on
        self._end: tuple[float, float] | None = None  # of the packet before it: stamp, arrival
        self._with_arrival: deque[bool | None] = deque(maxlen=REMEMBERED)

    def note(self, stamps: NDArray[np.float64], arrived_ns: int, period: float) -> bool:
        """Take note of samples that came together; whether it is found.

        Parameters
        ----------
        stamps
            Finite, seconds, shape (samples,), at least one.
        period
            Seconds between two samples, as learnt so far.
        """
        arrived_s = arrived_ns / 1e9
        before = self._stamps[-1] if self._stamps.size else stamps[0] - self._period
        steps = np.diff(stamps, prepend=before)
        goes_on = (np.abs(steps - self._period) <= _EXACT_S) | ((steps >= 0) & (steps < self._period / 2))
        at = 0
        for place in np.flatnonzero(~goes_on):
            self._since += int(place) - at
            at = int(place)
            again = stamps[at] in self._stamps or stamps[at] in stamps[:at]
            last = float(stamps[at - 1]) if at else float(before)
            self._close(last, arrived_s if at else self._arrived_s, period, again=again)
        self._since += len(stamps) - at
        self._stamps = np.concatenate([self._stamps, stamps])[-self._kept :]
        self._arrived_s = arrived_s
        return self.found

    def _close(self, stamp: float, arrived_s: float, period: float, *, again: bool) -> None:
        """End a packet; `again` says that the next one was sent before, and is no proof."""
        if self._end is not None:
            step = stamp - self._end[0]
            early_s = self._since * period - step
            off_arrival_s = abs(arrived_s - self._end[1] - step)
            telling = early_s > max(self._period / 2, _LEAST_S)
            self._with_arrival.append(early_s > _WITH_ARRIVAL * off_arrival_s if telling else None)
            told = [went for went in self._with_arrival if went is not None]
            self.found |= sum(told) >= max(ENOUGH, MOST * len(told))
        self._end = None if again else (stamp, arrived_s)
        self._since = 0
