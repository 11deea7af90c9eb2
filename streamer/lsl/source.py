"""A live ECG from Lab Streaming Layer as a `Source`."""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from streamer.chunk import Chunk, StreamInfo
from streamer.console.installed import why_missing
from streamer.errors import InputError
from streamer.health import StreamHealth
from streamer.lsl.inlet import HIGHEST_HZ, LOWEST_HZ, Connection, Inlet, NoAnswer
from streamer.lsl.network import PREFERRED_TYPES, LslStream, Network, Wanted, find_stream
from streamer.lsl.settings import LslSettings
from streamer.noise import NoiseSettings
from streamer.pieces import Piece
from streamer.regularise import HOLD_S
from streamer.settings import SourceSettings
from streamer.source_kind import LiveKind, Stopped
from streamer.stamped import StampedStream
from streamer.stated_rate import FEWEST, other_rate, plain_rate
from streamer.watchdog import StreamState

_LISTEN_S = 1.0
"""For so long a stream is listened to at most before it is opened, to hear whether its rate is true."""
TICK_S = 0.2
"""While nothing comes, an empty chunk leaves this often."""


class LslSource:
    """An LSL inlet that keeps source stamp, arrival and sample index apart.

    Opening it finds the stream and reads its metadata; samples are asked for when `chunks` begins.
    `StampedStream` finds the samples' indices and the stream's state.

    Parameters
    ----------
    leads
        Labels of the channels to take; None takes what the metadata call ECG.
    seconds
        Signal after which to end, gaps included; None never ends.
    stopped
        Asked while waiting for the stream.
    stream
        The stream that is meant, where it has been found already.

    Raises
    ------
    InputError
        If there is no such stream, more than one, or one that cannot be used.
    NoAnswer
        If it is there, but does not say what it sends; with `LslSettings.wait` only where `stream` is given.
    KeyboardInterrupt
        If `stopped` before there was one.
    """

    speed = 1.0

    def __init__(
        self,
        settings: LslSettings,
        leads: tuple[str, ...] | None = None,
        seconds: float | None = None,
        stopped: Stopped = lambda: False,
        stream: LslStream | None = None,
    ) -> None:
        self._settings, self._wanted_leads = settings, leads
        self._inlet = self._find(stopped) if stream is None else self._connect(stream, stopped)
        stream = self._inlet.stream
        self._coming: Connection | None = None  # to a stream that is there again
        self._fs = self._true_rate(stream)
        self.info = StreamInfo(
            self._fs,
            self._inlet.leads.names,
            f"LSL {stream.name}",
            # Not every maker gives each device an id of its own.
            "/".join(filter(None, (stream.name, stream.source_id))),
            notes=self._notes(stream),
        )
        self._stop = None if seconds is None else max(1, round(seconds * self._fs))
        self._stream = StampedStream(self.info, self._fs, self._chunk, self._judge)
        self._newest = (0.0, 0)  # stamp and arrival of the newest sample

    def _find(self, stopped: Stopped) -> Inlet:
        """Find the stream that is meant, and connect to it."""
        settings = self._settings
        wanted = Wanted(settings.stream_name, settings.stream_type, settings.source_id)
        while True:
            stream = find_stream(wanted, None if settings.wait else settings.timeout, stopped)
            try:
                return self._connect(stream, stopped)
            except NoAnswer:
                if not settings.wait:
                    raise

    def _connect(self, stream: LslStream, stopped: Stopped) -> Inlet:
        """Connect to a stream, and wait until it has said what it sends."""
        connection = Connection(stream)
        while (info := connection.description(TICK_S)) is None:
            if stopped():
                raise KeyboardInterrupt
        return self._open(connection, info)

    def _open(self, connection: Connection, info: Any) -> Inlet:
        return Inlet(connection, info, self._wanted_leads, self._settings.unit, self._settings.scale)

    def _true_rate(self, stream: LslStream) -> float:
        """The stated rate, or another by which the stamps of the first moments go.

        Raises
        ------
        InputError
            If that rate cannot be taken.
        """
        heard = np.empty(0)
        end = time.perf_counter() + _LISTEN_S
        if not self._inlet.subscribe():
            return stream.fs
        while time.perf_counter() < end:
            pulled = self._inlet.pull(_LISTEN_S / 10)
            if pulled is None:
                break
            heard = np.concatenate([heard, pulled[1]])
            if len(heard) >= FEWEST and heard[-1] - heard[0] > _LISTEN_S / 5:
                if other_rate(heard, stream.fs) is None:
                    break
        # What was heard is no part of the run, which asks for samples when it begins.
        self._inlet.close()
        other = other_rate(heard, stream.fs)
        if other is None:
            return stream.fs
        if not LOWEST_HZ <= other <= HIGHEST_HZ:
            raise InputError(
                f"LSL stream {stream} states {stream.fs:g} Hz, but its time stamps advance as if it had "
                f"{other:.4g} Hz; stamps must be seconds, and the rate the device's own"
            )
        return plain_rate(other)

    def _notes(self, stream: LslStream) -> tuple[str, ...]:
        notes = list(self._inlet.leads.notes)
        if self._settings.stream_type is None and stream.type.upper() not in PREFERRED_TYPES:
            notes.append(f"the stream's type is {stream.type or 'not stated'}, not ECG: is it one?")
        if self._fs != stream.fs:
            notes.append(
                f"the stream states {stream.fs:g} Hz, but its time stamps say {self._fs:g} Hz: taken as that"
            )
        if not stream.source_id:
            notes.append("the stream has no source id: after a loss it is known by its name alone")
        return tuple(notes)

    @property
    def health(self) -> StreamHealth:
        """State and counts of this moment."""
        return self._stream.health

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
            self._inlet.close()

    def _listen(self) -> Iterator[Chunk]:
        stream = self._stream
        connected = self._subscribe()
        network: Network | None = None  # there while the stream is lost
        lost = 0.0
        while self._stop is None or stream.next < self._stop:
            chunks = self._pull() if connected else None
            if chunks is None:
                if connected:
                    stream.disconnected()
                else:
                    time.sleep(TICK_S)
                connected, chunks = False, stream.flush()
            yield from chunks
            if stream.state is not StreamState.LOST:
                network = None
                if not chunks:
                    yield self._empty()
                continue
            if network is None:
                yield from stream.flush()
                network, lost = Network(), time.perf_counter()
            elif not self._settings.wait and time.perf_counter() - lost >= self._settings.timeout:
                return
            yield self._empty(ends_segment=True)
            connected = self._reconnected(network, connected)
        yield from stream.flush()

    def _subscribe(self) -> bool:
        connected = self._inlet.subscribe()
        if not connected:
            self._stream.disconnected()
        return connected

    def _pull(self) -> list[Chunk] | None:
        """Wait for samples, at most `TICK_S`; None when the outlet has gone."""
        pulled = self._inlet.pull(HOLD_S / 3 if self._stream.holds else TICK_S)
        arrived_ns = time.perf_counter_ns()
        if pulled is None:
            return None
        rows, stamps = pulled
        if len(stamps):
            self._newest = (float(stamps[-1]), arrived_ns)
            if not self._inlet.clock.believed:
                self._judge()
            return self._stream.push(stamps, rows, arrived_ns)
        self._stream.silent()
        return self._stream.release(arrived_ns)

    def _judge(self) -> None:
        """Decide by the newest sample whether the times of samples are known."""
        self._inlet.judge(*self._newest)
        self._stream.untimed = self._inlet.clock.why_unknown

    def _chunk(self, piece: Piece) -> Chunk:
        """Samples as they leave; none of those after the end of what was asked for."""
        piece = piece.before(self._stop)
        if len(piece.rows) == 0:
            return self._empty()
        return Chunk(
            self.info.source_id,
            piece.start,
            self._inlet.millivolts(piece.rows),
            self._inlet.our_time(piece.stamps),
            piece.arrived_ns,
        )

    def _empty(self, *, ends_segment: bool = False) -> Chunk:
        return self._stream.empty(time.perf_counter_ns(), ends_segment=ends_segment)

    def _reconnected(self, network: Network, connected: bool) -> bool:
        """Look for the lost stream once; whether there is a connection now.

        A silent connection is given up only for another outlet of the same source.
        """
        lost = self._inlet.stream
        found = [
            stream
            for stream in network.streams()
            if stream.is_same_source(lost) and not (connected and stream.uid == lost.uid)
        ]
        if len(found) != 1:
            return connected
        try:
            inlet = self._returned(found[0])
        except InputError as error:
            self._coming, self._stream.problem = None, str(error)
            return connected
        if inlet is None:
            return connected
        self._inlet.close()
        before, now = self._inlet.clock, inlet.clock
        self._inlet, self._stream.problem = inlet, ""
        # Asked once the first sample has shown whether its stamps are of that clock.
        self._stream.resume(lambda: now.moved_since(before))
        return self._subscribe()

    def _returned(self, stream: LslStream) -> Inlet | None:
        """An inlet to the lost stream, once its outlet has said what it sends: chunks leave meanwhile."""
        if self._coming is None or self._coming.stream.uid != stream.uid:
            self._coming = Connection(stream)
        info = self._coming.description(TICK_S)
        if info is None:
            return None
        inlet = self._open(self._coming, info)
        self._coming = None
        if inlet.leads.names != self._inlet.leads.names or stream.fs != self._inlet.stream.fs:
            raise InputError(f"{stream} has come back with other leads or another rate")
        return inlet


def _open(settings: SourceSettings, stopped: Stopped) -> LslSource:
    return LslSource(settings.lsl, settings.leads, settings.seconds, stopped)


SOURCE = LiveKind("a live Lab Streaming Layer stream", _open, why_not=lambda: why_missing(["pylsl"]))
