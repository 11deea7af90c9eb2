"""Whether a network is sure: how far it revises its own predictions, or what error it states itself.

What is normal differs from network to network: one that sees 0.7 s at a time revises far more than one
that sees 2 s. So the limits stand on each network's card, measured on validation data by
`ecg-stream tune-guard --cards`.
"""

from math import isfinite

import numpy as np
from numpy.typing import NDArray

from engine.config import EngineConfig
from engine.guard.ages import Age
from engine.guard.limits import Limits
from engine.guard.rows import Bank, Rows, any_of, index_of
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


class Uncertainty(Bank):
    """How far each lead is believed, look by look.

    The measure, `contradiction`, has no unit. It is the geometric mean of two shares: the RMS of the
    revisions in the RMS of the output, and in the strength of its beats. The first is a median over
    `MEMORY_S`, so that a single artefact changes little; the second is a mean, so that repeated
    artefacts count. A network that keeps state predicts each sample once and revises nothing: the
    spread that it states takes the place of the revisions.

    Parameters
    ----------
    rows
        Number of leads, of all streams.
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
        self, config: EngineConfig, rows: int, moved: int, limits: Limits, *, stateful: bool
    ) -> None:
        fs = config.fs
        self._moved, self._stateful = moved, stateful
        self._looks = max(1, round(MEMORY_S * fs / moved))
        self._filling = -(-config.window // moved)
        stop = config.window - config.lookahead
        self._compared = slice(max(moved, stop - round(COMPARED_S * fs)), stop)
        lookahead_ms = 1000 * config.lookahead / fs
        self._above, self._below = limits.contradiction_at(lookahead_ms)
        length = 0 if stateful else max(0, self._compared.stop - self._compared.start)
        self._previous: Samples = np.zeros((length, rows), np.float32)
        """Of the window at the look before, what is compared with the next; NaN where there is none."""
        self._error = np.zeros((self._looks, rows))
        self._power = np.zeros((self._looks, rows))
        self._unfit = np.zeros(rows, np.int64)
        self._doubted = np.zeros(rows, np.bool_)
        self.contradiction: NDArray[np.float64] = np.zeros(rows)
        self.forget(slice(0, rows))

    def forget(self, rows: Rows) -> None:
        """Start afresh, as after a gap."""
        self._previous[:, rows] = np.nan
        self._error[:, rows] = self._power[:, rows] = np.nan
        self._unfit[rows] = self._filling
        self._doubted[rows] = False
        self.contradiction[rows] = np.nan

    def look(
        self,
        rows: Rows,
        number: Age,
        predicted: Samples,
        mean_square: Samples | None,
        strength: NDArray[np.float32],
        unusable: NDArray[np.bool_],
    ) -> NDArray[np.bool_]:
        """Which leads are doubted, `moved` samples after the look before.

        Parameters
        ----------
        number
            How many looks at each of these came before.
        predicted
            The network's newest window, mV, (rows, window).
        mean_square
            Of a network that keeps state, mV² in the same shape: with the output, it says the spread.
        strength
            Typical strength of a beat in it, mV, (rows,).
        unusable
            Leads with an input that no network could clean; their revisions are left out. So are
            those whose output is not finite.
        """
        power = _variance(predicted)
        unusable = unusable | ~np.isfinite(power)
        # An unusable sample counts until it has left the window.
        unfit = np.where(unusable, self._filling, np.maximum(self._unfit[rows] - 1, 0))
        self._unfit[rows] = unfit
        if mean_square is None:
            error = self._revised(rows, predicted)
        else:
            error = self._stated(predicted, mean_square)
        at = number % self._looks
        error, power = np.where(unfit > 0, np.nan, error), np.maximum(power, _SILENCE)
        if isinstance(at, int):
            self._error[at][rows], self._power[at][rows] = error, power
        else:
            index = index_of(rows)
            self._error[at, index], self._power[at, index] = error, power
        contradiction = self._weigh(rows, strength)
        self.contradiction[rows] = contradiction
        doubted = self._doubted[rows]
        if not any_of(doubted):
            # NaN is not above the limit either.
            doubted = contradiction > self._above
        else:
            limit = np.where(doubted, self._below, self._above)
            # A lead of which nothing is known stays doubted or believed as it was.
            doubted = np.where(np.isnan(contradiction), doubted, contradiction > limit)
        self._doubted[rows] = doubted
        return doubted

    def _stated(self, cleaned: Samples, mean_square: Samples) -> NDArray[np.float64]:
        """Mean square error that the network stated since the look before, mV²."""
        cleaned, mean_square = cleaned[:, -self._moved :], mean_square[:, -self._moved :]
        spread = np.sqrt(np.maximum(mean_square - cleaned * cleaned, 0))
        stated: NDArray[np.float64] = np.square(spread, dtype=np.float64).sum(axis=1) / self._moved
        return stated

    def _revised(self, rows: Rows, predicted: Samples) -> NDArray[np.float64]:
        """Mean square revision since the look before, mV²; NaN where there is nothing to compare."""
        compared, moved = self._compared, self._moved
        if compared.start >= compared.stop:
            return np.full(len(predicted), np.nan)
        before = self._previous[:, rows].T.copy()
        self._previous[:, rows] = predicted[:, compared].T
        revision = before - predicted[:, compared.start - moved : compared.stop - moved]
        revised: NDArray[np.float64] = np.square(revision, dtype=np.float64).mean(axis=1)
        return revised

    def _weigh(self, rows: Rows, strength: NDArray[np.float32]) -> NDArray[np.float64]:
        """The contradiction of each lead, from the looks that are remembered."""
        strength_mv = np.maximum(strength, _NO_BEAT_MV).astype(np.float64)
        error, power = self._error[:, rows], self._power[:, rows]
        share = np.sqrt(error / power)
        counted = np.minimum(error, np.square(LARGEST_REVISION * strength_mv))
        # A sum is the cheapest test for NaN; it is in both or in none.
        enough = 0 if isfinite(np.add.reduce(share, axis=None)) else max(1, self._looks // 2)
        of_beats = np.sqrt(_mean(counted, enough)) / strength_mv
        return np.sqrt(_median(share, enough) * of_beats)


def _variance(samples: Samples) -> NDArray[np.float64]:
    """Of each row, (rows, samples) → (rows,), to the bit what `numpy.var` says in double precision."""
    count = samples.shape[1]
    apart = samples - np.add.reduce(samples, axis=1, dtype=np.float64, keepdims=True) / count
    variance: NDArray[np.float64] = np.add.reduce(np.square(apart, out=apart), axis=1) / count
    return variance


def _median(looks: NDArray[np.float64], enough: int) -> NDArray[np.float64]:
    """Median of each lead's known looks, (looks, rows) → (rows,); NaN where less than `enough` are known.

    All are known where 0 are enough. To the bit what `numpy.median` says of those that are finite, and
    cheaper.
    """
    if not enough:
        middle = len(looks) // 2
        ordered = np.sort(looks, axis=0)
        whole: NDArray[np.float64] = (ordered[middle - 1 + len(looks) % 2] + ordered[middle]) / 2
        return whole
    known = np.isfinite(looks)
    count = known.sum(axis=0)
    # What is not known comes last.
    ordered = np.sort(np.where(known, looks, np.inf), axis=0)
    middle = count // 2
    lower, upper = np.maximum(np.where(count % 2, middle, middle - 1), 0), np.minimum(middle, len(looks) - 1)
    row = np.arange(len(count))
    median = (ordered[lower, row] + ordered[upper, row]) / 2
    return np.where(count >= enough, median, np.nan)


def _mean(looks: NDArray[np.float64], enough: int) -> NDArray[np.float64]:
    """Mean of each lead's known looks, in the same shapes."""
    mean: NDArray[np.float64]
    if not enough:
        mean = np.add.reduce(looks, axis=0) / len(looks)
        return mean
    known = np.isfinite(looks)
    count = known.sum(axis=0)
    mean = np.where(known, looks, 0).sum(axis=0) / np.maximum(count, 1)
    return np.where(count >= enough, mean, np.nan)
