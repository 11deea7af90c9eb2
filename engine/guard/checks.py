"""What is wrong with a lead: with its input, with the network's output, or between the two.

Thresholds are in mV, s and shares. `ecg-stream tune-guard` prints what they were read off: the
validation records of Track F, with and without validation noise, and that noise alone. Those that
differ from network to network stand on the network's card (`engine.guard.uncertainty`).
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.config import EngineConfig
from engine.guard.limits import Limits
from engine.guard.qrs_evidence import QrsEvidence
from engine.guard.uncertainty import Uncertainty
from engine.marks import Reason
from engine.messages import Emitted
from streamer.chunk import Samples

LOOK_S = 0.2
"""What changes slowly is looked at this often."""
FLAT_MV, FLAT_S = 0.001, 0.5
"""Moves less than this for as long: nothing alive does. MIT-BIH records stand still for 28 ms at most."""
RAILED_S, RAILED_MV = 0.05, 1.0
"""Stands still for this long, at an extreme that is so far from the window's median: saturated."""
CONSTANT_INPUT_MV = 0.05
"""Raw that moves more than this is no reason for an output that stands still."""
RANGE_SHARE, RANGE_MV = 2.0, 0.2
"""An output may exceed its input by this factor and so much more."""
BEAT_MV = 0.1
"""What is less steep is no beat: about 0.15 mV from peak to peak, which no monitor has to count."""
PROMINENT = 0.5
"""A beat has at least this share of the typical strength."""
INVENTED_SHARE = 0.33
"""A cleaned beat is invented where nothing in raw is as steep as this share of it, up or down."""
ERASED_SHARE = 0.3
"""A raw beat that cleaned shows with less than this share of its strength is erased."""
TRUST = 16.0
"""Beats of raw are believed where they stand this many times above what lies between them."""
CONFIRM_S = 0.05
"""A beat is invented or erased if it was so for this long: raw and cleaned may differ by a few ms."""
NO_ECG_MV = 100.0
"""Raw that moves more than this is no ECG: what a network says of it is not held against it."""
NO_ECG_SHARE = 0.4
"""Where cleaned has less than this share of raw's typical strength, the network hears only noise."""
LATE_S = 0.5
"""An answer that comes later than this after its window was full is late."""

RATE_SHARE = 0.25
"""Heart rates of raw and cleaned that differ by more than this share are too far apart …"""
RATE_S = 8.0
"""… where they do so for this long: more than rates remember, so that one artefact is not enough."""


def ceiling_mv(message: Emitted) -> NDArray[np.float32]:
    """Largest absolute value that a hop's input can explain, (leads,) mV."""
    seen = np.abs(message.hop.window).max(axis=1)
    if message.raw.size:
        seen = np.maximum(seen, np.abs(message.raw).max(axis=1))
    allowed: NDArray[np.float32] = RANGE_SHARE * seen + np.float32(RANGE_MV)
    return allowed


class Checks:
    """Judges one stream, hop by hop; everything it knows is forgotten within seconds.

    A network that answers a whole window is judged by its newest answer, up to `LEAD_S` before the
    samples leave. One that keeps state says each sample once, as it leaves: it is judged by that.

    Parameters
    ----------
    leads
        Number of leads.
    limits
        From where on the network is not believed.
    stateful
        The network keeps state: `Hop.predicted` says nothing.

    Attributes
    ----------
    evidence
        How strongly raw and cleaned show a QRS.
    doubt
        How far the network is believed.
    """

    def __init__(self, config: EngineConfig, leads: int, limits: Limits, *, stateful: bool = False) -> None:
        fs = config.fs
        self._said: Samples | None = None
        if stateful:
            config = replace(config, lookahead=0)
            self._said = np.zeros((2, leads, config.window), np.float32)
        self._config, self._leads = config, leads
        self.evidence = QrsEvidence(config, leads)
        hop_s = config.hop / fs
        self._confirm = max(1, round(CONFIRM_S / hop_s))
        self._every = max(1, round(LOOK_S / hop_s))
        self._new = min(config.window, self._every * config.hop) if stateful else config.window
        """Samples of `predicted` that the look before did not see."""
        self.doubt = Uncertainty(config, leads, self._every * config.hop, limits, stateful=stateful)
        self._flat = min(config.window, round(FLAT_S * fs))
        self._flat_looks = max(1, round((FLAT_S - self._flat / fs) / (self._every * hop_s)) + 1)
        self._rate_looks = max(1, round(RATE_S / (self._every * hop_s)))
        self._railed = min(config.window, round(RAILED_S * fs))
        self.forget()

    def forget(self) -> None:
        """Begin afresh, as after a gap."""
        leads = self._leads
        self.evidence.forget()
        self.doubt.forget()
        self._invented, self._erased = [0] * leads, [0] * leads
        self._still = np.zeros(leads, np.int64)
        self._apart = np.zeros(leads, np.int64)
        self._newest: Samples = np.zeros(leads, np.float32)
        self._since_look = 0
        self._slow = [0] * leads
        self._believed = [float("inf")] * leads

    def judge(self, message: Emitted) -> list[int]:
        """The `Reason` of each lead for the hop that leaves; all 0 where nothing is wrong."""
        hop = message.hop
        if hop.flushed:
            # Its window ends in a stand-in for the future, of which nothing follows.
            return self._slow
        window, predicted = hop.window, hop.predicted
        if self._said is not None:
            window, predicted = self._say(self._said, message)
            self.doubt.hear(message.spread)
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

    @staticmethod
    def _say(said: Samples, message: Emitted) -> Samples:
        """Add what leaves to the newest samples that left, raw and cleaned, (2, leads, window)."""
        count = message.raw.shape[1]
        said[:, :, :-count] = said[:, :, count:]
        said[0, :, -count:], said[1, :, -count:] = message.raw, message.cleaned
        return said

    def _look(self, window: Samples, predicted: Samples) -> None:
        """Bring up to date what changes slowly."""
        config, evidence = self._config, self.evidence
        evidence.settle()
        level, floor = evidence.level, evidence.floor
        trusted = evidence.known & (level[0] > TRUST * floor[0])
        believed = np.maximum(np.maximum(BEAT_MV, PROMINENT * level[0]), TRUST * floor[0])
        self._believed = np.where(trusted, believed, np.inf).tolist()

        span = np.ptp(window, axis=1)
        railed, flat = self._railed_leads(window), self._flat_leads(window)
        reasons = np.zeros(self._leads, np.uint8)
        broken = ~np.isfinite(predicted).all(axis=1) | (span > NO_ECG_MV)
        reasons[self.doubt.look(predicted, level[1], railed | flat | broken)] = Reason.UNCERTAIN
        if evidence.known:
            reasons[(level[0] > BEAT_MV) & (level[1] < NO_ECG_SHARE * level[0])] = Reason.NO_ECG
            raw_bpm, cleaned_bpm = evidence.bpm
            apart = trusted & (np.abs(raw_bpm - cleaned_bpm) > RATE_SHARE * raw_bpm)
            self._apart = np.where(apart, self._apart + 1, 0)
            reasons[self._apart >= self._rate_looks] = Reason.RATE
        # What was said before stands, of an input that may have left the window.
        said = np.ptp(predicted[:, -self._new :], axis=1)
        reasons[said > RANGE_SHARE * span + RANGE_MV] = Reason.OUT_OF_RANGE
        known = slice(-self._flat - config.lookahead, config.window - config.lookahead)
        moves = np.ptp(window[:, known], axis=1) > CONSTANT_INPUT_MV
        reasons[moves & (np.ptp(predicted[:, known], axis=1) <= FLAT_MV)] = Reason.CONSTANT
        reasons[railed] = Reason.RAILED
        reasons[flat] = Reason.FLAT
        self._slow = reasons.tolist()

    def _flat_leads(self, window: Samples) -> NDArray[np.bool_]:
        newest, self._newest = self._newest, window[:, -1]
        still = np.ptp(window[:, -self._flat :], axis=1) <= FLAT_MV
        # A short window does not reach back to the look before.
        still &= np.abs(window[:, -1] - newest) <= FLAT_MV
        self._still = np.where(still, self._still + 1, 0)
        return self._still >= self._flat_looks

    def _railed_leads(self, window: Samples) -> NDArray[np.bool_]:
        newest = window[:, -self._railed :]
        value = newest[:, -1]
        extreme = (value == window.max(axis=1)) | (value == window.min(axis=1))
        far = np.abs(value - np.median(window, axis=1)) > RAILED_MV
        railed: NDArray[np.bool_] = extreme & far & (np.ptp(newest, axis=1) <= FLAT_MV)
        return railed
