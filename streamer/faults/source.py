"""A source with faults: its samples go wrong on purpose, and are put right like those of a live stream."""

from collections.abc import Generator, Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from streamer.chunk import Annotation, Chunk
from streamer.faults.schedule import DRIFT_PPM, RATE_ERROR, Event, FaultLog, FaultSettings, Schedule
from streamer.faults.signal import SignalFaults
from streamer.health import StreamHealth
from streamer.noise import NoiseSettings
from streamer.pieces import Piece
from streamer.source import Player, Source
from streamer.stamped import StampedStream
from streamer.watchdog import StreamState

# Faults between device and engine; the others change the signal itself.
_ON_THE_WAY = ("gaps", "bursts", "duplicates", "reordered", "disconnect", "leads")
_LEADS_CHANGED = "the stream has come back with another number of leads, which is refused"


def player_of(source: Source) -> Player | None:
    """The player that a source is, with or without faults; None for a live source."""
    inner = source.inner if isinstance(source, FaultySource) else source
    return inner if isinstance(inner, Player) else None


class FaultySource:
    """A `Source` that stands for a device with faults, between another source and the engine.

    Samples of `inner` are stamped by the clock of an imagined device. They are lost, held back, sent
    twice or in the wrong order, and put right by a `StampedStream`, as those of a live stream are. Time
    is counted in samples, so that a run is the same at any speed. A device that comes back with other
    leads is refused, as `LslSource` refuses it: the stream is LOST until it comes back as it was, and
    then goes on in a new segment behind a gap.

    Parameters
    ----------
    inner
        Where the samples come from.
    settings
        What goes wrong with them.
    """

    def __init__(self, inner: Source, settings: FaultSettings) -> None:
        fs = inner.info.fs
        self.inner = inner
        self.speed = inner.speed
        self.info = replace(
            inner.info,
            notes=(
                *inner.info.notes,
                f"faults made on purpose, seed {settings.seed}: {', '.join(settings.kinds)}",
            ),
        )
        self.log = FaultLog(settings)
        self._signal = SignalFaults(self.log, fs)
        self._schedules = [Schedule(kind, fs, settings) for kind in _ON_THE_WAY if kind in settings.kinds]
        self._steady = [
            Event(kind, 0, np.iinfo(np.int64).max, 0.0)
            for kind in ("drift", "rate")
            if kind in settings.kinds
        ]
        self._period = 1 / (fs * (1 + RATE_ERROR * ("rate" in settings.kinds)))
        self._clock_rate = 1 + 1e-6 * DRIFT_PPM * ("drift" in settings.kinds)
        self._now_s = 0.0
        self._stream = StampedStream(self.info, fs, self._chunk, clock=lambda: self._now_s)
        self._broken = False
        self._held: list[NDArray[np.float64]] = []
        self._again: list[NDArray[np.float64]] = []
        self._swap = False
        self._marks: list[Annotation] = []
        self._newest: Chunk

    @property
    def health(self) -> StreamHealth:
        """State and counts of this moment; a state of `inner` other than LIVE comes first."""
        own, inner = self._stream.health, self.inner.health
        return replace(
            own,
            state=own.state if inner.state is StreamState.LIVE else inner.state,
            sample_age_s=max(own.sample_age_s, inner.sample_age_s),
            problem=own.problem or inner.problem,
            untimed=inner.untimed,
            counted=own.counted or inner.counted,
        )

    def set_noise(self, settings: NoiseSettings) -> None:
        """Change the noise of `inner`."""
        self.inner.set_noise(settings)

    def chunks(self) -> Iterator[Chunk]:
        """Hand out what comes through, and an empty chunk where nothing of a chunk did."""
        coming = self.inner.chunks()
        try:
            for chunk in coming:
                self._newest = chunk
                silent = True
                for through in self._pass(chunk):
                    yield through
                    silent = False
                if silent:
                    yield self._empty()
            yield from self._let_go()
            yield from self._stream.flush()
        finally:
            if isinstance(coming, Generator):
                coming.close()

    def _pass(self, chunk: Chunk) -> Iterator[Chunk]:
        if chunk.data.shape[1]:
            yield from self._stream.release(self._now_ns)
            yield from self._through(chunk)
        elif chunk.ends_segment:
            yield from self._break_off()
        else:
            # A live source has been silent for longer than any sample is held.
            yield from self._stream.flush()

    @property
    def _now_ns(self) -> int:
        return round(1e9 * self._now_s)

    def _through(self, chunk: Chunk) -> Iterator[Chunk]:
        """Cut a chunk where faults on the way begin and end, and send each piece with its faults."""
        leads, count = chunk.data.shape
        self._marks += chunk.annotations
        rows = np.full((count, 2 * leads + 2), np.nan)
        rows[:, :leads] = self._signal.apply(chunk.data, chunk.start).T
        if chunk.reference is not None:
            rows[:, leads : 2 * leads] = chunk.reference.T
        rows[:, -2] = chunk.source_time
        rows[:, -1] = np.arange(chunk.start, chunk.stop)
        found = [event for each in self._schedules for event in each.within(chunk.start, chunk.stop)]
        found += self._steady
        edges = {edge for event in found for edge in event[1:3] if chunk.start < edge < chunk.stop}
        for first, stop in pairwise(sorted({chunk.start, chunk.stop, *edges})):
            active = [event for event in found if event.start < stop and event.stop > first]
            for event in active:
                self.log.note(event, first, stop)
            # What was held back is sent when its fault ends; a piece is sent with its last sample.
            self._now_s = first * self._period
            yield from self._end_faults({event.kind for event in active})
            self._now_s = stop * self._period
            yield from self._send(rows[first - chunk.start : stop - chunk.start], {e.kind for e in active})

    def _end_faults(self, active: set[str]) -> Iterator[Chunk]:
        """Send what faults that are over have held back, or begin a break of the connection."""
        if active & {"disconnect", "leads"}:
            self._stream.problem = _LEADS_CHANGED if "leads" in active else ""
            if not self._broken:
                yield from self._break_off()
            return
        self._broken, self._stream.problem = False, ""
        if not active & {"bursts", "reordered"}:
            yield from self._let_go()
        if "duplicates" not in active:
            yield from self._repeat()

    def _send(self, rows: NDArray[np.float64], active: set[str]) -> list[Chunk]:
        """Send samples that share their faults."""
        if self._broken:
            return []
        if "gaps" in active:
            self._stream.silent()
            return []
        if active & {"bursts", "reordered"}:
            self._stream.silent()
            self._held.append(rows)
            self._swap |= "reordered" in active
            return []
        if "duplicates" in active:
            self._again.append(rows)
        return self._push(rows)

    def _push(self, rows: NDArray[np.float64]) -> list[Chunk]:
        stamps = rows[:, -1] * (self._period * self._clock_rate)
        return self._stream.push(stamps, rows, self._now_ns)

    def _let_go(self) -> list[Chunk]:
        """Send what was held back: as it was, or its second half first."""
        held, self._held = self._held, []
        swap, self._swap = self._swap, False
        if not held:
            return []
        rows = np.concatenate(held)
        middle = len(rows) // 2 if swap else 0
        return [*self._push(rows[middle:]), *(self._push(rows[:middle]) if middle else ())]

    def _repeat(self) -> list[Chunk]:
        """Send once more what is to come twice."""
        again, self._again = self._again, []
        return self._push(np.concatenate(again)) if again else []

    def _break_off(self) -> Iterator[Chunk]:
        """Lose the connection: what was on its way still arrives, and the segment ends."""
        self._broken = True
        yield from [*self._let_go(), *self._repeat(), *self._stream.flush()]
        self._stream.disconnected()
        self._stream.resume()
        yield self._empty(ends_segment=True)

    def _chunk(self, piece: Piece) -> Chunk:
        """Samples as they leave, with the marks of those that came through."""
        leads = len(self.info.leads)
        signals = np.ascontiguousarray(piece.rows[:, : 2 * leads].T, np.float32)
        own_count = piece.rows[:, -1]
        self.log.misplaced += int((own_count != np.arange(piece.start, piece.stop)).sum())
        # The mark of a sample that was lost is lost with it.
        marks = [mark for mark in self._marks if own_count[0] <= mark.sample <= own_count[-1]]
        self._marks = [mark for mark in self._marks if mark.sample > own_count[-1]]
        return Chunk(
            self.info.source_id,
            piece.start,
            signals[:leads],
            piece.rows[:, -2],
            self._newest.arrived_ns,
            None if self._newest.reference is None else signals[leads:],
            tuple(
                mark._replace(sample=piece.start + int(np.searchsorted(own_count, mark.sample)))
                for mark in marks
            ),
        )

    def _empty(self, *, ends_segment: bool = False) -> Chunk:
        return self._stream.empty(self._newest.arrived_ns, ends_segment=ends_segment)
