"""Which leads stand still because nothing is on the patient, and which because their ADC is coarse."""

import numpy as np
from numpy.typing import NDArray

from engine.config import EngineConfig
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


class LeadOff:
    """Finds leads that are flat, look by look.

    A lead that was seen to stand still, move and stand still again within `_REMEMBERED_S` has a coarse
    ADC: it has `COARSE_FLAT_S` instead of `FLAT_S`, and so has every lead in the first seconds, once it
    has moved.

    Parameters
    ----------
    leads
        Number of leads.
    look_s
        Seconds from one look to the next.
    """

    def __init__(self, config: EngineConfig, leads: int, look_s: float) -> None:
        self._leads = leads
        self._flat = min(config.window, round(FLAT_S * config.fs))
        self._held = min(config.window, round(_HELD_S * config.fs))
        seen_s = self._flat / config.fs  # by one look
        self._fine_looks = max(1, round((FLAT_S - seen_s) / look_s) + 1)
        self._start_looks = max(1, round((START_FLAT_S - seen_s) / look_s) + 1)
        self._coarse_looks = max(1, round((COARSE_FLAT_S - seen_s) / look_s) + 1)
        self._since = min(config.window, self._held + round(look_s * config.fs))
        self._remembered = round(_REMEMBERED_S / look_s)
        self.forget()

    def forget(self) -> None:
        """Start afresh, as after a gap."""
        self._still = np.zeros(self._leads, np.int64)
        self._newest: Samples = np.zeros(self._leads, np.float32)
        self._moved = np.zeros(self._leads, np.bool_)
        self._stood = np.zeros(self._leads, np.bool_)
        # Looks for which a lead still counts as coarse.
        self._coarse = np.full(self._leads, self._coarse_looks)

    def look(self, window: Samples) -> NDArray[np.bool_]:
        """Which leads are flat at the end of a window, (leads, samples) mV → (leads,)."""
        newest, self._newest = self._newest, window[:, -1].copy()
        still = span_mv(window[:, -self._flat :]) <= FLAT_MV
        # A short window does not reach back to the look before, so its newest sample is compared too.
        still &= np.abs(window[:, -1] - newest) <= FLAT_MV
        self._still = np.where(still, self._still + 1, 0)
        held = span_mv(window[:, -self._held :]) <= FLAT_MV
        moved = span_mv(window[:, -self._since :]) > FLAT_MV
        again = held & self._stood & moved
        self._moved |= moved
        self._stood |= held
        self._coarse = np.where(again, self._remembered, np.maximum(self._coarse - 1, 0))
        needed = np.where(self._coarse > 0, self._coarse_looks, self._fine_looks)
        needed = np.where(self._moved, needed, self._start_looks)
        flat: NDArray[np.bool_] = self._still >= needed
        return flat
