"""A sender's stamps as times of this machine, or unknown where the two clocks cannot be compared."""

import time

import numpy as np
from numpy.typing import NDArray

SLEW = 0.005
"""A new correction is moved in by so many seconds a second of signal: times never run backwards."""
SET_S = 1.0
"""A correction that differs by more is no better measurement: the sender's clock was set."""
OLDEST_S, AHEAD_S = 10.0, 0.5
"""What a new connection brings was sampled just now: at most so long ago, and not so far ahead."""
_DAY_S = 86400.0

Measured = tuple[float, float]
"""Offset of the sender's clock to ours, and how uncertain it is; seconds."""


class SenderClock:
    """The clock of one sender: `note` takes what was measured, `judge` decides whether the stamps are of it.

    liblsl measures the offset by packets there and back, and answers nothing where these take too long
    (0.6 s there and back: none; 0.2 s: an answer, liblsl 1.18); a program may also stamp by another clock
    than liblsl's. In both cases the time of a sample is not known, and is NaN.
    """

    def __init__(self) -> None:
        self._target: float | None = None
        self._offset = 0.0
        self._at: float | None = None  # newest stamp for which the offset holds
        self.uncertainty_s = float("nan")
        """Of the newest measurement."""
        self._judged = False
        self._another = ""

    @property
    def believed(self) -> bool:
        """Whether it is known that the stamps are of LSL's clock; otherwise `judge` is to be asked again."""
        return self._judged and not self._another

    @property
    def why_unknown(self) -> str:
        """Why the time of samples is unknown, in a sentence; empty where it is known."""
        if self._another:
            return f"the delay is unknown: the stamps are {self._another}, not times of LSL's clock"
        if self._target is None:
            return "the delay is unknown: the sender's clock could not be compared with this machine's"
        return ""

    def moved_since(self, before: "SenderClock") -> float | None:
        """By how much it is further behind ours than an earlier one, in s; None where that is not known."""
        if self._target is None or before._target is None or not (self.believed and before.believed):
            return None
        return self._target - before._target

    def note(self, measured: Measured | None) -> None:
        """Take a measurement of the sender's clock; None where there was no answer."""
        if measured is None:
            return
        offset, self.uncertainty_s = measured
        if self._target is None or abs(offset - self._target) > SET_S:
            self._offset = offset
        self._target = offset

    def judge(self, stamp: float, now_s: float) -> None:
        """Decide by the newest sample of a new connection, or behind a jump of the stamps, what they are.

        Parameters
        ----------
        now_s
            When it came, seconds of LSL's clock on this machine.
        """
        if self._target is None:
            return
        age_s = now_s - (stamp + self._target)
        recent = -AHEAD_S <= age_s <= OLDEST_S
        self._another = "" if recent else _name_of(stamp)
        self._judged, self._at = True, None

    def times(self, stamps: NDArray[np.float64]) -> NDArray[np.float64]:
        """Stamps as seconds of LSL's clock on this machine; NaN where that is unknown."""
        if self._target is None or not self.believed:
            return np.full(len(stamps), np.nan)
        if self._at is None:
            self._at, self._offset = float(stamps[0]), self._target
        passed = np.maximum(stamps - self._at, 0.0)
        missing = self._target - self._offset
        offsets = self._offset + np.sign(missing) * np.minimum(abs(missing), SLEW * passed)
        self._offset = float(offsets[-1])
        self._at = max(self._at, float(stamps[-1]))
        times: NDArray[np.float64] = stamps + offsets
        return times


def _name_of(stamp: float) -> str:
    """What a stamp that is no time of LSL's clock may be."""
    if abs(stamp - time.time()) < _DAY_S:
        return "Unix time"
    return f"of a clock of their own (the newest says {stamp:.3f} s)"
