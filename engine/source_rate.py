"""Everything leaves at the rate of its source: raw as it came, cleaned read back at its samples."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.marks import Mark, Reason
from engine.messages import Answer, Emitted, Gap
from engine.snapshot import Tree
from engine.way_back import WayBack
from streamer.chunk import Annotation, Chunk, Samples


class _Came(NamedTuple):
    """Samples of a source, as they came; as in `streamer.chunk.Chunk`, with an arrival for each."""

    raw: Samples
    reference: Samples | None
    source_time: NDArray[np.float64]
    arrived_ns: NDArray[np.int64]
    annotations: tuple[Annotation, ...]


@dataclass(slots=True)
class _Segment:
    """Unbroken samples of a source, start … stop-1, of which those that have left are dropped."""

    start: int
    stop: int
    stream: str
    leads: int
    over: bool = False
    chunks: deque[Chunk] = field(default_factory=deque)

    def part(self, start: int, stop: int) -> "_Came":
        """What came as samples start … stop-1, which have not been dropped."""
        chunks = [chunk for chunk in self.chunks if start < chunk.stop and chunk.start < stop]
        if not chunks:
            nothing = np.empty((self.leads, 0), np.float32)
            return _Came(nothing, None, np.empty(0), np.empty(0, np.int64), ())
        part = slice(start - chunks[0].start, stop - chunks[0].start)
        lengths = [chunk.data.shape[1] for chunk in chunks]
        references = [chunk.reference for chunk in chunks if chunk.reference is not None]
        return _Came(
            np.concatenate([chunk.data for chunk in chunks], axis=1)[:, part],
            np.concatenate(references, axis=1)[:, part] if references else None,
            np.concatenate([chunk.source_time for chunk in chunks])[part],
            np.repeat(np.array([chunk.arrived_ns for chunk in chunks], np.int64), lengths)[part],
            tuple(mark for chunk in chunks for mark in chunk.annotations if start <= mark.sample < stop),
        )


class SourceRate:
    """Keeps what a source sent until the network has answered for it, and hands out both together.

    The samples of a source leave once each and in order, and so do its gaps, all counted in its own
    samples, whatever became of them at the network's rate. Raw, reference, stamps and annotations are
    those of the source, untouched. Cleaned is read from the network's answers, and is the source's own raw
    where the guard passes raw on; so is a sample that is there, but within the resampler's reach of one
    that its source lost, and one of a piece between two gaps that is too short for a network sample.

    `note` may be called on the thread of the source; `take` and `rest` belong to the one that cleans.

    Parameters
    ----------
    fs, there
        Rates of the source and of the network, Hz.

    Attributes
    ----------
    delay_s
        What reading back waits for, s; it counts as hold in the ledger.
    """

    def __init__(self, fs: float, there: float) -> None:
        self._back = WayBack(fs, there)
        self.delay_s = self._back.delay_s
        self._coming: deque[Chunk] = deque()
        self._segments: deque[_Segment] = deque()
        self._answered = False
        self._next: int | None = None
        self._newest: Emitted | None = None

    def snapshot(self) -> Tree:
        """What is needed to go on, with what the network has not answered for."""
        segments = [{name: getattr(each, name) for name in _Segment.__slots__} for each in self._segments]
        numbers = {name: getattr(self, name) for name in ("_coming", "_answered", "_next", "_newest")}
        return {"back": self._back.snapshot(), "segments": segments, "own": numbers}

    def restore(self, kept: Tree) -> None:
        """Go on from what `snapshot` took at the same rates."""
        self._back.restore(kept["back"])
        self._segments = deque(_Segment(**each) for each in kept["segments"])
        vars(self).update(kept["own"])

    def note(self, chunk: Chunk) -> None:
        """Keep a chunk; to be called before anything that is made of it can be taken."""
        if chunk.data.shape[1] or chunk.ends_segment:
            self._coming.append(chunk)

    def take(self, message: Emitted | Gap) -> Iterator[Emitted | Gap]:
        """What can leave with a message at the rate of the network."""
        self._sort_in()
        if isinstance(message, Gap):
            yield from self._close_before(message.stop)
            yield from self._gap()
            return
        self._newest = message
        if message.start != self._back.next:
            yield from self._close_before(message.start)
        cleaned = message.cleaned
        self._answered = True
        self._back.push(
            message.start,
            np.concatenate([cleaned, cleaned - message.raw]),
            message.marks,
            np.zeros_like(message.marks) if message.reasons is None else message.reasons,
            np.maximum(message.mean_square - cleaned * cleaned, 0),
            message.answer.hop.arrived_ready_ns[1],
        )
        segment = self._segments[0]
        if segment.over and message.stop * self._back.down >= segment.stop * self._back.up:
            self._back.end()
        yield from self._leave(min(self._back.known, segment.stop))

    def rest(self) -> Iterator[Emitted | Gap]:
        """What still waits, when nothing more will come."""
        self._sort_in()
        while self._segments:
            yield from self._close()

    def _sort_in(self) -> None:
        """Bring what has come into its segments."""
        while self._coming:
            chunk = self._coming.popleft()
            newest = self._segments[-1] if self._segments else None
            if newest and (chunk.ends_segment or newest.over or chunk.start != newest.stop):
                newest.over = True
            if chunk.ends_segment:
                continue
            if newest is None or newest.over:
                newest = _Segment(chunk.start, chunk.start, chunk.stream, len(chunk.data))
                self._segments.append(newest)
            newest.chunks.append(chunk)
            newest.stop = chunk.stop

    def _close_before(self, sample: int) -> Iterator[Emitted | Gap]:
        """Have all leave that lies in segments before the one with this sample of the network."""
        place = sample * self._back.down // self._back.up
        while len(self._segments) > 1 and self._segments[1].start <= place:
            yield from self._close()

    def _close(self) -> Iterator[Emitted | Gap]:
        """Have the rest of the oldest segment leave."""
        self._back.end()
        yield from self._leave(self._segments[0].stop)
        self._segments.popleft()
        self._answered = False

    def _gap(self) -> Iterator[Gap]:
        """The gap before the oldest segment, where it has not left."""
        start = self._segments[0].start
        if self._next is not None and self._next < start:
            yield Gap(self._segments[0].stream, self._next, start)
            self._next = start

    def _leave(self, stop: int) -> Iterator[Emitted | Gap]:
        """Samples of the oldest segment before `stop` that have not left, as one message."""
        yield from self._gap()
        segment = self._segments[0]
        start = segment.start if self._next is None else self._next
        if stop <= start:
            return
        self._next = stop
        if self._newest is None:
            # The network has not had a single sample of this stream: there is nothing to hand this out with.
            yield Gap(segment.stream, start, stop)
        else:
            yield self._emitted(self._newest, segment, start, stop)
        while segment.chunks and segment.chunks[0].stop <= stop:
            segment.chunks.popleft()

    def _emitted(self, message: Emitted, segment: _Segment, start: int, stop: int) -> Emitted:
        """Samples start … stop-1 of a segment, with the network's answers so far."""
        came = segment.part(start, stop)
        raw, leads = came.raw, len(came.raw)
        missing = np.isnan(raw)
        if self._answered:
            cleaned, (marks, reasons, variance, ready) = self._back.read(start, stop, slice(leads))
            bypassed = marks == Mark.BYPASSED
            if bypassed.any():
                apart, _ = self._back.read(start, stop, slice(leads, None))
                cleaned = np.where(bypassed, raw + apart, cleaned)
            self._back.forget(stop)
            unknown = np.isnan(cleaned)
        else:
            marks = reasons = np.zeros(raw.shape, np.uint8)
            cleaned, variance, ready = raw, np.zeros_like(raw), came.arrived_ns
            unknown = np.ones(raw.shape, np.bool_)
        if unknown.any() or missing.any():
            cleaned = np.where(unknown, raw, cleaned)
            cleaned[missing] = np.nan
            marks = np.where(unknown, np.uint8(Mark.BYPASSED), marks)
            marks[missing] = Mark.MISSING
            reasons = np.where(unknown | missing, np.uint8(Reason.NO_INPUT), reasons)
        ahead, predicted = self._ahead(message, segment, stop)
        hop = replace(
            message.answer.hop,
            start=start,
            first=segment.start,
            skip=0,
            raw=raw,
            reference=came.reference,
            missing=missing if missing.any() else None,
            source_time=came.source_time,
            arrived_ready_ns=np.stack([came.arrived_ns, np.maximum(ready, came.arrived_ns)]),
            annotations=came.annotations,
            missing_ahead=np.isnan(ahead),
            window=ahead,
        )
        return replace(
            message,
            start=start,
            raw=raw,
            cleaned=cleaned,
            mean_square=cleaned * cleaned + variance,
            reference=came.reference,
            marks=marks,
            source_time=came.source_time,
            annotations=came.annotations,
            reasons=reasons if reasons.any() else None,
            answer=Answer(hop, message.answer.call, predicted),
        )

    def _ahead(self, message: Emitted, segment: _Segment, stop: int) -> tuple[Samples, Samples | None]:
        """Raw behind sample `stop` as far as the newest window reaches, and a first guess of it."""
        hop, predicted = message.answer.hop, message.answer.predicted
        up, down = self._back.up, self._back.down
        end = message.stop + hop.missing_ahead.shape[1]
        last = stop if hop.flushed else max(stop, min(end * down // up, segment.stop))
        raw = segment.part(stop, last).raw
        if predicted is None:
            return raw, None
        place = np.arange(stop, last) * up / down - (end - predicted.shape[1])
        columns = np.arange(predicted.shape[1])
        guess = [np.interp(place, columns, row) for row in predicted]
        return raw, np.array(guess, np.float32).reshape(raw.shape)
