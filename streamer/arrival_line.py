"""When samples were taken whose stamps are made on arrival, and how many are missing: by counting."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from streamer.effective_rate import EffectiveRate

WATCHED_S = 2.0
"""A loss is proved when packets have come late by the same for so long …"""
FEWEST = 4
"""… and at least so many of them."""
_LEVEL = 0.25  # of a packet; those that catch up by more in that time are a queue that drains
_PACKETS = 0.75  # of a packet must be missing
_SET_S = 1.0  # so far before the line lies another clock
_FORWARDS = 0.002  # of the signal's length by which the line is moved at most


class ArrivalLine:
    """The line of the earliest arrivals over the count of samples.

    A packet can come late, and not early: the earliest ones tell when samples were taken, but for a delay
    that is always the same. What stays late was not delayed, but is missing.

    Parameters
    ----------
    fs
        Rate that the device states, in Hz.
    rate
        Learns the rate from the stamps as they came.
    """

    def __init__(self, fs: float, rate: EffectiveRate) -> None:
        self._fs, self._rate = fs, rate
        self.begin(0.0)

    def begin(self, stamp: float) -> None:
        """Begin at this stamp: that by which counting expects the next sample."""
        self._due = stamp
        self._late: deque[tuple[float, float]] = deque()  # when packets came, and how late
        self._lengths: deque[int] = deque(maxlen=16)

    def take(self, stamps: NDArray[np.float64], arrived_ns: int) -> tuple[NDArray[np.float64], int]:
        """Place samples that came together.

        Parameters
        ----------
        stamps
            As they came, seconds, shape (samples,), at least one; NaN tells nothing.

        Returns
        -------
        tuple of NDArray and int
            Stamps by the line, rising; samples that are missing before these.
        """
        hz = self._rate.hz
        period = 1 / (hz or self._fs)
        count = np.arange(len(stamps))
        stamps = np.where(np.isfinite(stamps), stamps, self._due + count * period)
        if float(stamps[-1]) - self._due < len(stamps) * period - _SET_S:
            self.begin(float(stamps[-1]) - (len(stamps) - 1) * period)
        missing = 0
        self._note(float((stamps - self._due - count * period).min()), arrived_ns / 1e9, len(stamps))
        packet_s = float(np.median(self._lengths)) * period
        if hz:
            missing = round(self._missing_s(packet_s) / period)
            self._move(missing * period)
        placed = np.asarray(self._due + count * period, np.float64)
        self._due += len(stamps) * period
        earliest = min(late for _, late in self._late)
        # What may be a loss waits for its proof, and is not followed as a drift of the device's clock.
        drift_s = earliest if earliest < packet_s / 2 else 0.0
        # Backwards by so little that stamps still rise.
        self._move(min(max(drift_s, -period / 2), _FORWARDS * len(stamps) * period))
        return placed, missing

    def _move(self, later_s: float) -> None:
        self._due += later_s
        self._late = deque((when, late - later_s) for when, late in self._late)

    def _note(self, late_s: float, arrived_s: float, length: int) -> None:
        if self._late and arrived_s - self._late[-1][0] < 1 / self._fs:
            # The rest of a packet, or of a queue: what came last was delayed least.
            before = self._late.pop()
            late_s = min(late_s, before[1])
            length += self._lengths.pop()
        self._late.append((arrived_s, late_s))
        self._lengths.append(length)
        while len(self._late) > FEWEST and arrived_s - self._late[0][0] > WATCHED_S:
            self._late.popleft()

    def _missing_s(self, packet_s: float) -> float:
        """Signal that is missing, in seconds, as far as it is proved."""
        if len(self._late) < FEWEST or self._late[-1][0] - self._late[0][0] < WATCHED_S / 2:
            return 0.0
        late = [each for _, each in self._late]
        half = len(late) // 2
        earliest = min(late)
        level = min(late[:half]) - min(late[half:]) <= _LEVEL * packet_s
        return earliest if level and earliest > _PACKETS * packet_s else 0.0
