"""Whether a network is sure: how far it revises its own predictions, or what error it states itself.

What is normal differs from network to network: one that sees 0.7 s at a time revises far more than one
that sees 2 s. So the limits stand on each network's card, measured on validation data by
`ecg-stream tune-guard --cards`.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from engine.config import EngineConfig
from engine.guard.limits import Limits
from streamer.chunk import Samples

MEMORY_S = 4.0
"""Seconds over which revisions are averaged."""
COMPARED_S = 0.3
"""Length of the newest stretch in which two predictions, a look apart, are compared."""
LARGEST_REVISION = 0.5
"""A revision counts as at most this share of a beat, so that one jolt does not raise doubt for seconds."""
_SILENCE = 1e-8
"""mV²: the least power that an output is taken to have, so that a silent one divides nothing by zero."""
_NO_BEAT_MV = 0.001


class Uncertainty:
    """How far each lead of a stream is believed, look by look.

    The measure, `contradiction`, has no unit. It is the geometric mean of two shares: the RMS of the
    revisions in the RMS of the output, and in the strength of its beats. The first is a median over
    `MEMORY_S`, so that a single artefact changes little; the second is a mean, so that repeated
    artefacts count. A network that keeps state predicts each sample once and revises nothing: the
    spread that it states takes the place of the revisions.

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
        Of each lead; NaN before it is known, and where the windows do not overlap.
    """

    def __init__(
        self, config: EngineConfig, leads: int, moved: int, limits: Limits, *, stateful: bool
    ) -> None:
        fs = config.fs
        self._leads, self._moved, self._stateful = leads, moved, stateful
        self._looks = max(1, round(MEMORY_S * fs / moved))
        self._filling = -(-config.window // moved)
        stop = config.window - config.lookahead
        self._compared = slice(max(moved, stop - round(COMPARED_S * fs)), stop)
        lookahead_ms = 1000 * config.lookahead / fs
        self._above, self._below = limits.contradiction_at(lookahead_ms)
        self.forget()

    def forget(self) -> None:
        """Start afresh, as after a gap."""
        leads = self._leads
        self._previous: Samples | None = None
        nothing = np.full((self._looks, leads), np.nan)
        self._error, self._power = nothing, nothing.copy()
        self._looked = 0
        self._unfit = np.full(leads, self._filling)
        self._stating: list[tuple[Samples, Samples]] = []
        """Output since the look before: what error it states is worked out at the next."""
        self._doubted = np.zeros(leads, np.bool_)
        self.contradiction: NDArray[np.float64] = np.full(leads, np.nan)

    def add_spread(self, cleaned: Samples, mean_square: Samples) -> None:
        """Take the output that leaves, (leads, samples) mV and mV²; of a stateful network only."""
        self._stating.append((cleaned, mean_square))

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
            Leads with an input that no network could clean; their revisions are left out.
        """
        row = self._looked % self._looks
        self._looked += 1
        # An unusable sample counts until it has left the window.
        self._unfit = np.where(unusable, self._filling, np.maximum(self._unfit - 1, 0))
        error = self._stated() if self._stateful else self._revised(predicted)
        if error is not None:
            self._error[row] = np.where(self._unfit > 0, np.nan, error)
            self._power[row] = np.maximum(np.var(predicted, axis=1, dtype=np.float64), _SILENCE)
            self.contradiction = self._weigh(strength)
        limit = np.where(self._doubted, self._below, self._above)
        # A lead of which nothing is known stays doubted or believed as it was.
        known = ~np.isnan(self.contradiction)
        self._doubted = np.where(known, self.contradiction > limit, self._doubted)
        return self._doubted

    def _stated(self) -> NDArray[np.float64]:
        """Mean square error that the network stated since the look before, mV²."""
        cleaned, mean_square = (np.concatenate(side, axis=1) for side in zip(*self._stating, strict=True))
        self._stating = []
        spread = np.sqrt(np.maximum(mean_square - cleaned * cleaned, 0))
        stated: NDArray[np.float64] = np.square(spread, dtype=np.float64).sum(axis=1) / self._moved
        return stated

    def _revised(self, predicted: Samples) -> NDArray[np.float64] | None:
        """Mean square revision since the look before, mV²; None where there is nothing to compare."""
        previous, self._previous = self._previous, predicted.copy()
        compared, moved = self._compared, self._moved
        if previous is None or compared.start >= compared.stop:
            return None
        revision = previous[:, compared] - predicted[:, compared.start - moved : compared.stop - moved]
        revised: NDArray[np.float64] = np.square(revision, dtype=np.float64).mean(axis=1)
        return revised

    def _weigh(self, strength: NDArray[np.float32]) -> NDArray[np.float64]:
        """The contradiction of each lead, from the looks that are remembered."""
        strength_mv = np.maximum(strength, _NO_BEAT_MV).astype(np.float64)
        of_output = self._over_looks(_median, np.sqrt(self._error / self._power))
        counted = np.minimum(self._error, np.square(LARGEST_REVISION * strength_mv))
        of_beats = np.sqrt(self._over_looks(_mean, counted)) / strength_mv
        return np.sqrt(of_output * of_beats)

    def _over_looks(
        self, figure: Callable[[NDArray[np.float64]], float], looks: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """A figure over each lead's known looks, (looks, leads) → (leads,); NaN where half are unknown."""
        found = np.full(self._leads, np.nan)
        for lead, column in enumerate(looks.T):
            known = column[np.isfinite(column)]
            if known.size >= max(1, self._looks // 2):
                found[lead] = figure(known)
        return found


def _median(values: NDArray[np.float64]) -> float:
    """What `numpy.median` says of finite values of one axis, and cheaper."""
    ordered = np.sort(values)
    middle = len(ordered) // 2
    return float(ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2)


def _mean(values: NDArray[np.float64]) -> float:
    return float(np.add.reduce(values) / len(values))
