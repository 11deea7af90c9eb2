"""A source with faults: what it hands out has gone wrong, and through the regulariser of live streams."""

from collections.abc import Generator, Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from streamer.chunk import Annotation, Chunk
from streamer.effective_rate import EffectiveRate
from streamer.faults.schedule import DRIFT_PPM, RATE_ERROR, Event, FaultLog, FaultSettings, Schedule
from streamer.faults.signal import SignalFaults
from streamer.health import StreamHealth
from streamer.noise import NoiseSettings
from streamer.regularise import Piece, Regulariser
from streamer.source import Player, Source
from streamer.watchdog import StreamState, Watchdog

_ON_THE_WAY = ("gaps", "bursts", "duplicates", "reordered", "disconnect", "leads")
_LEADS_CHANGED = "the stream has come back with another number of leads, which is refused"


def player_of(source: Source) -> Player | None:
    """The player that a source is, or that its faults are put on; None for a live source."""
    inner = source.inner if isinstance(source, FaultySource) else source
    return inner if isinstance(inner, Player) else None


class FaultySource:
    """A `Source` between a device that goes wrong and the engine.

    Samples of `inner` are stamped by the clock of an imagined device, lost, held back, sent twice or
    in the wrong order, and put right by a `Regulariser`, as those of a live stream are. Time is
    counted in samples, so that a run is the same at any speed. A device that comes back with other
    leads is refused, as `LslSource` refuses it: LOST until it comes back as it was, then a new
    segment behind a gap.

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
        self._watchdog = Watchdog(lambda: self._now_s)
        self._order = Regulariser(fs)
        self._rate = EffectiveRate(fs)
        self._problem = ""
        self._broken = False
        self._held: list[NDArray[np.float64]] = []
        self._again: list[NDArray[np.float64]] = []
        self._swap = False
        self._marks: list[Annotation] = []
        self._newest: Chunk

    @property
    def health(self) -> StreamHealth:
        """State and counts of this moment; a state that `inner` itself is in goes first."""
        dog, inner = self._watchdog, self.inner.health
        return StreamHealth(
            dog.state if inner.state is StreamState.LIVE else inner.state,
            max(dog.sample_age_s, inner.sample_age_s),
            self._rate.hz,
            self._rate.ppm,
            {str(state): count for state, count in dog.counts.items()},
            self._order.counts,
            self._problem or inner.problem,
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
            yield from self._chunks([*self._let_go(), *self._order.flush()])
        finally:
            if isinstance(coming, Generator):
                coming.close()

    def _pass(self, chunk: Chunk) -> Iterator[Chunk]:
        if chunk.data.shape[1]:
            yield from self._chunks(self._order.release(self._now_ns))
            yield from self._through(chunk)
        elif chunk.ends_segment:
            yield from self._break_off()
        else:
            # The silence of a live source has outlasted anything that could still come.
            yield from self._chunks(self._order.flush())

    @property
    def _now_ns(self) -> int:
        return round(1e9 * self._now_s)

    def _through(self, chunk: Chunk) -> Iterator[Chunk]:
        """Cut a chunk where faults of the way begin and end, and send each piece as they let it."""
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
            # What was held back goes on its way when the fault ends, the rest when its last sample is there.
            self._now_s = first * self._period
            yield from self._end_faults({event.kind for event in active})
            self._now_s = stop * self._period
            yield from self._send(rows[first - chunk.start : stop - chunk.start], {e.kind for e in active})

    def _end_faults(self, active: set[str]) -> Iterator[Chunk]:
        """Begin a break of the connection; without one, send what only a fault that is over held back."""
        if active & {"disconnect", "leads"}:
            self._problem = _LEADS_CHANGED if "leads" in active else ""
            if not self._broken:
                yield from self._break_off()
            return
        self._broken, self._problem = False, ""
        if not active & {"bursts", "reordered"}:
            yield from self._chunks(self._let_go())
        if "duplicates" not in active:
            yield from self._chunks(self._repeat())

    def _send(self, rows: NDArray[np.float64], active: set[str]) -> Iterator[Chunk]:
        """Send samples that share their faults."""
        if self._broken:
            return
        pieces: list[Piece] = []
        if "gaps" in active:
            self._watchdog.looked()
        elif active & {"bursts", "reordered"}:
            self._watchdog.looked()
            self._held.append(rows)
            self._swap |= "reordered" in active
        else:
            pieces += self._push(rows)
            if "duplicates" in active:
                self._again.append(rows)
        yield from self._chunks(pieces)

    def _push(self, rows: NDArray[np.float64]) -> list[Piece]:
        self._watchdog.fed()
        jumps = self._order.counts.clock_jumps
        stamps = rows[:, -1] * (self._period * self._clock_rate)
        pieces = self._order.push(stamps, rows, self._now_ns)
        if self._order.counts.clock_jumps != jumps:
            self._rate.restart()
        return pieces

    def _let_go(self) -> list[Piece]:
        """Send what was held back: as it was, or its second half first."""
        held, self._held = self._held, []
        swap, self._swap = self._swap, False
        if not held:
            return []
        rows = np.concatenate(held)
        middle = len(rows) // 2 if swap else 0
        return [*self._push(rows[middle:]), *(self._push(rows[:middle]) if middle else ())]

    def _repeat(self) -> list[Piece]:
        again, self._again = self._again, []
        return self._push(np.concatenate(again)) if again else []

    def _break_off(self) -> Iterator[Chunk]:
        """Lose the connection: what was on its way still arrives, and the segment ends."""
        self._broken = True
        yield from self._chunks([*self._let_go(), *self._repeat(), *self._order.flush()])
        self._watchdog.disconnected()
        self._order.resume()
        self._rate.restart()
        yield self._empty(ends_segment=True)

    def _chunks(self, pieces: list[Piece]) -> Iterator[Chunk]:
        for piece in pieces:
            yield self._chunk(piece)

    def _chunk(self, piece: Piece) -> Chunk:
        leads = len(self.info.leads)
        signals = np.ascontiguousarray(piece.rows[:, : 2 * leads].T, np.float32)
        own_count = piece.rows[:, -1]
        self.log.misplaced += int((own_count != np.arange(piece.start, piece.stop)).sum())
        self._rate.add(float(piece.stamps[-1]), piece.stop)
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
        nothing = np.empty((len(self.info.leads), 0), np.float32)
        return Chunk(
            self.info.source_id,
            self._order.next,
            nothing,
            np.empty(0),
            self._newest.arrived_ns,
            ends_segment=ends_segment,
        )
