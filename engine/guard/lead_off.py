"""Which leads stand still because nothing is on the patient, and which because their ADC is coarse."""

import numpy as np
from numpy.typing import NDArray

from engine.config import EngineConfig
from engine.guard.rows import Bank, Rows, any_of
from streamer.chunk import Samples

FLAT_MV, FLAT_S = 0.001, 0.5
"""A lead that moves less than this for this long is flat. MIT-BIH records stand still for 28 ms at most."""
COARSE_FLAT_S = 4.0
"""A lead whose ADC has larger steps stands still between two beats: it is flat after longer than any two are
apart."""
START_FLAT_S = 1.0
"""A lead that has not moved at all yet is flat after this long."""
_HELD_S = 0.1
"""What stands still for this long stands on a step of the ADC."""
_REMEMBERED_S = 10.0


def span_mv(samples: Samples) -> Samples:
    """From the least sample of each lead to its greatest, (leads, samples) mV → (leads,)."""
    span: Samples = np.maximum.reduce(samples, axis=1) - np.minimum.reduce(samples, axis=1)
    return span


class LeadOff(Bank):
    """Finds leads that are flat, look by look.

    A lead that was seen to stand still, move and stand still again within `_REMEMBERED_S` has a coarse
    ADC: it has `COARSE_FLAT_S` instead of `FLAT_S`, and so has every lead in the first seconds, once it
    has moved.

    Parameters
    ----------
    rows
        Number of leads, of all streams.
    look_s
        Seconds from one look to the next.
    """

    def __init__(self, config: EngineConfig, rows: int, look_s: float) -> None:
        self._flat = min(config.window, round(FLAT_S * config.fs))
        self._held = min(config.window, round(_HELD_S * config.fs))
        seen_s = self._flat / config.fs  # by one look
        self._fine_looks = max(1, round((FLAT_S - seen_s) / look_s) + 1)
        self._start_looks = max(1, round((START_FLAT_S - seen_s) / look_s) + 1)
        self._coarse_looks = max(1, round((COARSE_FLAT_S - seen_s) / look_s) + 1)
        self._since = min(config.window, self._held + round(look_s * config.fs))
        self._remembered = round(_REMEMBERED_S / look_s)
        self._still = np.zeros(rows, np.int64)
        self._newest: Samples = np.zeros(rows, np.float32)
        self._moved = np.zeros(rows, np.bool_)
        self._stood = np.zeros(rows, np.bool_)
        self._coarse = np.zeros(rows, np.int64)
        """Looks for which a lead still counts as coarse."""
        self.forget(slice(0, rows))

    def forget(self, rows: Rows) -> None:
        """Start afresh, as after a gap."""
        self._still[rows] = 0
        self._newest[rows] = 0
        self._moved[rows] = self._stood[rows] = False
        self._coarse[rows] = self._coarse_looks

    def look(self, rows: Rows, window: Samples) -> NDArray[np.bool_]:
        """Which of these are flat at the end of a window, (rows, samples) mV → (rows,)."""
        newest, coarse = window[:, -1], self._coarse[rows]
        held = span_mv(window[:, -self._held :]) <= FLAT_MV
        if not any_of(held):
            # None stood still for long either: all that follows is known.
            self._newest[rows] = newest
            self._still[rows] = 0
            self._moved[rows] = True
            self._coarse[rows] = np.maximum(coarse - 1, 0)
            return held
        still = span_mv(window[:, -self._flat :]) <= FLAT_MV
        # A short window does not reach back to the look before, so its newest sample is compared too.
        still &= np.abs(newest - self._newest[rows]) <= FLAT_MV
        self._newest[rows] = newest
        looks = (self._still[rows] + 1) * still
        self._still[rows] = looks
        moves = span_mv(window[:, -self._since :]) > FLAT_MV
        again = held & self._stood[rows] & moves
        moved = self._moved[rows] | moves
        self._moved[rows] = moved
        self._stood[rows] |= held
        coarse = np.where(again, self._remembered, np.maximum(coarse - 1, 0))
        self._coarse[rows] = coarse
        needed = np.where(coarse > 0, self._coarse_looks, self._fine_looks)
        needed = np.where(moved, needed, self._start_looks)
        flat: NDArray[np.bool_] = looks >= needed
        return flat
