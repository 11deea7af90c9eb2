"""From packets of stamped samples to chunks: what a live stream and a stream with faults have in common."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.arrival_line import ArrivalLine
from streamer.arrival_stamps import ArrivalStamps
from streamer.chunk import Chunk, StreamInfo
from streamer.effective_rate import EffectiveRate
from streamer.errors import InputError
from streamer.health import StreamHealth
from streamer.pieces import Piece
from streamer.regularise import DRIFT, Moved, Regulariser
from streamer.stated_rate import WRONG, other_rate, plain_rate
from streamer.watchdog import StreamState, Watchdog

CHECKED_S = 2.0
"""Signal over which the rate is checked at a time."""
_MOST = 4
"""So many times as many samples are the end of it too: stamps may stand still."""
COUNTED = (
    "the stamps say when samples were delivered, not when they were taken: samples are counted, and a loss "
    "is found some seconds late, and only of a packet or more"
)
"""Said of a source that stamps on arrival."""


class StampedStream:
    """One stream whose samples carry stamps of their device, and how it is doing.

    `Regulariser` finds the samples' indices, `Watchdog` the state, `EffectiveRate` the true rate. Where
    `ArrivalStamps` finds that stamps are made on arrival, `ArrivalLine` takes their place.

    Parameters
    ----------
    info
        Description of the stream.
    fs
        Rate that the device states, in Hz.
    to_chunk
        Makes the chunk of samples that have their index.
    jumped
        Told when the source's clock was set, before the samples behind the jump become chunks.
    clock
        Monotonic seconds, for the state: `time.perf_counter` or a source's own.
    on_arrival
        Whether it is known that stamps are made on arrival, because the device has none.
    drift
        By what share of the time indices may run ahead of the arrivals.
    """

    def __init__(
        self,
        info: StreamInfo,
        fs: float,
        to_chunk: Callable[[Piece], Chunk],
        jumped: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.perf_counter,
        *,
        on_arrival: bool = False,
        drift: float = DRIFT,
    ) -> None:
        self._info, self._to_chunk, self._jumped = info, to_chunk, jumped
        self._jumps = 0
        self._order = Regulariser(fs, drift)
        self._watchdog = Watchdog(clock)
        self._rate = EffectiveRate(fs)
        self._arrival_stamps = ArrivalStamps(fs)
        self._arrival_stamps.found = on_arrival
        self._arrival_line = ArrivalLine(fs, self._rate)
        self._counts = False  # from the second packet on of a connection whose stamps are made on arrival
        self._heard: list[NDArray[np.float64]] = []
        self._other: float | None = None
        self.untimed = ""
        """Why the delay of its samples is unknown, in a sentence; empty where it is known."""
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
            self.untimed,
            COUNTED if self._arrival_stamps.found else "",
        )

    def push(self, stamps: NDArray[np.float64], rows: NDArray[Any], arrived_ns: int) -> list[Chunk]:
        """Take a packet, as `Regulariser.push` does; what leaves because of it.

        Raises
        ------
        InputError
            If the device has changed its rate.
        """
        self._watchdog.fed()
        self._check_rate(stamps)
        finite = stamps[np.isfinite(stamps)]
        if finite.size:
            self._arrival_stamps.note(finite, arrived_ns, self._order.period)
        if not self._arrival_stamps.found:
            return self._chunks(self._order.push(stamps, rows, arrived_ns))
        if not self._counts:
            # A new connection begins by its stamps.
            self._counts = True
            pieces = self._order.push(stamps, rows, arrived_ns) + self._order.go_by_count()
            self._arrival_line.begin(self._order.due)
            return self._chunks(pieces)
        placed, missing = self._arrival_line.take(stamps, arrived_ns)
        pieces = self._order.count(placed, rows, arrived_ns, missing)
        if finite.size:
            self._rate.add(float(finite[-1]), self._order.next)
        return self._chunks(pieces)

    def _check_rate(self, stamps: NDArray[np.float64]) -> None:
        """Check `CHECKED_S` of stamps at a time: twice another rate is a device that was switched over."""
        self._heard.append(stamps)
        heard = np.concatenate(self._heard)
        enough = len(heard) >= _MOST * CHECKED_S * self._info.fs
        if enough or heard[-1] - heard[0] >= CHECKED_S:
            self._heard = []
            before, self._other = self._other, other_rate(heard, self._info.fs)
            if before and self._other and abs(before / self._other - 1) <= WRONG:
                raise InputError(
                    f"{self._info.name} now sends {plain_rate(self._other):g} Hz, and no longer the "
                    f"{self._info.fs:g} Hz that it began with; start anew to follow it"
                )

    def heard(self) -> None:
        """Note that samples came whose place is not known yet."""
        self._watchdog.fed()

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

    def resume(self, moved: Moved = lambda: None) -> None:
        """Expect the next packet from a new connection, behind a gap; as `Regulariser.resume`."""
        self._order.resume(moved)
        self._arrival_stamps.restart()
        self._counts = False
        self._rate.restart()
        self._heard = []

    def empty(self, arrived_ns: int, *, ends_segment: bool = False) -> Chunk:
        """A chunk without samples, as it leaves while nothing comes."""
        nothing = np.empty((len(self._info.leads), 0), np.float32)
        return Chunk(
            self._info.source_id, self.next, nothing, np.empty(0), arrived_ns, ends_segment=ends_segment
        )

    def _chunks(self, pieces: list[Piece]) -> list[Chunk]:
        if self._order.counts.clock_jumps != self._jumps:
            self._jumps = self._order.counts.clock_jumps
            self._rate.restart()
            self._heard = []
            self._jumped()
        chunks = []
        for piece in pieces:
            if not self._arrival_stamps.found:
                self._rate.add(float(piece.stamps[-1]), piece.stop)
            chunks.append(self._to_chunk(piece))
        return chunks
