"""Whether a network doubts its own word: it takes back what it said, or says how wrong it may be.

What is normal differs from network to network: one that sees 0.7 s at a time takes back far more than
one that sees 2 s. So the limits stand on each network's card, measured on validation data by
`ecg-stream tune-guard --cards`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.config import EngineConfig
from models.registry import ModelCard
from models.spec import ClassicalSpec
from streamer.chunk import Samples

DOUBT_S = 4.0
"""What a network took back is remembered for so long."""
REVISED_S = 0.3
"""The newest that was said is compared with what is said of it a look later, over this."""
TRUST_AGAIN = 0.5
"""Who was doubted is believed again below this share of the limit, unless the card has another."""
DEFAULT_CONTRADICTION = 0.2
"""Limit of a network whose card has none: between those of the shipped networks."""
_SILENCE = 1e-8
"""mV²: an output of less power says nothing that it could take back."""
_NO_BEAT_MV = 0.001
_NEVER = (float("inf"), float("inf"))


@dataclass(frozen=True)
class Limits:
    """From where on a network is not believed.

    Parameters
    ----------
    contradiction
        Rows of: look-ahead in ms, `Doubt.contradiction` above which the network is doubted, and below
        which it is believed again; straight lines between them. None: the check is off, as for
        filters, which have no word of their own.
    """

    contradiction: tuple[tuple[float, float, float], ...] | None = (
        (0.0, DEFAULT_CONTRADICTION, TRUST_AGAIN * DEFAULT_CONTRADICTION),
    )

    def contradiction_at(self, lookahead_ms: float) -> tuple[float, float]:
        """From where on the network is doubted, and below what it is believed again; infinite if off."""
        if not self.contradiction:
            return _NEVER
        known_ms, doubted, believed = zip(*self.contradiction, strict=True)
        return float(np.interp(lookahead_ms, known_ms, doubted)), float(
            np.interp(lookahead_ms, known_ms, believed)
        )


UNMEASURED = Limits()
"""Of a network of which nothing is known."""


def limits_of(card: ModelCard) -> Limits:
    """The limits on a network's card under ``guard``; defaults where it has none, off for filters."""
    if isinstance(card.spec, ClassicalSpec):
        return Limits(None)
    rows = card.trained.get("guard", {}).get("contradiction")
    if rows is None:
        return UNMEASURED
    return Limits(tuple((row["lookahead_ms"], row["doubted"], row["believed"]) for row in rows))


class Doubt:
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
        stop = config.window - config.lookahead
        self._said = slice(max(moved, stop - round(REVISED_S * fs)), stop)
        lookahead_ms = 1000 * config.lookahead / fs
        self._above, self._below = limits.contradiction_at(lookahead_ms)
        self.forget()

    def forget(self) -> None:
        """Begin afresh, as after a gap."""
        leads = self._leads
        self._previous: Samples | None = None
        self._changed = np.zeros((self._looks, leads))
        self._power = np.zeros((self._looks, leads))
        self._looked = 0
        self._spread = np.zeros(leads)
        self._doubted = np.zeros(leads, np.bool_)
        self.contradiction: NDArray[np.float64] = np.full(leads, np.nan)

    def hear(self, spread: Samples) -> None:
        """Take the spread of the samples that leave, mV, (leads, samples)."""
        self._spread += np.square(spread, dtype=np.float64).sum(axis=1)

    def look(self, predicted: Samples, strength: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which leads are doubted, `moved` samples after the look before.

        Parameters
        ----------
        predicted
            The network's newest window, mV, (leads, window).
        strength
            Typical strength of a beat in it, mV, (leads,).
        """
        changed = self._stated() if self._stateful else self._taken_back(predicted)
        if changed is not None:
            self._weigh(changed, predicted, strength)
        # NaN is not known yet, and below any limit.
        self._doubted = self.contradiction > np.where(self._doubted, self._below, self._above)
        return self._doubted

    def _stated(self) -> NDArray[np.float64]:
        """Mean square that the network says its error has, mV², since the look before."""
        stated, self._spread = self._spread / self._moved, np.zeros(self._leads)
        return stated

    def _taken_back(self, predicted: Samples) -> NDArray[np.float64] | None:
        """Mean square of what it took back since the look before, mV²; None where nothing is to compare."""
        previous, self._previous = self._previous, predicted.copy()
        said, moved = self._said, self._moved
        if previous is None or said.start >= said.stop:
            return None
        revised = previous[:, said] - predicted[:, said.start - moved : said.stop - moved]
        return np.square(revised, dtype=np.float64).mean(axis=1)

    def _weigh(self, changed: NDArray[np.float64], predicted: Samples, strength: NDArray[np.float32]) -> None:
        row = self._looked % self._looks
        self._changed[row] = changed
        self._power[row] = np.var(predicted, axis=1, dtype=np.float64)
        self._looked += 1
        if self._looked > self._looks // 2:
            # Before, the first windows are filled up, and the network has yet to see a whole one.
            seen, power = self._changed[: self._looked], self._power[: self._looked]
            of_output = np.median(np.sqrt(seen / np.maximum(power, _SILENCE)), axis=0)
            of_beats = np.sqrt(seen.mean(axis=0)) / np.maximum(strength, _NO_BEAT_MV)
            self.contradiction = np.sqrt(of_output * of_beats)
