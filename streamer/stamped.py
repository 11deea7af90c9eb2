"""From packets of stamped samples to chunks: what a live stream and a stream with faults have in common."""

import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.chunk import Chunk, StreamInfo
from streamer.effective_rate import EffectiveRate
from streamer.health import StreamHealth
from streamer.regularise import Piece, Regulariser
from streamer.watchdog import StreamState, Watchdog


class StampedStream:
    """One stream whose samples carry stamps of their device, and how it is doing.

    `Regulariser` finds the samples' indices, `Watchdog` the state, `EffectiveRate` the true rate.

    Parameters
    ----------
    info
        Description of the stream.
    fs
        Rate that the device states, in Hz.
    to_chunk
        Makes the chunk of samples that have their index.
    clock
        Monotonic seconds, for the state: `time.perf_counter` or a source's own.
    """

    def __init__(
        self,
        info: StreamInfo,
        fs: float,
        to_chunk: Callable[[Piece], Chunk],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._info, self._to_chunk = info, to_chunk
        self._order = Regulariser(fs)
        self._watchdog = Watchdog(clock)
        self._rate = EffectiveRate(fs)
        self.problem = ""
        """Why a stream that is there again cannot be used, in a sentence; empty without one."""

    @property
    def next(self) -> int:
        """Index of the sample that is expected next."""
        return self._order.next

    @property
    def holds(self) -> bool:
        """Whether samples wait for `release`."""
        return self._order.holds

    @property
    def state(self) -> StreamState:
        """State of this moment."""
        return self._watchdog.state

    @property
    def health(self) -> StreamHealth:
        """State and counts of this moment."""
        dog = self._watchdog
        return StreamHealth(
            dog.state,
            dog.sample_age_s,
            self._rate.hz,
            self._rate.ppm,
            {str(state): count for state, count in dog.counts.items()},
            self._order.counts,
            self.problem,
        )

    def push(self, stamps: NDArray[np.float64], rows: NDArray[Any], arrived_ns: int) -> list[Chunk]:
        """Take a packet, as `Regulariser.push` does; what leaves because of it."""
        self._watchdog.fed()
        jumps = self._order.counts.clock_jumps
        pieces = self._order.push(stamps, rows, arrived_ns)
        if self._order.counts.clock_jumps != jumps:
            self._rate.restart()
        return self._chunks(pieces)

    def silent(self) -> None:
        """Note that nothing came."""
        self._watchdog.looked()

    def release(self, now_ns: int) -> list[Chunk]:
        """Samples that have been held for long enough, now that it is `now_ns`."""
        return self._chunks(self._order.release(now_ns))

    def flush(self) -> list[Chunk]:
        """Samples that are held, at once: nothing more is expected."""
        return self._chunks(self._order.flush())

    def disconnected(self) -> None:
        """Note that the device has gone: the stream is lost."""
        self._watchdog.disconnected()

    def resume(self) -> None:
        """Expect the next packet from a new connection, behind a gap."""
        self._order.resume()
        self._rate.restart()

    def empty(self, arrived_ns: int, *, ends_segment: bool = False) -> Chunk:
        """A chunk without samples, as it leaves while nothing comes."""
        nothing = np.empty((len(self._info.leads), 0), np.float32)
        return Chunk(
            self._info.source_id, self.next, nothing, np.empty(0), arrived_ns, ends_segment=ends_segment
        )

    def _chunks(self, pieces: Iterable[Piece]) -> list[Chunk]:
        chunks = []
        for piece in pieces:
            self._rate.add(float(piece.stamps[-1]), piece.stop)
            chunks.append(self._to_chunk(piece))
        return chunks
