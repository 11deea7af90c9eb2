"""One connection to one LSL outlet: its leads in mV, its stamps, and its clock offset to ours."""

import contextlib
import ctypes
import socket
import time
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.chunk import Samples
from streamer.errors import InputError
from streamer.lsl.clock import Measured, SenderClock
from streamer.lsl.metadata import pick_leads, read_channels
from streamer.lsl.network import LslStream, load_pylsl
from streamer.plain import plain

LOWEST_HZ, HIGHEST_HZ = 100.0, 16_384.0
MOST_CHANNELS = 1024
"""More than any amplifier has; the buffer for a stream that claims a million would not fit in memory."""
BUFFER_S = 360
"""Seconds that liblsl buffers on both sides, as an outlet does by itself: while a link is down the outlet
keeps what this inlet asked for, so an outage of five minutes loses nothing. What comes late is told by its
stamps."""
_MOST_BYTES = 1 << 29
"""Wide and fast streams are buffered for less: 1024 channels at 16 384 Hz for 5 s."""

ANSWER_S = 10.0
"""For so long a connection waits for the stream's description."""

_WITH_MISSING = (np.int16, np.int32, np.int64)
"""Types whose smallest value no converter gives: there it stands for a missing sample, as in WFDB. The 256
values of int8 are all values."""
_LARGEST_PULL = 4096
_CORRECTION_S = 5.0  # between two looks at the sender's clock; liblsl measures it in the background
_FIRST_CORRECTION_S = 2.0
_SUBSCRIBE_S = 2.0
_SAME_CLOCK_S = 0.001  # clocks of one machine that agree to this are the same clock
_SAME_HOST_S = 0.1  # largest offset that a busy machine measures to its own clock over the network
_CLOCK_READINGS = 9


class NoAnswer(InputError):
    """The network announces an outlet that does not say what it sends; it may do so later."""


class Connection:
    """A connection to an outlet that has yet to say what it sends, which may take seconds.

    liblsl is told neither to correct or smooth stamps nor to reconnect: it would do so without telling.

    Raises
    ------
    InputError
        If the stream cannot be used.
    """

    def __init__(self, stream: LslStream) -> None:
        _check_usable(stream)
        self.stream = stream
        self.inlet: Any = load_pylsl().StreamInlet(
            stream.handle, max_buflen=buffer_s(stream), recover=False, as_numpy=True
        )
        self._until = time.perf_counter() + ANSWER_S

    def description(self, wait_s: float) -> Any:
        """The stream's `pylsl.StreamInfo` with its metadata, once it has come; None before.

        Asking again goes on waiting for the same answer.

        Raises
        ------
        NoAnswer
            If the outlet has gone, or has said nothing for `ANSWER_S`; another connection may help.
        """
        pylsl = load_pylsl()
        try:
            return self.inlet.info(wait_s)
        except pylsl.util.TimeoutError:
            if time.perf_counter() < self._until:
                return None
        except pylsl.util.LostError:
            pass
        raise NoAnswer(f"LSL stream {self.stream} does not answer; is its program still running?")


class Inlet:
    """An open inlet; samples are asked for by `subscribe`.

    Nothing that it holds holds it: liblsl gives its threads and two megabytes of buffer back as soon as
    nobody uses it any more, and not when Python next collects what refers to itself.

    Parameters
    ----------
    connection, info
        To the outlet, and how it describes its stream.
    leads, unit, scale
        As for `streamer.lsl.metadata.pick_leads`.

    Raises
    ------
    InputError
        If the stream cannot be used.
    """

    def __init__(
        self,
        connection: Connection,
        info: Any,
        leads: tuple[str, ...] | None,
        unit: str | None,
        scale: float | None,
    ) -> None:
        stream = self.stream = connection.stream
        self._inlet = connection.inlet
        self.leads = pick_leads(read_channels(info), leads, unit, scale)
        self._columns = np.array(self.leads.columns)
        self._scale = self.leads.millivolts[:, None]
        kind = np.dtype(self._inlet.np_dtype)
        self._missing = np.iinfo(kind).min if kind in _WITH_MISSING else None
        self._buffer = np.empty((_LARGEST_PULL, stream.channels), kind)
        self.clock = SenderClock()
        self._look(_FIRST_CORRECTION_S)

    def subscribe(self) -> bool:
        """Ask for samples; False when the outlet has gone."""
        pylsl = load_pylsl()
        try:
            self._inlet.open_stream(_SUBSCRIBE_S)
        except (pylsl.util.TimeoutError, pylsl.util.LostError):
            return False
        return True

    def pull(self, wait_s: float) -> tuple[NDArray[Any], NDArray[np.float64]] | None:
        """Values, (samples, channels), and stamps of what has come; waits for the first sample.

        None when the outlet has gone.
        """
        pylsl = load_pylsl()
        if time.perf_counter() - self._looked >= _CORRECTION_S:
            self._look(0.0)
        try:
            rows, stamps = self._inlet.pull_chunk(
                timeout=wait_s, max_samples=_LARGEST_PULL, dest_obj=self._buffer, min_samples=1
            )
        except pylsl.util.LostError:
            return None
        return rows.copy(), stamps

    def millivolts(self, rows: NDArray[Any]) -> Samples:
        """Leads of pulled values, (leads, samples); NaN where one is missing."""
        taken = rows[:, self._columns].T
        scaled: Samples = (taken * self._scale).astype(np.float32)
        if self._missing is not None:
            scaled[taken == self._missing] = np.nan
        return scaled

    def our_time(self, stamps: NDArray[np.float64]) -> NDArray[np.float64]:
        """Stamps of the sender as seconds of `time.perf_counter`; NaN where its clock is not known."""
        return self.clock.times(stamps) + lsl_clock_offset_s()

    def judge(self, stamp: float, arrived_ns: int) -> None:
        """Decide by a sample that was sampled just now whether the stamps are of LSL's clock."""
        self.clock.judge(stamp, arrived_ns / 1e9 - lsl_clock_offset_s())

    def close(self) -> None:
        """Ask for no more samples."""
        self._inlet.close_stream()

    def _look(self, timeout_s: float) -> None:
        self._looked = time.perf_counter()
        self.clock.note(self._measure(timeout_s))

    def _measure(self, timeout_s: float) -> Measured | None:
        """Offset of the sender's clock to ours and its uncertainty; on one machine both are zero."""
        pylsl = load_pylsl()
        remote, uncertainty, failed = ctypes.c_double(), ctypes.c_double(), ctypes.c_int()
        # pylsl itself hands out the offset alone.
        ask = pylsl.lib.lib.lsl_time_correction_ex
        ask.restype = ctypes.c_double
        with contextlib.suppress(pylsl.util.TimeoutError, pylsl.util.LostError):
            offset = ask(
                self._inlet.obj,
                ctypes.byref(remote),
                ctypes.byref(uncertainty),
                ctypes.c_double(timeout_s),
                ctypes.byref(failed),
            )
            pylsl.util.handle_error(failed)
            if self.stream.host == plain(socket.gethostname()) and abs(offset) < _SAME_HOST_S:
                return 0.0, 0.0
            return float(offset), float(uncertainty.value)
        return None


def buffer_s(stream: LslStream) -> int:
    """Seconds of a stream that are buffered: `BUFFER_S`, or what fits in memory."""
    bytes_a_second = 8 * stream.channels * stream.fs
    return max(5, min(BUFFER_S, int(_MOST_BYTES / bytes_a_second)))


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
    if not 1 <= stream.channels <= MOST_CHANNELS:
        raise InputError(f"LSL stream {stream} has {stream.channels} channels; allowed: 1 to {MOST_CHANNELS}")


@cache
def lsl_clock_offset_s() -> float:
    """Offset that turns LSL's local clock into `time.perf_counter`.

    On Linux both are the system's monotonic clock. Of several readings the closest pair counts, because a
    busy machine may suspend the process between two of them.
    """
    readings = []
    for _ in range(_CLOCK_READINGS):
        before = time.perf_counter()
        there = load_pylsl().local_clock()
        after = time.perf_counter()
        readings.append((after - before, (before + after) / 2 - there))
    offset = min(readings)[1]
    return 0.0 if abs(offset) < _SAME_CLOCK_S else offset
