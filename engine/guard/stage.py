"""Let nothing unusable out: a missing sample stays missing, an unusable output fades to raw.

The guard looks at samples that the engine knows already, so it adds no delay.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.config import EngineConfig
from engine.guard.checks import LATE_S, Checks, ceiling_mv
from engine.guard.limits import Limits
from engine.marks import Mark, Reason
from engine.messages import Emitted, Gap
from streamer.chunk import Samples

FADE_S = 0.1
"""Length of the cross-fade between cleaned and raw, in either direction."""
HOLD_S = 1.0
"""Raw stays for so long after the last reason for it: a trace that flickers cannot be read."""


StandIn = tuple[Mark, Reason]
"""What all samples are called where something took the network's place, and why it did."""


def guard(
    messages: Iterable[Emitted | Gap],
    config: EngineConfig,
    limits: Limits,
    *,
    enabled: bool = True,
    stand_in: StandIn | None = None,
) -> Iterator[Emitted | Gap]:
    """Fade what `engine.guard.checks` finds unusable to raw (`Mark.BYPASSED`); missing samples become NaN.

    Each lead is judged by itself. A fade moves a sample by at most 1/n of the distance between raw
    and cleaned, n being the samples of `FADE_S`. A non-finite prediction heals by itself:
    overlap-add forgets it after look-ahead + hop.

    Parameters
    ----------
    limits
        From where on the network is not believed.
    enabled
        False only takes care of missing and non-finite samples, to see what a network does by itself.
    stand_in
        Something else took the network's place: no sample is called cleaned, and none is judged.
    """
    segments: dict[str, _Segment] = {}
    for message in messages:
        if isinstance(message, Emitted):
            segment = segments.get(message.stream)
            if segment is None or segment.first != message.hop.first:
                # Of the segment before, nothing is remembered.
                segment = segments[message.stream] = _Segment(
                    config, message, limits if enabled and stand_in is None else None
                )
            message = segment.take(message)
            if stand_in:
                message = _renamed(message, stand_in)
        yield message


def _renamed(message: Emitted, stand_in: StandIn) -> Emitted:
    mark, reason = stand_in
    if mark is Mark.BYPASSED:
        message.cleaned = message.raw  # to the last bit
    passed = message.marks < Mark.BYPASSED
    before = np.zeros_like(message.marks) if message.reasons is None else message.reasons
    message.marks = np.where(passed, np.uint8(mark), message.marks)
    message.reasons = np.where(passed, np.uint8(reason), before)
    return message


class _Segment:
    """One segment of a stream: how far each of its leads is on its way from cleaned (0) to raw (1)."""

    def __init__(self, config: EngineConfig, message: Emitted, limits: Limits | None) -> None:
        leads = len(message.raw)
        self.first = message.hop.first
        fade = max(1, round(FADE_S * config.fs))
        self._ramp = np.arange(1, config.hop + 1, dtype=np.float32) / np.float32(fade)
        self._hold = round(HOLD_S * config.fs) if limits else 0
        stateful = message.hop.predicted.size == 0
        self._checks = Checks(config, leads, limits, stateful=stateful) if limits else None
        self._good = [0] * leads
        self._raw_share = np.zeros((leads, 1), np.float32)
        self._reasons = [0] * leads
        self._held = [0] * leads  # samples for which raw still stays
        self._apart = np.zeros((leads, 1), np.float32)  # newest known distance from raw to cleaned
        self._newest: Emitted | None = None
        self._fading = False
        self._ceiling = 0.0

    def take(self, message: Emitted) -> Emitted:
        """The message as it may leave."""
        hop, cleaned = message.hop, message.cleaned
        found = self._checks.judge(message) if self._checks else self._good
        high, low = np.maximum.reduce(cleaned, axis=None), np.minimum.reduce(cleaned, axis=None)
        # NaN fails both comparisons.
        within = high < self._ceiling and -low < self._ceiling
        if within and found == self._good and not self._fading and hop.missing is None:
            self._newest = message
            if hop.finished_ns - hop.ready_ns > 1e9 * LATE_S:
                message.reasons = np.full(message.marks.shape, Reason.LATE, np.uint8)
            return message
        return self._repair(message, found)

    def _repair(self, message: Emitted, found: list[int]) -> Emitted:
        raw, cleaned, count = message.raw, message.cleaned, message.raw.shape[1]
        missing = message.hop.missing
        if missing is None:
            missing = np.zeros(raw.shape, np.bool_)
        ceiling = ceiling_mv(message)
        self._ceiling = float(ceiling.max())
        usable = np.abs(cleaned) <= ceiling[:, None]
        finite = np.isfinite(cleaned)
        for lead, reason in enumerate(found):
            if not finite[lead].all():
                reason = Reason.NOT_FINITE
            elif not reason and not usable[lead].all():
                reason = Reason.OUT_OF_RANGE
            if reason:
                self._reasons[lead], self._held[lead] = reason, self._hold + count
            else:
                self._held[lead] = max(0, self._held[lead] - count)
        towards = np.where(np.array(self._held) > 0, 1, -1).astype(np.float32)[:, None]
        share = np.clip(self._raw_share + towards * self._ramp[:count], 0, 1)
        known = usable & ~missing
        apart = self._filled(np.where(known, cleaned - raw, 0), known)
        self._raw_share, self._apart = share[:, -1:], apart[:, -1:]
        self._fading = bool((share[:, -1] > 0).any() or any(self._held))

        bypassed = (share > 0) | ~usable
        reasons = np.where(bypassed, np.array(self._reasons, np.uint8)[:, None], np.uint8(Reason.NONE))
        marks = np.where(bypassed, np.uint8(Mark.BYPASSED), message.marks)
        passed = np.where(bypassed, raw + (1 - share) * apart, cleaned)
        nothing = np.float32(np.nan)
        self._newest = None
        return replace(
            message,
            raw=np.where(missing, nothing, raw),
            cleaned=np.where(missing, nothing, passed),
            marks=np.where(missing, np.uint8(Mark.MISSING), marks),
            reasons=np.where(missing, np.uint8(Reason.NO_INPUT), reasons),
        )

    def _filled(self, apart: Samples, known: NDArray[np.bool_]) -> Samples:
        """Distance from raw to cleaned; where it is not known, the newest that is."""
        if self._newest is not None:
            newest = self._newest
            self._apart = (newest.cleaned - newest.raw)[:, -1:]
        if known.all():
            return apart
        index = np.where(known, np.arange(known.shape[1]), -1)
        index = np.maximum.accumulate(index, axis=1)
        last = np.take_along_axis(apart, np.maximum(index, 0), axis=1)
        return np.where(index >= 0, last, self._apart)
