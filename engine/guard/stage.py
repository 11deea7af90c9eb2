"""Let nothing unusable out: a missing sample stays missing, an unusable output fades to raw.

The guard judges samples that the engine already holds, so it adds no delay.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import TypeGuard, cast

import numpy as np
from numpy.typing import NDArray

from engine.config import EngineConfig
from engine.guard.checks import LATE_S, Checks
from engine.guard.limits import Limits
from engine.guard.repair import Repair
from engine.guard.rows import Rows, all_of, index_of, joined, rows_at
from engine.marks import Mark, Reason
from engine.messages import Emitted, Gap
from engine.snapshot import Tree
from streamer.chunk import Samples

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
    """`guard_rounds`, message by message."""
    rounds = ([message] for message in messages)
    return chain.from_iterable(guard_rounds(rounds, config, limits, enabled=enabled, stand_in=stand_in))


def guard_rounds(
    rounds: Iterable[Sequence[Emitted | Gap]],
    config: EngineConfig,
    limits: Limits,
    *,
    enabled: bool = True,
    stand_in: StandIn | None = None,
    streams: "Streams | None" = None,
) -> Iterator[list[Emitted | Gap]]:
    """Fade what `engine.guard.checks` finds unusable to raw (`Mark.BYPASSED`); missing samples become NaN.

    Each lead is judged by itself, all that leave together at once. During a fade, the step from one sample
    to the next is at most 1/n of the distance between raw and cleaned, where n is the number of samples in
    `FADE_S`. A non-finite prediction needs no repair beyond that: overlap-add drops it after
    look-ahead + hop.

    Parameters
    ----------
    rounds
        Messages that leave together.
    limits
        From where on the network is not believed.
    enabled
        False looks for missing and non-finite samples only, to measure a network by itself.
    stand_in
        Given while something else cleans in the network's place: it is not judged, and its samples
        carry this mark and reason instead of `Mark.CLEANED`.
    streams
        What is known of the streams already, and will be; None knows none.
    """
    streams = streams or Streams(config, limits if enabled and stand_in is None else None)
    for messages in rounds:
        left: list[Emitted | Gap] = []
        for together in _turns(messages):
            if isinstance(together, Gap):
                left.append(together)
            elif stand_in:
                left += [_renamed(message, stand_in) for message in streams.take(together)]
            else:
                left += streams.take(together)
        yield left


def _turns(messages: Sequence[Emitted | Gap]) -> Iterator[list[Emitted] | Gap]:
    """Messages that can be judged at once, in order: of different streams, and of one length."""
    if _is_one_turn(messages):
        yield messages
        return
    together: list[Emitted] = []
    streams: set[str] = set()
    kind = (0, False)
    for message in messages:
        if isinstance(message, Gap):
            if together:
                yield together
                together, streams = [], set()
            yield message
            continue
        before, kind = kind, (message.raw.shape[1], message.answer.hop.flushed)
        if together and (kind != before or message.stream in streams):
            yield together
            together, streams = [], set()
        together.append(message)
        streams.add(message.stream)
    if together:
        yield together


def _is_one_turn(messages: Sequence[Emitted | Gap]) -> TypeGuard[list[Emitted]]:
    """Whether all of these can be judged at once, as they mostly can."""
    if {*map(type, messages)} != {Emitted} or len({message.stream for message in messages}) < len(messages):
        return False
    of = [(m.raw.shape[1], m.answer.hop.flushed) for m in cast("list[Emitted]", messages)]
    return of.count(of[0]) == len(of)


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
    """The newest segment of a stream, and the rows of its leads."""

    __slots__ = ("first", "index", "rows")

    def __init__(self, rows: slice) -> None:
        self.rows = rows
        self.index = index_of(rows)
        self.first: int | None = None


class Streams:
    """All streams: the rows of their leads, and what is known of these."""

    def __init__(self, config: EngineConfig, limits: Limits | None) -> None:
        self._config, self._limits = config, limits
        self._checks: Checks | None = None
        self._stateful = False
        self._repair = Repair(config, holds=limits is not None)
        self._segments: dict[str, _Segment] = {}
        self._rows_used = self._rows_there = 0
        self._together: dict[str, tuple[list[tuple[str, int, int]], Rows]] = {}
        """By the first of the streams that were judged together: each of them with the first sample of its
        segment and its number of leads, and the rows of all."""

    def snapshot(self) -> Tree:
        """What is known of all leads, and which rows are whose."""
        return {
            "rows": (self._rows_used, self._rows_there),
            "segments": {
                name: (of.rows.start, of.rows.stop, of.first) for name, of in self._segments.items()
            },
            "repair": self._repair.snapshot(),
            "checks": self._checks and self._checks.snapshot(),
            "stateful": self._stateful,
        }

    def restore(self, kept: Tree) -> None:
        """Go on from what `snapshot` took."""
        self._rows_used, self._rows_there = kept["rows"]
        self._repair.restore(kept["repair"])
        if self._limits and kept["checks"]:
            self._stateful = kept["stateful"]
            self._checks = Checks(self._config, self._rows_there, self._limits, stateful=self._stateful)
            self._checks.restore(kept["checks"])
        for name, (start, stop, first) in kept["segments"].items():
            self._segments[name] = _Segment(slice(start, stop))
            self._segments[name].first = first

    def take(self, messages: list[Emitted]) -> list[Emitted]:
        """Messages of different streams and of one length as they may leave."""
        rows = self._rows_of(messages)
        raw, cleaned = joined([m.raw for m in messages]), joined([m.cleaned for m in messages])
        found = np.zeros(len(raw), np.uint8)
        if self._checks:
            found = self._checks.judge(messages, rows, raw, cleaned)
        missing = [message for message in messages if message.answer.hop.missing is not None]
        if missing or not self._repair.all_pass(rows, cleaned, found):
            passes = self._repair.passes(rows, cleaned, found)
            if missing or not all_of(passes):
                return self._repaired(messages, rows, raw, cleaned, found, passes)
        self._repair.passed(rows, raw, cleaned)
        return _late(messages)

    def _repaired(
        self,
        messages: list[Emitted],
        rows: Rows,
        raw: Samples,
        cleaned: Samples,
        found: NDArray[np.uint8],
        passes: NDArray[np.bool_],
    ) -> list[Emitted]:
        """The messages, with those repaired of which a lead does not pass."""
        left, unfit, places, row = list(messages), [], [], 0
        chosen = np.zeros(len(found), np.bool_)
        for place, message in enumerate(messages):
            leads = slice(row, row + len(message.raw))
            row = leads.stop
            if message.answer.hop.missing is not None or not passes[leads].all():
                chosen[leads] = True
                unfit.append(message)
                places.append(place)
            else:
                left[place : place + 1] = _late([message])
        index = index_of(rows)
        unfit_rows = rows_at(index[chosen])
        self._repair.passed(index[~chosen], raw[~chosen], cleaned[~chosen])
        for place, message in zip(places, self._repair.repair(unfit, unfit_rows, found[chosen]), strict=True):
            left[place] = message
        return left

    def _segment(self, message: Emitted) -> _Segment:
        """Where a message belongs; a new segment starts afresh."""
        first, leads = message.answer.hop.first, len(message.raw)
        segment = self._segments.get(message.stream)
        if segment is None or len(segment.index) != leads:
            segment = self._segments[message.stream] = _Segment(self._new_rows(leads))
            self._make_checks(message)
        if segment.first != first:
            segment.first = first
            self._repair.forget(segment.rows)
            if self._checks:
                self._checks.forget(segment.rows)
        return segment

    def _make_checks(self, message: Emitted) -> None:
        if self._limits and self._checks is None:
            self._stateful = message.answer.stateful
            self._checks = Checks(self._config, self._rows_there, self._limits, stateful=self._stateful)

    def _new_rows(self, leads: int) -> slice:
        """Rows that no stream has yet."""
        first, self._rows_used = self._rows_used, self._rows_used + leads
        if self._rows_used > self._rows_there:
            self._rows_there = max(self._rows_used, 2 * self._rows_there)
            self._repair.grow(self._rows_there)
            if self._checks:
                self._checks.grow(self._rows_there)
        return slice(first, self._rows_used)

    def _rows_of(self, messages: list[Emitted]) -> Rows:
        """Rows of the leads of these; looked up anew where they are others than before."""
        together = [(m.stream, m.answer.hop.first, m.raw.shape[0]) for m in messages]
        known = self._together.get(messages[0].stream)
        if known and known[0] == together:
            return known[1]
        segments = [self._segment(message) for message in messages]
        rows = rows_at(np.concatenate([segment.index for segment in segments]))
        self._together[messages[0].stream] = together, rows
        return rows


def _late(messages: list[Emitted]) -> list[Emitted]:
    """The messages, with the reason where their answers came late."""
    late_ns = 1e9 * LATE_S
    return [
        replace(message, reasons=np.full(message.marks.shape, Reason.LATE, np.uint8))
        if message.answer.call.finished_ns - message.answer.hop.ready_ns > late_ns
        else message
        for message in messages
    ]
