"""A live ECG from Lab Streaming Layer as a `Source`."""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from streamer.chunk import Chunk, StreamInfo
from streamer.effective_rate import EffectiveRate
from streamer.errors import InputError
from streamer.health import StreamHealth
from streamer.lsl_metadata import check_scale, pick_leads, read_channels
from streamer.lsl_network import (
    PREFERRED_TYPES,
    LslStream,
    Network,
    Wanted,
    find_stream,
    full_info,
    load_pylsl,
    plain,
)
from streamer.noise import NoiseSettings
from streamer.regularise import HOLD_S, Piece, Regulariser
from streamer.watchdog import StreamState, Watchdog

LOWEST_HZ, HIGHEST_HZ = 100.0, 2000.0
BUFFER_S = 5
"""Seconds that liblsl keeps for us. Its own 360 would hide that we lag by minutes."""
TICK_S = 0.2
"""While nothing comes, an empty chunk leaves this often."""
_LARGEST_PULL = 4096
_CORRECTION_S = 5.0
"""Between two looks at the sender's clock; liblsl measures it in the background."""
_FIRST_CORRECTION_S = 2.0
_SUBSCRIBE_S = 2.0
_SAME_CLOCK_S = 0.001


@dataclass(frozen=True)
class LslSettings:
    """Which stream, and what its values mean. Fields carry the names of the command's options.

    Parameters
    ----------
    wait
        Wait for the stream without end, at the beginning and whenever it is lost; otherwise for
        `timeout` seconds.
    unit
        ``V``, ``mV``, ``uV`` or ``counts``; None believes the metadata.
    scale
        mV of one count.
    """

    stream_name: str | None = None
    stream_type: str | None = None
    source_id: str | None = None
    wait: bool = False
    timeout: float = 10.0
    unit: str | None = None
    scale: float | None = None

    def __post_init__(self) -> None:
        if not (np.isfinite(self.timeout) and self.timeout > 0):
            raise InputError(f"timeout must be a positive number of seconds, got {self.timeout}")
        check_scale(self.unit, self.scale)


class LslSource:
    """An LSL inlet that keeps source stamp, arrival and sample index apart.

    Opening it finds the stream and reads its metadata; samples are asked for when `chunks` begins.
    liblsl neither corrects nor smooths stamps here, and does not reconnect by itself: it would do
    so in silence. Finding samples' indices is `streamer.regularise`, the states are
    `streamer.watchdog`.

    Parameters
    ----------
    leads
        Labels of the channels to take; None takes what the metadata call ECG.
    seconds
        Signal after which to end, gaps included; None never ends.
    stopped
        Asked while waiting for the stream.

    Raises
    ------
    InputError
        If there is no such stream, more than one, or one that cannot be used.
    KeyboardInterrupt
        If `stopped` before there was one.
    """

    speed = 1.0

    def __init__(
        self,
        settings: LslSettings,
        leads: tuple[str, ...] | None = None,
        seconds: float | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._settings, self._wanted_leads = settings, leads
        wanted = Wanted(settings.stream_name, settings.stream_type, settings.source_id)
        self._stream = find_stream(wanted, None if settings.wait else settings.timeout, stopped)
        _check_usable(self._stream)
        self._fs = self._stream.fs
        self._open(self._stream)
        fs = _simple_rate(self._fs)
        self.info = StreamInfo(
            fs,
            self._leads.names,
            f"LSL {self._stream.name}",
            self._stream.source_id or self._stream.name,
            notes=self._notes(fs),
        )
        self._stop = None if seconds is None else max(1, round(seconds * self._fs))
        self._watchdog = Watchdog(time.perf_counter)
        self._order = Regulariser(self._fs)
        self._rate = EffectiveRate(self._fs)
        self._problem = ""

    def _notes(self, fs: float) -> tuple[str, ...]:
        notes = list(self._leads.notes)
        if self._settings.stream_type is None and self._stream.type not in PREFERRED_TYPES:
            notes.append(f"the stream's type is {self._stream.type or 'not stated'}, not ECG: is it one?")
        if not self._stream.source_id:
            notes.append("the stream has no source id: after a loss it is known by its name alone")
        if fs != self._fs:
            notes.append(f"the nominal rate of {self._fs:g} Hz is taken as {fs:g} Hz")
        return tuple(notes)

    def _open(self, stream: LslStream) -> None:
        """Make an inlet and read what its values mean; raises InputError where that cannot be."""
        inlet = load_pylsl().StreamInlet(stream.handle, max_buflen=BUFFER_S, recover=False, as_numpy=True)
        info = full_info(inlet)
        if info is None:
            raise InputError(f"LSL stream {stream} does not answer; is its program still running?")
        self._leads = pick_leads(
            read_channels(info), self._wanted_leads, self._settings.unit, self._settings.scale
        )
        self._inlet, self._stream = inlet, stream
        self._buffer = np.empty((_LARGEST_PULL, stream.channels), inlet.np_dtype)
        self._scale = self._leads.millivolts[:, None]
        self._columns = np.array(self._leads.columns)
        self._correction_s = 0.0
        self._correct(_FIRST_CORRECTION_S)

    def _correct(self, timeout_s: float) -> None:
        """Bring the sender's clock to ours; on one machine they are one, and nothing is added."""
        pylsl = load_pylsl()
        self._corrected = time.perf_counter()
        with contextlib.suppress(pylsl.util.TimeoutError, pylsl.util.LostError):
            correction = self._inlet.time_correction(timeout_s)
            here = self._stream.host == plain(socket.gethostname()) and abs(correction) < _SAME_CLOCK_S
            self._correction_s = 0.0 if here else correction

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
            self._problem,
        )

    def set_noise(self, settings: NoiseSettings) -> None:
        """Refuse: nothing is added to a live ECG."""
        raise InputError("a live stream takes no noise; records and the synthetic patient do")

    def chunks(self) -> Iterator[Chunk]:
        """Hand out samples as they come, and an empty chunk every `TICK_S` while none do.

        When the stream is lost, an empty chunk with `Chunk.ends_segment` leaves, and the stream is
        looked for: without end with `LslSettings.wait`, or else for `LslSettings.timeout`. What
        comes from a new connection lies behind a gap.
        """
        try:
            yield from self._listen()
        finally:
            self._inlet.close_stream()

    def _listen(self) -> Iterator[Chunk]:
        connected = self._subscribe()
        network: Network | None = None  # there while the stream is lost
        lost = 0.0
        while self._stop is None or self._order.next < self._stop:
            try:
                pieces = self._pull(connected)
            except load_pylsl().util.LostError:
                connected, pieces = False, self._order.flush()
                self._watchdog.disconnected()
            for piece in pieces:
                yield self._chunk(piece)
            if self._watchdog.state is not StreamState.LOST:
                network = None
                if not pieces:
                    yield self._empty()
                continue
            if network is None:
                for piece in self._order.flush():
                    yield self._chunk(piece)
                network, lost = Network(), time.perf_counter()
            elif not self._settings.wait and time.perf_counter() - lost >= self._settings.timeout:
                return
            yield self._empty(ends_segment=True)
            connected = self._reconnected(network, connected)
        for piece in self._order.flush():
            yield self._chunk(piece)

    def _subscribe(self) -> bool:
        pylsl = load_pylsl()
        try:
            self._inlet.open_stream(_SUBSCRIBE_S)
        except (pylsl.util.TimeoutError, pylsl.util.LostError):
            self._watchdog.disconnected()
            return False
        return True

    def _pull(self, connected: bool) -> list[Piece]:
        """Wait for samples, at most `TICK_S`; raises pylsl's LostError when the outlet has gone."""
        wait = HOLD_S / 3 if self._order.holds else TICK_S
        if not connected:
            time.sleep(wait)
            return []
        rows, stamps = self._inlet.pull_chunk(
            timeout=wait, max_samples=_LARGEST_PULL, dest_obj=self._buffer, min_samples=1
        )
        arrived_ns = time.perf_counter_ns()
        if len(stamps) == 0:
            self._watchdog.looked()
            return self._order.release(arrived_ns)
        self._watchdog.fed()
        if time.perf_counter() - self._corrected >= _CORRECTION_S:
            self._correct(0.0)
        jumps = self._order.counts.clock_jumps
        pieces = self._order.push(stamps, rows.copy(), arrived_ns)
        if self._order.counts.clock_jumps != jumps:
            self._rate.restart()
        return pieces

    def _chunk(self, piece: Piece) -> Chunk:
        if self._stop is not None and piece.stop > self._stop:
            kept = max(0, self._stop - piece.start)
            piece = replace(piece, rows=piece.rows[:kept], stamps=piece.stamps[:kept])
        if len(piece.rows) == 0:
            return self._empty()
        self._rate.add(float(piece.stamps[-1]), piece.stop)
        return Chunk(
            self.info.source_id,
            piece.start,
            (piece.rows[:, self._columns].T * self._scale).astype(np.float32),
            piece.stamps + (self._correction_s + lsl_clock_offset_s()),
            piece.arrived_ns,
        )

    def _empty(self, *, ends_segment: bool = False) -> Chunk:
        nothing = np.empty((len(self.info.leads), 0), np.float32)
        now = time.perf_counter_ns()
        return Chunk(
            self.info.source_id, self._order.next, nothing, np.empty(0), now, ends_segment=ends_segment
        )

    def _reconnected(self, network: Network, connected: bool) -> bool:
        """Look for the lost stream once; whether there is a connection now.

        A connection that is silent but stands is left only for another outlet of the same source.
        """
        lost = self._stream
        found = [
            stream
            for stream in network.streams()
            if stream.is_same_source(lost) and not (connected and stream.uid == lost.uid)
        ]
        if len(found) != 1:
            return connected
        inlet, leads = self._inlet, self._leads
        try:
            _check_usable(found[0])
            self._open(found[0])
            if self._leads.names != leads.names or found[0].fs != self._fs:
                raise InputError(f"{found[0]} has come back with other leads or another rate")
        except InputError as error:
            self._problem = str(error)
            return connected
        self._problem = ""
        inlet.close_stream()
        self._order.resume()
        self._rate.restart()
        return self._subscribe()


def _check_usable(stream: LslStream) -> None:
    if stream.is_text:
        raise InputError(f"LSL stream {stream} holds text, not a signal; choose another with --stream-name")
    if not stream.fs > 0:
        raise InputError(
            f"LSL stream {stream} has no regular rate, and a network needs samples at equal "
            f"distances; choose one of {LOWEST_HZ:g} to {HIGHEST_HZ:g} Hz"
        )
    if not LOWEST_HZ <= stream.fs <= HIGHEST_HZ:
        raise InputError(
            f"LSL stream {stream} has {stream.fs:g} Hz; allowed: {LOWEST_HZ:g} to {HIGHEST_HZ:g} Hz"
        )


def _simple_rate(fs: float) -> float:
    """Nearest half hertz: the resampler wants a ratio of small whole numbers, quartz is no truer."""
    return round(2 * fs) / 2


def lsl_clock_offset_s() -> float:
    """What must be added to LSL's local clock to have `time.perf_counter`.

    On Linux both are the system's monotonic clock, and the reading below is all the difference.
    """
    before = time.perf_counter()
    there = load_pylsl().local_clock()
    offset = (before + time.perf_counter()) / 2 - there
    return 0.0 if abs(offset) < _SAME_CLOCK_S else offset
