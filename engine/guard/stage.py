"""Let nothing unusable out: a missing sample stays missing, an unusable output fades to raw.

The guard judges samples that the engine already holds, so it adds no delay.
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
"""Raw is shown for this long after the last reason for it: a trace that flickers cannot be read."""


StandIn = tuple[Mark, Reason]
"""Mark of all samples while something else cleans in the network's place, and the reason for it."""


def guard(
    messages: Iterable[Emitted | Gap],
    config: EngineConfig,
    limits: Limits,
    *,
    enabled: bool = True,
    stand_in: StandIn | None = None,
) -> Iterator[Emitted | Gap]:
    """Fade what `engine.guard.checks` finds unusable to raw (`Mark.BYPASSED`); missing samples become NaN.

    Each lead is judged by itself. During a fade, the step from one sample to the next is at most 1/n of
    the distance between raw and cleaned, where n is the number of samples in `FADE_S`. A non-finite
    prediction needs no repair beyond that: overlap-add drops it after look-ahead + hop.

    Parameters
    ----------
    limits
        From where on the network is not believed.
    enabled
        False looks for missing and non-finite samples only, to measure a network by itself.
    stand_in
        Given while something else cleans in the network's place: it is not judged, and its samples
        carry this mark and reason instead of `Mark.CLEANED`.
    """
    segments: dict[str, _Segment] = {}
    for message in messages:
        if isinstance(message, Emitted):
            segment = segments.get(message.stream)
            if segment is None or segment.first != message.answer.hop.first:
                segment = segments[message.stream] = _Segment(
                    config, message, limits if enabled and stand_in is None else None
                )
            message = segment.take(message)
            if stand_in:
                message = _renamed(message, stand_in)
        yield message


def _renamed(message: Emitted, stand_in: StandIn) -> Emitted:
    """The message with the mark and reason of what cleaned it."""
    mark, reason = stand_in
    passed = message.marks < Mark.BYPASSED
    before = np.zeros_like(message.marks) if message.reasons is None else message.reasons
    return replace(
        message,
        # Raw leaves as it came, without the rounding of overlap-add.
        cleaned=message.raw if mark is Mark.BYPASSED else message.cleaned,
        marks=np.where(passed, np.uint8(mark), message.marks),
        reasons=np.where(passed, np.uint8(reason), before),
    )


class _Segment:
    """One segment of a stream, and for each of its leads the share of raw in what leaves, 0 to 1."""

    def __init__(self, config: EngineConfig, message: Emitted, limits: Limits | None) -> None:
        leads = len(message.raw)
        self.first = message.answer.hop.first
        fade = max(1, round(FADE_S * config.fs))
        self._ramp = np.arange(1, config.hop + 1, dtype=np.float32) / np.float32(fade)
        self._hold = round(HOLD_S * config.fs) if limits else 0
        stateful = message.answer.stateful
        self._checks = Checks(config, leads, limits, stateful=stateful) if limits else None
        self._good = [0] * leads
        self._raw_share = np.zeros((leads, 1), np.float32)
        self._reasons = [0] * leads
        self._held = [0] * leads  # samples for which raw is still shown
        self._apart = np.zeros((leads, 1), np.float32)  # newest known distance from raw to cleaned
        self._newest: Emitted | None = None
        self._fading = False
        self._ceiling = 0.0

    def take(self, message: Emitted) -> Emitted:
        """The message as it may leave."""
        answer, cleaned = message.answer, message.cleaned
        found = self._checks.judge(message) if self._checks else self._good
        high, low = np.maximum.reduce(cleaned, axis=None), np.minimum.reduce(cleaned, axis=None)
        # NaN fails both comparisons.
        within = high < self._ceiling and -low < self._ceiling
        if within and found == self._good and not self._fading and answer.hop.missing is None:
            self._newest = message
            if answer.call.finished_ns - answer.hop.ready_ns > 1e9 * LATE_S:
                return replace(message, reasons=np.full(message.marks.shape, Reason.LATE, np.uint8))
            return message
        return self._repair(message, found)

    def _repair(self, message: Emitted, found: list[int]) -> Emitted:
        """The message with unusable leads faded towards raw, and missing samples as NaN."""
        raw, cleaned, count = message.raw, message.cleaned, message.raw.shape[1]
        missing = message.answer.hop.missing
        ceiling = ceiling_mv(message)
        self._ceiling = float(np.maximum.reduce(ceiling))
        usable = np.abs(cleaned) <= ceiling[:, None]
        all_usable = np.logical_and.reduce(usable, axis=1).tolist()
        for lead, reason in enumerate(found):
            # What is not finite is not usable either.
            if not all_usable[lead]:
                if not np.isfinite(cleaned[lead]).all():
                    reason = Reason.NOT_FINITE
                elif not reason:
                    reason = Reason.OUT_OF_RANGE
            if reason:
                self._reasons[lead], self._held[lead] = reason, self._hold + count
            else:
                self._held[lead] = max(0, self._held[lead] - count)
        towards = np.array([[1.0 if held else -1.0] for held in self._held], np.float32)
        share = np.minimum(np.maximum(self._raw_share + towards * self._ramp[:count], 0), 1)
        known = usable if missing is None else usable & ~missing
        apart = self._filled(cleaned - raw, known)
        self._raw_share, self._apart = share[:, -1:], apart[:, -1:]
        self._fading = any(self._held) or bool((share[:, -1] > 0).any())

        bypassed = (share > 0) | ~usable
        reasons = np.where(bypassed, np.array(self._reasons, np.uint8)[:, None], np.uint8(Reason.NONE))
        marks = np.where(bypassed, np.uint8(Mark.BYPASSED), message.marks)
        passed = np.where(bypassed, raw + (1 - share) * apart, cleaned)
        self._newest = None
        if missing is not None:
            nothing = np.float32(np.nan)
            raw, passed = np.where(missing, nothing, raw), np.where(missing, nothing, passed)
            marks = np.where(missing, np.uint8(Mark.MISSING), marks)
            reasons = np.where(missing, np.uint8(Reason.NO_INPUT), reasons)
        return replace(message, raw=raw, cleaned=passed, marks=marks, reasons=reasons)

    def _filled(self, apart: Samples, known: NDArray[np.bool_]) -> Samples:
        """Distance from raw to cleaned; where it is unknown, the newest known one before it."""
        if self._newest is not None:
            newest = self._newest
            self._apart = (newest.cleaned - newest.raw)[:, -1:]
        if known.all():
            return apart
        index = np.where(known, np.arange(known.shape[1]), -1)
        index = np.maximum.accumulate(index, axis=1)
        # Only known distances are taken; the others may not be finite.
        last = np.take_along_axis(apart, np.maximum(index, 0), axis=1)
        return np.where(index >= 0, last, self._apart)
