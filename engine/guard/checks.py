"""What is wrong with a lead: with its input, with the network's output, or between the two.

Thresholds are in mV, s and shares. `ecg-stream tune-guard` prints the figures they were chosen from:
those of the validation records of Track F, with and without validation noise, and of that noise alone.
Limits that differ from network to network stand on the network's card (`engine.guard.limits`).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.config import EngineConfig
from engine.guard.ages import Age, Ages
from engine.guard.lead_off import FLAT_MV, FLAT_S, LeadOff, span_mv
from engine.guard.left import Left
from engine.guard.limits import Limits
from engine.guard.qrs_evidence import QrsEvidence, Strength
from engine.guard.rows import Bank, Rows, all_of, any_of, index_of, joined, rows_at
from engine.guard.uncertainty import Uncertainty
from engine.marks import Reason
from engine.messages import Emitted
from engine.snapshot import Tree
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
FEW_ROWS = 8
"""Up to so many leads, plain numbers are compared faster than arrays."""
RATE_SHARE, RATE_S = 0.25, 8.0
"""Heart rates of raw and cleaned may differ by this share for this long. That is longer than the memory
of a rate, so that one artefact is not enough."""


def ceiling_mv(window: Samples, raw: Samples) -> NDArray[np.float32]:
    """Largest absolute value that a hop's input can explain: its window, and what leaves, → (rows,) mV."""
    seen = np.maximum(np.maximum.reduce(window, axis=1), -np.minimum.reduce(window, axis=1))
    if raw.size:
        seen = np.maximum(seen, np.abs(raw).max(axis=1))
    allowed: NDArray[np.float32] = RANGE_SHARE * seen + np.float32(RANGE_MV)
    return allowed


class Checks(Bank):
    """Judges all leads of all streams, hop by hop, with a memory of a few seconds.

    Each lead has a row, and is judged by itself. A network that predicts whole windows is judged by its
    newest window, up to `LEAD_S` before the samples leave. A network that keeps state predicts each sample
    once, as it leaves, and is judged then.

    Parameters
    ----------
    rows
        Number of leads, of all streams.
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

    def __init__(self, config: EngineConfig, rows: int, limits: Limits, *, stateful: bool = False) -> None:
        fs = config.fs
        self._left: Left | None = None
        if stateful:
            config = replace(config, lookahead=0)
            self._left = Left(rows, config.window, config.hop)
        self._config = config
        self._ages = Ages(rows)
        self.evidence = QrsEvidence(config, rows)
        hop_s = config.hop / fs
        self._confirm = max(1, round(CONFIRM_S / hop_s))
        self._every = max(1, round(LOOK_S / hop_s))
        self._new = min(config.window, self._every * config.hop) if stateful else config.window
        """Newest samples of the output that differ from those at the look before."""
        self.uncertainty = Uncertainty(config, rows, self._every * config.hop, limits, stateful=stateful)
        self._flat = min(config.window, round(FLAT_S * fs))
        self._lead_off = LeadOff(config, rows, self._every * hop_s)
        self._rate_looks = max(1, round(RATE_S / (self._every * hop_s)))
        self._railed = min(config.window, round(RAILED_S * fs))
        self._invented = np.zeros(rows, np.int64)
        self._erased = np.zeros(rows, np.int64)
        self._apart = np.zeros(rows, np.int64)
        self._slow = np.zeros(rows, np.uint8)
        self._believed = np.full(rows, np.inf)
        self._counting = False
        """Whether a beat may be counted as invented or erased."""
        self._all = slice(0, rows)

    def grow(self, rows: int) -> None:
        """Have so many rows, the new ones afresh."""
        for part in self._parts:
            part.grow(rows)
        super().grow(rows)
        self._all = slice(0, rows)

    @property
    def _parts(self) -> "list[Ages | QrsEvidence | Uncertainty | LeadOff | Left]":
        parts = (self._ages, self.evidence, self.uncertainty, self._lead_off, self._left)
        return [part for part in parts if part]

    def snapshot(self) -> Tree:
        """All arrays, and those of the parts."""
        return {"own": super().snapshot(), "parts": [part.snapshot() for part in self._parts]}

    def restore(self, kept: Tree) -> None:
        """Go on from what `snapshot` took of as many rows."""
        super().restore(kept["own"])
        for part, of in zip(self._parts, kept["parts"], strict=True):
            part.restore(of)
        self._counting = True

    def forget(self, rows: Rows) -> None:
        """Start these rows afresh, as after a gap."""
        for part in self._parts:
            part.forget(rows)
        for counts in (self._invented, self._erased, self._apart):
            counts[rows] = 0
        self._slow[rows] = Reason.NONE
        self._believed[rows] = np.inf

    def judge(
        self, messages: Sequence[Emitted], rows: Rows, raw: Samples, cleaned: Samples
    ) -> NDArray[np.uint8]:
        """The `Reason` of each lead for the hops that leave; all 0 where nothing is wrong.

        Parameters
        ----------
        messages
            Of different streams, with equally many samples each.
        rows
            Those of their leads, one stream after the other.
        raw, cleaned
            What leaves with the messages, (rows, samples) mV.
        """
        if messages[0].answer.hop.flushed:
            # Their windows end in a held value, from which nothing can be told.
            return self._slow[rows].copy()
        age, left, span = self._ages.next(rows), self._left, self.evidence.span
        if left:
            left.append(rows, age, raw, cleaned, joined([m.mean_square for m in messages]))
            part = left.newest(rows, age, span.stop - span.start)[:2]
        else:
            part = np.stack([side[:, span] for side in _windows(messages)])
        strength, steepest = self.evidence.push(rows, age, part)
        self._look_where_due(rows, age, messages)
        slow = self._slow[rows]
        found = self._compare(rows, strength, steepest)
        return slow.copy() if found is None else np.where(slow > 0, slow, found)

    def judge_one(self, message: Emitted) -> NDArray[np.uint8]:
        """`judge` where there is one stream."""
        return self.judge([message], self._all, message.raw, message.cleaned)

    def _look_where_due(self, rows: Rows, age: Age, messages: Sequence[Emitted]) -> None:
        """Look at the rows for which it is time."""
        looked = rows
        chosen: slice | NDArray[np.bool_] = slice(None)
        if isinstance(age, int):
            if (age + 1) % self._every:
                return
        else:
            due = (age + 1) % self._every == 0
            if not any_of(due):
                return
            if not all_of(due):
                looked, age, chosen = rows_at(index_of(rows)[due]), age[due], due
        if self._left:
            self._look(looked, age, *self._left.newest(looked, age, self._config.window))
        else:
            window, predicted = _windows(messages)
            self._look(looked, age, window[chosen], predicted[chosen], None)

    def _compare(self, rows: Rows, strength: Strength, steepest: Strength) -> NDArray[np.uint8] | None:
        """Which leads have a beat in one of raw and cleaned only, at this hop; None where none may."""
        # Shares of these are compared, in double precision: to the bit what a lead by itself would give.
        if not self._counting and len(steepest) <= FEW_ROWS:
            of_each = zip(*strength.tolist(), steepest.tolist(), self._believed[rows].tolist(), strict=True)
            if not any(
                (cleaned > BEAT_MV and steep < INVENTED_SHARE * cleaned)
                or (raw > believed and cleaned < ERASED_SHARE * raw)
                for raw, cleaned, steep, believed in of_each
            ):
                return None
        (raw, cleaned), steep = strength.astype(np.float64), steepest.astype(np.float64)
        invents = (cleaned > BEAT_MV) & (steep < INVENTED_SHARE * cleaned)
        erases = (raw > self._believed[rows]) & (cleaned < ERASED_SHARE * raw)
        if not self._counting and not any_of(invents | erases):
            return None
        invented, erased = (self._invented[rows] + 1) * invents, (self._erased[rows] + 1) * erases
        self._invented[rows], self._erased[rows] = invented, erased
        self._counting = any_of(self._invented) or any_of(self._erased)
        found = np.where(erased >= self._confirm, np.uint8(Reason.BEAT_ERASED), np.uint8(Reason.NONE))
        return np.where(invented >= self._confirm, np.uint8(Reason.BEAT_INVENTED), found)

    def _look(
        self, rows: Rows, age: Age, window: Samples, predicted: Samples, mean_square: Samples | None
    ) -> None:
        """Bring up to date what changes slowly; the windows are those of these rows."""
        evidence = self.evidence
        evidence.settle(rows, age)
        level, floor, known = evidence.level[:, rows], evidence.floor[:, rows], evidence.known(age)
        least = TRUST * floor[0]
        trusted = known & (level[0] > least)
        believed = np.maximum(np.maximum(BEAT_MV, PROMINENT * level[0]), least)
        self._believed[rows] = np.where(trusted, believed, np.inf)

        highest, lowest = np.maximum.reduce(window, axis=1), np.minimum.reduce(window, axis=1)
        span = highest - lowest
        railed, flat = self._railed_leads(window, highest, lowest), self._lead_off.look(rows, window)
        unusable = railed | flat | (span > NO_ECG_MV)
        number = (age + 1) // self._every - 1
        doubted = self.uncertainty.look(rows, number, predicted, mean_square, level[1], unusable)
        no_ecg = known & (level[0] > BEAT_MV) & (level[1] < NO_ECG_SHARE * level[0])
        raw_bpm, cleaned_bpm = evidence.bpm[:, rows]
        differs = trusted & (np.abs(raw_bpm - cleaned_bpm) > RATE_SHARE * raw_bpm)
        apart = (self._apart[rows] + 1) * differs
        self._apart[rows] = apart
        # Older output of a stateful network may come from input that has left the window.
        moved = span_mv(predicted[:, -self._new :])
        # The later ones count.
        reasons = np.zeros(len(window), np.uint8)
        for reason, wrong in (
            (Reason.UNCERTAIN, doubted),
            (Reason.NO_ECG, no_ecg),
            (Reason.RATE, apart >= self._rate_looks),
            (Reason.OUT_OF_RANGE, moved > RANGE_SHARE * span + RANGE_MV),
            (Reason.CONSTANT, self._constant_leads(window, predicted)),
            (Reason.RAILED, railed),
            (Reason.FLAT, flat),
        ):
            if any_of(wrong):
                reasons[wrong] = reason
        self._slow[rows] = reasons

    def _constant_leads(self, window: Samples, predicted: Samples) -> NDArray[np.bool_]:
        """Of which leads the output stands still while the input moves."""
        behind = self._config.lookahead
        recent = slice(-self._flat - behind, self._config.window - behind)
        still = span_mv(predicted[:, recent]) <= FLAT_MV
        return still & (span_mv(window[:, recent]) > CONSTANT_INPUT_MV) if any_of(still) else still

    def _railed_leads(self, window: Samples, highest: Samples, lowest: Samples) -> NDArray[np.bool_]:
        """Which leads are saturated, given the extremes of each."""
        newest = window[:, -self._railed :]
        value = newest[:, -1]
        railed: NDArray[np.bool_] = (value == highest) | (value == lowest)
        if any_of(railed):
            railed &= span_mv(newest) <= FLAT_MV
        if any_of(railed):
            # A median is dear, and few leads come this far.
            railed[railed] = np.abs(value[railed] - np.median(window[railed], axis=1)) > RAILED_MV
        return railed


def _windows(messages: Sequence[Emitted]) -> tuple[Samples, Samples]:
    """What the network saw, and what it predicted, each (rows, window) mV."""
    predicted = [message.answer.predicted for message in messages if message.answer.predicted is not None]
    if len(predicted) < len(messages):
        raise ValueError("the answers of a network that keeps state need Checks(stateful=True)")
    return joined([message.answer.hop.window for message in messages]), joined(predicted)
