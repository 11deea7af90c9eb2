"""A device that is not on Lab Streaming Layer as a `Source`: its accounting, watchdog and reconnection."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from streamer.chunk import Chunk, StreamInfo
from streamer.devices.counter import Counted, CounterLine
from streamer.devices.link import Link, Packet
from streamer.effective_rate import EffectiveRate
from streamer.errors import InputError
from streamer.health import StreamHealth
from streamer.noise import NoiseSettings
from streamer.pieces import Piece
from streamer.regularise import DRIFT
from streamer.settings import SourceSettings
from streamer.source_kind import Stopped
from streamer.stamped import StampedStream
from streamer.stated_rate import WRONG
from streamer.watchdog import LOST_S, StreamState

TICK_S = 0.2
"""While nothing comes, an empty chunk leaves this often."""
_SOON_S = 0.05  # between two looks while samples wait for what comes next
COUNTER_DRIFT = 0.01
"""A small board keeps time by a resonator, which is off by up to 0.5 %; its counter is right all the same."""
_RETRY_S = 1.0
"""Between two attempts to reach a device that has gone."""

Connect = Callable[[], Link]
"""Reaches the device; raises `InputError` where it cannot be reached."""


@dataclass(frozen=True)
class Accounting:
    """By what losses are proved; without a counter, and without stamps, the arrivals count.

    Parameters
    ----------
    modulo
        The device numbers its samples modulo this; None where it does not.
    stamped
        The device stamps its samples by a clock of its own.
    stated
        The rate is what the user said, by this option; empty where the device knows it.
    untimed
        Why it is not known when samples were taken; empty where it is.
    """

    modulo: int | None = None
    stamped: bool = False
    stated: str = ""
    untimed: str = ""


class DeviceSource:
    """One device, connected when it is made; samples are asked for when `chunks` begins.

    Parameters
    ----------
    info
        Description of the stream.
    connect
        Reaches the device, at first and after a loss.
    accounting
        By what losses are proved.
    settings
        `SourceSettings.seconds`, and of ``lsl`` how long to wait for it.
    stopped
        Asked while waiting for the device.

    Raises
    ------
    InputError
        If the device cannot be reached, and `settings` do not say to wait for it.
    KeyboardInterrupt
        If `stopped` before it was there.
    """

    speed = 1.0

    def __init__(
        self,
        info: StreamInfo,
        connect: Connect,
        accounting: Accounting,
        settings: SourceSettings,
        stopped: Stopped = lambda: False,
    ) -> None:
        self.info, self._connect, self._accounting = info, connect, accounting
        self._wait, self._timeout = settings.lsl.wait, settings.lsl.timeout
        self._stop = None if settings.seconds is None else max(1, round(settings.seconds * info.fs))
        counted = accounting.modulo is not None
        self._counter = CounterLine(accounting.modulo, info.fs) if accounting.modulo is not None else None
        self._stream = StampedStream(
            info,
            info.fs,
            self._chunk,
            on_arrival=not (counted or accounting.stamped),
            drift=COUNTER_DRIFT if counted else DRIFT,
        )
        self._stream.untimed = accounting.untimed
        self._rate = EffectiveRate(info.fs)  # by the arrivals
        self._rate_is_right = not accounting.stated
        self._link: Link | None = self._first(stopped)
        self._closes = finalize(self, self._link.close)

    def _first(self, stopped: Stopped) -> Link:
        while True:
            try:
                return self._connect()
            except InputError:
                if not self._wait:
                    raise
            end = time.perf_counter() + _RETRY_S
            while time.perf_counter() < end:
                if stopped():
                    raise KeyboardInterrupt
                time.sleep(_SOON_S)

    @property
    def health(self) -> StreamHealth:
        """State and counts of this moment; the rate of a device without stamps is by its arrivals."""
        health = self._stream.health
        if self._accounting.stamped:
            return health
        return replace(health, effective_fs_hz=self._rate.hz, ppm=self._rate.ppm)

    def set_noise(self, settings: NoiseSettings) -> None:
        """Refuse: nothing is added to a live ECG."""
        raise InputError("a live stream takes no noise; records and the synthetic patient do")

    def chunks(self) -> Iterator[Chunk]:
        """Hand out samples as they come, and an empty chunk every `TICK_S` while none do.

        When the device is lost, an empty chunk with `Chunk.ends_segment` leaves, and it is looked for:
        without end with ``--wait``, or else for ``--timeout``. What comes from a new connection lies
        behind a gap.
        """
        try:
            if self._link is not None:
                self._link.start()
                yield from self._listen()
        finally:
            self._let_go()

    def _listen(self) -> Iterator[Chunk]:
        stream = self._stream
        ended_segment, lost, tried = False, 0.0, 0.0
        while self._stop is None or stream.next < self._stop:
            chunks = self._pull()
            if chunks is None:
                stream.disconnected()
                chunks = self._flush()
            yield from chunks
            if self._link is not None and self._link.ended:
                break
            if stream.state is not StreamState.LOST:
                ended_segment = False
                if not chunks:
                    yield self._empty()
                continue
            now = time.perf_counter()
            if not ended_segment:
                yield from self._flush()
                ended_segment, lost, tried = True, now, now
            elif not self._wait and now - lost >= self._timeout:
                return
            yield self._empty(ends_segment=True)
            pause = _RETRY_S if self._link is None else LOST_S if self._link.reopens else np.inf
            if now - tried >= pause:
                self._reconnect()
                tried = now
        yield from self._flush()

    def _pull(self) -> list[Chunk] | None:
        """Wait for samples, at most `TICK_S`; None when the device has gone, or is still away."""
        if self._link is None:
            time.sleep(TICK_S)
            return []
        waits = self._stream.holds or (self._counter is not None and self._counter.holds)
        packet = self._link.pull(_SOON_S if waits else TICK_S)
        arrived_ns = time.perf_counter_ns()
        if packet is None:
            self._let_go()
            return None
        self._stream.problem = self._link.problem
        if len(packet.rows):
            return self._take(packet, arrived_ns)
        self._stream.silent()
        counted = self._counter.release(arrived_ns) if self._counter else []
        return self._placed(counted) + self._stream.release(arrived_ns)

    def _take(self, packet: Packet, arrived_ns: int) -> list[Chunk]:
        count = len(packet.rows)
        times = np.full(count, np.nan) if packet.times is None else packet.times
        rows = np.column_stack([packet.rows, times])
        if self._counter is not None and packet.numbers is not None:
            counted = self._counter.push(packet.numbers, rows, arrived_ns)
            if not counted:
                self._stream.heard()
            chunks = self._placed(counted)
        else:
            stamps = packet.stamps
            if stamps is None:
                if self._stream.state is StreamState.LOST:
                    # Nothing but the arrivals can tell how much is missing.
                    self._stream.resume()
                stamps = self._arrivals(count, times, arrived_ns)
            chunks = self._stream.push(stamps, rows, arrived_ns)
        self._rate.add(arrived_ns / 1e9, self._stream.next)
        self._check_rate()
        return chunks

    def _arrivals(self, count: int, times: NDArray[np.float64], arrived_ns: int) -> NDArray[np.float64]:
        """Stamps for samples that have none: when a driver got them, or else when we did."""
        if np.isfinite(times).all():
            return times
        return np.asarray(arrived_ns / 1e9 - np.arange(count - 1, -1, -1) / self.info.fs, np.float64)

    def _check_rate(self) -> None:
        hz = self._rate.hz
        if self._rate_is_right or hz is None:
            return
        if abs(hz / self.info.fs - 1) > WRONG:
            raise InputError(
                f"{self.info.name} sends {hz:.4g} samples a second, and {self._accounting.stated} says "
                f"{self.info.fs:g}; state the rate that the device really has"
            )
        self._rate_is_right = True

    def _flush(self) -> list[Chunk]:
        counted = self._counter.flush() if self._counter else []
        return self._placed(counted) + self._stream.flush()

    def _placed(self, counted: list[Counted]) -> list[Chunk]:
        """Samples that the device's own count has placed, as they leave."""
        chunks = []
        for places, rows, came_ns in counted:
            chunks += self._stream.push(places / self.info.fs, rows, came_ns)
        return chunks

    def _chunk(self, piece: Piece) -> Chunk:
        """Samples as they leave; none of those after the end of what was asked for."""
        piece = piece.before(self._stop)
        if len(piece.rows) == 0:
            return self._empty()
        data = piece.rows[:, :-1].T.astype(np.float32)
        times = np.ascontiguousarray(piece.rows[:, -1])
        return Chunk(self.info.source_id, piece.start, data, times, piece.arrived_ns)

    def _empty(self, *, ends_segment: bool = False) -> Chunk:
        return self._stream.empty(time.perf_counter_ns(), ends_segment=ends_segment)

    def _reconnect(self) -> None:
        """Try once to reach the device anew."""
        self._let_go()
        try:
            self._link = self._connect()
            self._closes = finalize(self, self._link.close)
            self._link.start()
        except InputError as error:
            self._stream.problem = str(error)
            self._let_go()
            return
        self._stream.problem = ""
        self._stream.resume()
        self._rate.restart()
        if self._counter is not None:
            self._counter.resume()

    def _let_go(self) -> None:
        self._closes()
        self._link = None
