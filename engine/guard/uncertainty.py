"""Whether a network doubts its own word: it takes back what it said, or says how wrong it may be.

What is normal differs from network to network: one that sees 0.7 s at a time takes back far more than
one that sees 2 s. So the limits stand on each network's card, measured on validation data by
`ecg-stream tune-guard --cards`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.config import EngineConfig
from engine.guard.limits import Limits
from streamer.chunk import Samples

DOUBT_S = 4.0
"""What a network took back is remembered for so long."""
REVISED_S = 0.3
"""The newest that was said is compared with what is said of it a look later, over this."""
TAKEN_BACK_AT_MOST = 0.5
"""What is taken back counts as no more than this share of a beat: one jolt is not seconds of doubt."""
_SILENCE = 1e-8
"""mV²: an output of less power says nothing that it could take back."""
_NO_BEAT_MV = 0.001


class Uncertainty:
    """How far each lead of a stream is believed, look by look.

    Contradiction has no unit: the geometric mean of two shares, of what the network took back (RMS)
    in the RMS of its output, and in the strength of its beats. The first is a median over `DOUBT_S`,
    so that one artefact changes little; the second is none, so that much of it does. A network that
    keeps state takes nothing back: what it says of its own error, its spread, stands in that place.

    Parameters
    ----------
    leads
        Number of leads.
    moved
        Samples between two looks.
    stateful
        The network gives a spread with each sample instead of windows that overlap.

    Attributes
    ----------
    contradiction
        For each lead; NaN before it is known, and where the windows do not overlap.
    """

    def __init__(
        self, config: EngineConfig, leads: int, moved: int, limits: Limits, *, stateful: bool
    ) -> None:
        fs = config.fs
        self._leads, self._moved, self._stateful = leads, moved, stateful
        self._looks = max(1, round(DOUBT_S * fs / moved))
        self._filling = -(-config.window // moved)
        stop = config.window - config.lookahead
        self._said = slice(max(moved, stop - round(REVISED_S * fs)), stop)
        lookahead_ms = 1000 * config.lookahead / fs
        self._above, self._below = limits.contradiction_at(lookahead_ms)
        self.forget()

    def forget(self) -> None:
        """Begin afresh, as after a gap."""
        leads = self._leads
        self._previous: Samples | None = None
        nothing = np.full((self._looks, leads), np.nan)
        self._changed, self._power = nothing, nothing.copy()
        self._looked = 0
        self._unfit = np.full(leads, self._filling)
        self._heard = np.zeros(leads)
        self._doubted = np.zeros(leads, np.bool_)
        self.contradiction: NDArray[np.float64] = np.full(leads, np.nan)

    def hear(self, spread: Samples) -> None:
        """Take the spread of the samples that leave, mV, (leads, samples)."""
        self._heard += np.square(spread, dtype=np.float64).sum(axis=1)

    def look(
        self, predicted: Samples, strength: NDArray[np.float32], unusable: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Which leads are doubted, `moved` samples after the look before.

        Parameters
        ----------
        predicted
            The network's newest window, mV, (leads, window).
        strength
            Typical strength of a beat in it, mV, (leads,).
        unusable
            Leads whose input says nothing. What the network made of it is not held against it.
        """
        row = self._looked % self._looks
        self._looked += 1
        # Until a window is filled with what can be used.
        self._unfit = np.where(unusable, self._filling, np.maximum(self._unfit - 1, 0))
        changed = self._stated() if self._stateful else self._taken_back(predicted)
        if changed is not None:
            self._changed[row] = np.where(self._unfit > 0, np.nan, changed)
            self._power[row] = np.maximum(np.var(predicted, axis=1, dtype=np.float64), _SILENCE)
            self.contradiction = self._weigh(strength)
        limit = np.where(self._doubted, self._below, self._above)
        # What is not known leaves everything as it was.
        known = ~np.isnan(self.contradiction)
        self._doubted = np.where(known, self.contradiction > limit, self._doubted)
        return self._doubted

    def _stated(self) -> NDArray[np.float64]:
        """Mean square that the network says its error has, mV², since the look before."""
        heard, self._heard = self._heard, np.zeros(self._leads)
        stated: NDArray[np.float64] = heard / self._moved
        return stated

    def _taken_back(self, predicted: Samples) -> NDArray[np.float64] | None:
        """Mean square of what it took back since the look before, mV²; None where nothing is to compare."""
        previous, self._previous = self._previous, predicted.copy()
        said, moved = self._said, self._moved
        if previous is None or said.start >= said.stop:
            return None
        revised = previous[:, said] - predicted[:, said.start - moved : said.stop - moved]
        changed: NDArray[np.float64] = np.square(revised, dtype=np.float64).mean(axis=1)
        return changed

    def _weigh(self, strength: NDArray[np.float32]) -> NDArray[np.float64]:
        strength_mv = np.maximum(strength, _NO_BEAT_MV).astype(np.float64)
        of_output = self._over_leads(np.median, np.sqrt(self._changed / self._power))
        counted = np.minimum(self._changed, np.square(TAKEN_BACK_AT_MOST * strength_mv))
        of_beats = np.sqrt(self._over_leads(np.mean, counted)) / strength_mv
        return np.sqrt(of_output * of_beats)

    def _over_leads(
        self, figure: Callable[[NDArray[np.float64]], Any], looks: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Of each lead's looks that are known, NaN where these are less than half."""
        found = np.full(self._leads, np.nan)
        for lead, column in enumerate(looks.T):
            known = column[np.isfinite(column)]
            if known.size >= max(1, self._looks // 2):
                found[lead] = figure(known)
        return found
