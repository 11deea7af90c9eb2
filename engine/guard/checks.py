"""What is wrong with a lead: with its input, with the network's output, or between the two.

Thresholds are in mV, s and shares. `ecg-stream tune-guard` prints the figures they were chosen from:
those of the validation records of Track F, with and without validation noise, and of that noise alone.
Limits that differ from network to network stand on the network's card (`engine.guard.limits`).
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.config import EngineConfig
from engine.guard.lead_off import FLAT_MV, FLAT_S, LeadOff, span_mv
from engine.guard.limits import Limits
from engine.guard.qrs_evidence import QrsEvidence
from engine.guard.uncertainty import Uncertainty
from engine.marks import Reason
from engine.messages import Emitted
from streamer.chunk import Samples

LOOK_S = 0.2
"""Checks of what changes slowly run this often; one such run is a look."""
RAILED_S, RAILED_MV = 0.05, 1.0
"""A lead is saturated that stands still for this long at an extreme this far from the window's median."""
CONSTANT_INPUT_MV = 0.05
"""An output that stands still is wrong where raw moves more than this."""
RANGE_SHARE, RANGE_MV = 2.0, 0.2
"""An output may reach this factor times its input, plus this."""
BEAT_MV = 0.1
"""Weaker is no beat: it is about 0.15 mV from peak to peak, which no monitor is required to count."""
PROMINENT = 0.5
"""A beat has at least this share of the typical strength."""
INVENTED_SHARE = 0.33
"""A cleaned beat is invented where nothing in raw is as steep as this share of it, up or down."""
ERASED_SHARE = 0.3
"""A raw beat is erased that has less than this share of its strength in cleaned."""
TRUST = 16.0
"""Beats of raw count as beats where they are this many times as strong as what lies between them."""
CONFIRM_S = 0.05
"""A beat is invented or erased after this long: raw and cleaned may be a few ms apart."""
NO_ECG_MV = 100.0
"""Raw that moves more than this is no ECG, and what a network makes of it says nothing of the network."""
NO_ECG_SHARE = 0.4
"""Where cleaned has less than this share of raw's typical strength, the network found only noise."""
LATE_S = 0.5
"""An answer is late that comes more than this after its window was full."""
RATE_SHARE, RATE_S = 0.25, 8.0
"""Heart rates of raw and cleaned may differ by this share for this long. That is longer than the memory
of a rate, so that one artefact is not enough."""


def ceiling_mv(message: Emitted) -> NDArray[np.float32]:
    """Largest absolute value that a hop's input can explain, (leads,) mV."""
    window = message.answer.hop.window
    seen = np.maximum(np.maximum.reduce(window, axis=1), -np.minimum.reduce(window, axis=1))
    if message.raw.size:
        seen = np.maximum(seen, np.abs(message.raw).max(axis=1))
    allowed: NDArray[np.float32] = RANGE_SHARE * seen + np.float32(RANGE_MV)
    return allowed


class Checks:
    """Judges one stream, hop by hop, with a memory of a few seconds.

    A network that predicts whole windows is judged by its newest window, up to `LEAD_S` before the
    samples leave. A network that keeps state predicts each sample once, as it leaves, and is judged
    then.

    Parameters
    ----------
    leads
        Number of leads.
    limits
        From where on the network is not believed.
    stateful
        The network keeps state, and predicts no windows.

    Attributes
    ----------
    evidence
        How strongly raw and cleaned show a QRS.
    uncertainty
        How far the network is believed.
    """

    def __init__(self, config: EngineConfig, leads: int, limits: Limits, *, stateful: bool = False) -> None:
        fs = config.fs
        self._left: _Left | None = None
        if stateful:
            config = replace(config, lookahead=0)
            self._left = _Left(leads, config.window)
        self._config, self._leads = config, leads
        self.evidence = QrsEvidence(config, leads)
        hop_s = config.hop / fs
        self._confirm = max(1, round(CONFIRM_S / hop_s))
        self._every = max(1, round(LOOK_S / hop_s))
        self._new = min(config.window, self._every * config.hop) if stateful else config.window
        """Newest samples of the output that differ from those at the look before."""
        self.uncertainty = Uncertainty(config, leads, self._every * config.hop, limits, stateful=stateful)
        self._flat = min(config.window, round(FLAT_S * fs))
        self._lead_off = LeadOff(config, leads, self._every * hop_s)
        self._rate_looks = max(1, round(RATE_S / (self._every * hop_s)))
        self._railed = min(config.window, round(RAILED_S * fs))
        self.forget()

    def forget(self) -> None:
        """Start afresh, as after a gap."""
        leads = self._leads
        self.evidence.forget()
        self.uncertainty.forget()
        self._invented, self._erased = [0] * leads, [0] * leads
        self._lead_off.forget()
        self._apart = np.zeros(leads, np.int64)
        self._since_look = 0
        self._slow = [0] * leads
        self._believed = [float("inf")] * leads

    def judge(self, message: Emitted) -> list[int]:
        """The `Reason` of each lead for the hop that leaves; all 0 where nothing is wrong."""
        answer = message.answer
        if answer.hop.flushed:
            # Its window ends in a held value, from which nothing can be told.
            return self._slow
        window, predicted = answer.hop.window, answer.predicted
        if self._left is not None:
            both = self._left.append(message.raw, message.cleaned)
            window, predicted = both
            self.uncertainty.add_spread(message.cleaned, message.mean_square)
            raw, cleaned, steepest = self.evidence.push_both(both)
        elif predicted is None:
            raise ValueError("the answers of a network that keeps state need Checks(stateful=True)")
        else:
            raw, cleaned, steepest = self.evidence.push(window, predicted)
        self._since_look += 1
        if self._since_look == self._every:
            self._since_look = 0
            self._look(window, predicted)
        verdict = self._slow
        for lead in range(self._leads):
            found = self._compare(lead, raw[lead], cleaned[lead], steepest[lead])
            if found and not verdict[lead]:
                verdict = [*verdict[:lead], found, *verdict[lead + 1 :]]
        return verdict

    def _compare(self, lead: int, raw: float, cleaned: float, steepest: float) -> int:
        """Whether this hop has a beat in one of raw and cleaned only."""
        if cleaned > BEAT_MV and steepest < INVENTED_SHARE * cleaned:
            self._invented[lead] += 1
            if self._invented[lead] >= self._confirm:
                return Reason.BEAT_INVENTED
        else:
            self._invented[lead] = 0
        if raw > self._believed[lead] and cleaned < ERASED_SHARE * raw:
            self._erased[lead] += 1
            if self._erased[lead] >= self._confirm:
                return Reason.BEAT_ERASED
        else:
            self._erased[lead] = 0
        return 0

    def _look(self, window: Samples, predicted: Samples) -> None:
        """Bring up to date what changes slowly."""
        config, evidence = self._config, self.evidence
        evidence.settle()
        level, floor = evidence.level, evidence.floor
        trusted = evidence.known & (level[0] > TRUST * floor[0])
        believed = np.maximum(np.maximum(BEAT_MV, PROMINENT * level[0]), TRUST * floor[0])
        self._believed = np.where(trusted, believed, np.inf).tolist()

        highest, lowest = np.maximum.reduce(window, axis=1), np.minimum.reduce(window, axis=1)
        span = highest - lowest
        railed, flat = self._railed_leads(window, highest, lowest), self._lead_off.look(window)
        reasons = np.zeros(self._leads, np.uint8)
        broken = ~np.isfinite(predicted).all(axis=1) | (span > NO_ECG_MV)
        reasons[self.uncertainty.look(predicted, level[1], railed | flat | broken)] = Reason.UNCERTAIN
        if evidence.known:
            reasons[(level[0] > BEAT_MV) & (level[1] < NO_ECG_SHARE * level[0])] = Reason.NO_ECG
            raw_bpm, cleaned_bpm = evidence.bpm
            apart = trusted & (np.abs(raw_bpm - cleaned_bpm) > RATE_SHARE * raw_bpm)
            self._apart = np.where(apart, self._apart + 1, 0)
            reasons[self._apart >= self._rate_looks] = Reason.RATE
        # Older output of a stateful network may come from input that has left the window.
        moved = span_mv(predicted[:, -self._new :])
        reasons[moved > RANGE_SHARE * span + RANGE_MV] = Reason.OUT_OF_RANGE
        known = slice(-self._flat - config.lookahead, config.window - config.lookahead)
        moves = span_mv(window[:, known]) > CONSTANT_INPUT_MV
        reasons[moves & (span_mv(predicted[:, known]) <= FLAT_MV)] = Reason.CONSTANT
        reasons[railed] = Reason.RAILED
        reasons[flat] = Reason.FLAT
        self._slow = reasons.tolist()

    def _railed_leads(self, window: Samples, highest: Samples, lowest: Samples) -> NDArray[np.bool_]:
        """Which leads are saturated, given the extremes of each."""
        newest = window[:, -self._railed :]
        value = newest[:, -1]
        railed: NDArray[np.bool_] = ((value == highest) | (value == lowest)) & (span_mv(newest) <= FLAT_MV)
        if railed.any():
            # A median is dear, and few leads come this far.
            railed &= np.abs(value - np.median(window, axis=1)) > RAILED_MV
        return railed


class _Left:
    """Newest samples that left, raw and cleaned; they move back only when the space behind them is full."""

    def __init__(self, leads: int, window: int) -> None:
        self._window = window
        self._both = np.zeros((2, leads, 2 * window), np.float32)
        self._stop = window

    def append(self, raw: Samples, cleaned: Samples) -> Samples:
        """Add samples, (leads, samples) mV; returns the newest, (2, leads, window), as a view."""
        both, window = self._both, self._window
        if self._stop + raw.shape[1] > both.shape[2]:
            both[:, :, :window] = both[:, :, self._stop - window : self._stop].copy()
            self._stop = window
        new = slice(self._stop, self._stop + raw.shape[1])
        both[0, :, new], both[1, :, new] = raw, cleaned
        self._stop = new.stop
        return both[:, :, self._stop - window : self._stop]
