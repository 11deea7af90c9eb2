"""From chunks of any size, of many streams, to the windows that are ready for the network."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import isfinite

import numpy as np

from engine.config import EngineConfig
from engine.messages import Gap, Hop
from engine.snapshot import Tree
from streamer.chunk import Annotation, Chunk

Clock = Callable[[], int]
"""Returns nanoseconds: `time.perf_counter_ns`, or a test's own clock."""


def ready_windows(
    rounds: Iterable[Sequence[Chunk]],
    config: EngineConfig,
    clock: Clock = time.perf_counter_ns,
    streams: "dict[str, Stream] | None" = None,
) -> Iterator[list[Hop | Gap]]:
    """Cut every stream into windows, a hop apart; what is ready together comes out together.

    A stream's first window is ready after one hop: what lies before its first sample is filled
    with that sample's value. At a gap the samples that still wait for look-ahead leave, with the last
    value standing in for the future; then the gap is reported, and a new segment begins. They leave in
    the same way, without a gap, when a chunk ends the segment and after the last round. No window holds
    samples from both sides of a gap.

    Parameters
    ----------
    rounds
        Chunks that arrived together, one round after the other. Empty chunks make nothing ready.
    streams
        What is known of each stream already, and will be; None knows none.

    Yields
    ------
    list
        What each round made ready, in order; often nothing.
    """
    streams = {} if streams is None else streams
    for chunks in rounds:
        ready: list[Hop | Gap] = []
        for chunk in chunks:
            if chunk.stream in streams:
                streams[chunk.stream].push(chunk, ready)
            elif chunk.data.shape[1]:
                stream = streams[chunk.stream] = Stream(chunk, config, clock)
                stream.push(chunk, ready)
        yield ready
    last: list[Hop | Gap] = [hop for stream in streams.values() for hop in stream.flush(clock())]
    if last:
        yield last


class Stream:
    """Newest samples of one stream, in arrays that are replaced when full, never overwritten.

    So every view that was handed out keeps its values. Chunks wait as they came until they make a hop ready:
    most are shorter than one, and several are written in little more time than one.
    """

    def __init__(self, first: Chunk, config: EngineConfig, clock: Clock) -> None:
        self._name = first.stream
        self._leads = first.data.shape[0]
        self._has_reference = first.reference is not None
        self._config = config
        self._clock = clock
        self._begin(first)

    @classmethod
    def restored(cls, kept: Tree, config: EngineConfig, clock: Clock) -> "Stream":
        """A stream that goes on from what `snapshot` took."""
        stream = cls.__new__(cls)
        vars(stream).update(kept, _config=config, _clock=clock)
        filled = stream._filled = kept["_rows"].shape[1]
        stream._allocate(max(2 * config.window, filled))
        for name in _COLUMNS:
            getattr(stream, name)[..., :filled] = kept[name]
        stream._any_missing = bool(stream._missing.any())
        stream._waiting = []
        return stream

    def snapshot(self) -> Tree:
        """What is needed to go on; columns that no window needs are left out."""
        self._write()
        drop = self._next_end - self._config.window - self._base
        kept: dict[str, Tree] = {name: getattr(self, name) for name in _NUMBERS}
        kept |= {name: getattr(self, name)[..., drop : self._filled] for name in _COLUMNS}
        return kept | {"_base": self._base + drop, "_marks": list(self._marks)}

    def _begin(self, chunk: Chunk) -> None:
        """Start a segment at a chunk; column 0 lies one window before its first sample."""
        window = self._config.window
        self._ended = False
        self._first = self._expected = self._emitted = chunk.start
        self._next_end = chunk.start + self._config.hop
        self._base = chunk.start - window
        self._marks: list[Annotation] = []
        self._waiting: list[Chunk] = []
        self._allocate(2 * window)
        self._filled = window
        edge = np.where(np.isfinite(chunk.data[:, :1]), chunk.data[:, :1], 0)
        self._data[:, :window] = edge

    def _allocate(self, columns: int) -> None:
        sides = 2 if self._has_reference else 1
        self._rows = np.zeros((sides * self._leads, columns), np.float32)
        self._data, self._reference = self._rows[: self._leads], self._rows[self._leads :]
        self._missing = np.zeros((self._leads, columns), np.bool_)
        self._any_missing = False
        self._source_time = np.zeros(columns, np.float64)
        self._arrived_ready = np.zeros((2, columns), np.int64)

    def _make_room(self, count: int) -> None:
        """Have space for `count` more columns, keeping those that a window still needs."""
        if self._filled + count <= self._rows.shape[1]:
            return
        window = self._config.window
        drop = self._next_end - window - self._base
        kept = slice(drop, self._filled)
        old = (self._rows, self._missing, self._source_time, self._arrived_ready)
        self._filled -= drop
        self._base += drop
        self._allocate(max(2 * window, self._filled + count))
        new = (self._rows, self._missing, self._source_time, self._arrived_ready)
        for target, source in zip(new, old, strict=True):
            target[..., : self._filled] = source[..., kept]
        self._any_missing = bool(self._missing.any())

    def push(self, chunk: Chunk, ready: list[Hop | Gap]) -> None:
        """Take a chunk; add the hops that it makes ready to those of its round, and the gap before them."""
        leads, count = chunk.data.shape
        if count == 0:
            if chunk.ends_segment:
                ready += self.flush(chunk.arrived_ns)
                self._ended = True
            return
        if chunk.start != self._expected or self._ended:
            self._begin_anew(chunk, ready)
        if leads != self._leads:
            # numpy would copy a single row to all leads without an error.
            raise ValueError(
                f"stream {chunk.stream}: a chunk has {leads} leads but the stream began with "
                f"{self._leads}; a source must end the stream or refuse such samples"
            )
        self._waiting.append(chunk)
        self._expected += count
        if self._next_end <= self._expected:
            self._write()
            while self._next_end <= self._expected:
                ready.append(self._hop())

    def _begin_anew(self, chunk: Chunk, ready: list[Hop | Gap]) -> None:
        """Begin the next segment, after a gap or without one."""
        if chunk.start < self._expected:
            raise ValueError(
                f"stream {chunk.stream}: chunk starts at sample {chunk.start} but {self._expected} "
                "was expected; a source must never go back"
            )
        if chunk.start > self._expected:
            ready += self.flush(chunk.arrived_ns)
            ready.append(Gap(self._name, self._expected, chunk.start))
        self._begin(chunk)

    def _write(self) -> None:
        """Put what waits behind what is there, missing samples held."""
        waiting = self._waiting
        if not waiting:
            return
        at, stop = self._filled, self._expected - self._base
        if stop > self._rows.shape[1]:
            self._make_room(stop - at)
            at, stop = self._filled, self._expected - self._base
        new = slice(at, stop)
        data, source_time, arrived = self._data, self._source_time, self._arrived_ready[0]
        reference = self._reference if self._has_reference else None
        for chunk in waiting:
            behind = at + chunk.data.shape[1]
            data[:, at:behind] = chunk.data
            source_time[at:behind] = chunk.source_time
            arrived[at:behind] = chunk.arrived_ns
            if reference is not None:
                reference[:, at:behind] = 0 if chunk.reference is None else chunk.reference
            if chunk.annotations:
                self._marks += chunk.annotations
            at = behind
        self._filled = stop
        self._waiting = []
        # A sum is the cheapest test for NaN and infinity; where it overflows, all samples are looked at.
        if not isfinite(np.add.reduce(data[:, new], axis=None)):
            self._hold_missing(new)

    def _hold_missing(self, new: slice) -> None:
        """Hold the last good value where a lead lost samples, and remember where that was."""
        rows = self._data
        self._missing[:, new] = ~np.isfinite(rows[:, new])
        self._any_missing = True
        for column in range(new.start, new.stop):
            lost = self._missing[:, column]
            rows[lost, column] = rows[lost, column - 1]

    def flush(self, arrived_ns: int) -> Iterator[Hop]:
        """Yield the hops that emit everything still waiting, the last value as their future.

        Parameters
        ----------
        arrived_ns
            When it became known that nothing follows.
        """
        self._write()
        while self._emitted < self._expected:
            lacking = self._next_end - self._base - self._filled
            self._make_room(lacking)
            ahead = slice(self._filled, self._filled + lacking)
            self._data[:, ahead] = self._data[:, self._filled - 1, None]
            self._arrived_ready[0, ahead] = arrived_ns
            self._filled += lacking
            yield self._hop()

    def _hop(self) -> Hop:
        """The hop whose window ends at `_next_end`."""
        config, base = self._config, self._base
        end = self._next_end
        self._next_end += config.hop
        now = self._clock()
        newest = end - base
        self._arrived_ready[1, newest - config.hop : newest] = now
        # The last hop of a segment ends with it, the first begin there.
        stop = end - config.lookahead
        regular_start = stop - config.hop
        start = regular_start if regular_start > self._first else self._first
        if stop > self._expected:
            stop = self._expected
        if stop < start:
            stop = start
        self._emitted = stop
        # At a flush the end of the window only repeats the past.
        known = end if end <= self._expected else stop
        out = slice(start - base, stop - base)
        marks: tuple[Annotation, ...] = ()
        if self._marks:
            marks = tuple(mark for mark in self._marks if mark.sample < stop)
            self._marks = self._marks[len(marks) :]
        return Hop(
            stream=self._name,
            start=start,
            first=self._first,
            skip=start - regular_start,
            raw=self._data[:, out],
            reference=self._reference[:, out] if self._has_reference else None,
            missing=self._missing[:, out] if self._any_missing else None,
            source_time=self._source_time[out],
            arrived_ready_ns=self._arrived_ready[:, out],
            newest_arrived_ns=int(self._arrived_ready[0, newest - 1]),
            warm=end - self._first >= config.window,
            flushed=end > self._expected,
            fresh=end - self._first == config.hop,
            annotations=marks,
            missing_ahead=self._missing[:, stop - base : known - base],
            window=self._data[:, newest - config.window : newest],
            ready_ns=now,
        )


_NUMBERS = ("_name", "_leads", "_has_reference", "_ended", "_first", "_expected", "_emitted", "_next_end")
_COLUMNS = ("_rows", "_missing", "_source_time", "_arrived_ready")
