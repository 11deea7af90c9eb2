"""Trends of one stream over a day: heart rates, RR, SNR, and what was bypassed."""

import numpy as np
from numpy.typing import NDArray

EVERY_S = 5.0
"""A value stands for so many seconds of signal."""
KEPT_S = 24 * 3600.0
SPANS_S = {"10 min": 600.0, "1 h": 3600.0, "4 h": 4 * 3600.0, "24 h": KEPT_S}
"""Lengths that are shown, by name."""
FIELDS = ("raw", "cleaned", "rr_ms", "snr_in", "snr_out", "bypassed")
"""Heart rates in bpm, mean RR of cleaned in ms, SNR in dB, and the share of samples bypassed, %."""


class TrendLog:
    """A ring of values, addressed by the time of the signal: nothing is allocated as time goes on.

    A time of which nothing is known, or in which the stream was lost, is NaN.
    """

    def __init__(self) -> None:
        self._rows = round(KEPT_S / EVERY_S)
        self._values = np.full((len(FIELDS), self._rows), np.nan, np.float32)
        self._next: int | None = None

    def due(self, seconds: float) -> bool:
        """Whether the values of a time of the signal are still to be taken."""
        return self._next is None or int(seconds / EVERY_S) >= self._next

    def take(self, seconds: float, values: dict[str, float | None]) -> None:
        """Take the values of a time; times between it and the one before are not known.

        Parameters
        ----------
        seconds
            Since the stream began.
        values
            Of `FIELDS`; those that are left out, or None, are not known.
        """
        row = int(seconds / EVERY_S)
        first = row if self._next is None else self._next
        for skipped in range(max(first, row - self._rows + 1), row):
            self._values[:, skipped % self._rows] = np.nan
        for index, field in enumerate(FIELDS):
            value = values.get(field)
            self._values[index, row % self._rows] = np.nan if value is None else value
        self._next = row + 1

    def last(self, field: str, seconds: float) -> NDArray[np.float32]:
        """Values of the last seconds, oldest first, `EVERY_S` apart; NaN where none are known."""
        count = min(self._rows, round(seconds / EVERY_S))
        stop = self._next or 0
        index = np.arange(stop - count, stop)
        values: NDArray[np.float32] = self._values[FIELDS.index(field)].take(index % self._rows)
        values[index < 0] = np.nan
        return values
