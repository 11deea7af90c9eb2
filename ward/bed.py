"""A bed as the ward sees it: its newest traces, heart rates, state and account."""

import threading
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.guard.wave_doubt import unsure_beats, unsure_of
from engine.messages import Cleaned, Gap
from engine.run.protocol import StartedStream, Status
from streamer.heart_rate import confirmed_rate, heart_rate
from streamer.qrs import find_qrs

KEPT_S = 300.0
"""Of each bed's first lead, for review in the station."""
LISTENED_S = 10.0
"""Of signal in which beats are looked for."""
SHOWN_HZ = 180.0
"""A trace is kept at this rate or up to twice as much: every other sample at 360 Hz."""
STEP_MV = 0.005
"""A step of a kept sample: 16 bits then reach ±164 mV."""
MISSING = -32768
_LIMIT = 32767


class Trace(NamedTuple):
    """Consecutive kept samples of a bed's first lead.

    Parameters
    ----------
    first
        Index of the first, counted at the rate at which they are kept.
    raw, cleaned
        int16, steps of `STEP_MV`; `MISSING` where no sample came.
    marks
        uint8, an `engine.marks.Mark` each.
    """

    first: int
    raw: NDArray[np.int16]
    cleaned: NDArray[np.int16]
    marks: NDArray[np.uint8]


@dataclass(frozen=True)
class Rates:
    """Heart rates of raw and cleaned, bpm; None where none can be said."""

    raw: float | None = None
    cleaned: float | None = None


class _Ring:
    """The newest samples of a signal whose indices may leave gaps."""

    def __init__(self, length: int, nothing: float, dtype: type[np.generic]) -> None:
        self._kept: NDArray[np.generic] = np.full(length, nothing, dtype)
        self._nothing = nothing

    def write(self, first: int, values: NDArray[np.generic]) -> None:
        length = len(self._kept)
        values = values[-length:]
        self._kept[np.arange(first, first + len(values)) % length] = values

    def clear(self, first: int, stop: int) -> None:
        self.write(first, np.full(min(stop - first, len(self._kept)), self._nothing, self._kept.dtype))

    def read(self, first: int, stop: int) -> NDArray[np.generic]:
        return self._kept[np.arange(first, stop) % len(self._kept)]


class Bed:
    """What is known of one bed. One thread writes, others read.

    Parameters
    ----------
    number
        Its number in the ward, from 0.
    started
        What its engine says of it.
    worker
        Number of the engine that cleans it.

    Attributes
    ----------
    status
        What the engine said last; None before it did.
    dead
        Why its engine cleans it no more; empty while it does.
    """

    def __init__(self, number: int, started: StartedStream, worker: int) -> None:
        self.number, self.worker = number, worker
        self.status: Status | None = None
        self.rates = Rates()
        self.dead = ""
        self._lock = threading.Lock()
        self._begin(started)

    def _begin(self, started: StartedStream) -> None:
        self.info = started.info
        self.fs = float(self.info.fs)
        self._every = max(1, int(self.fs / SHOWN_HZ))
        kept = int(KEPT_S * self.fs / self._every)
        self._raw, self._cleaned = (_Ring(kept, MISSING, np.int16) for _ in range(2))
        self._marks = _Ring(kept, 0, np.uint8)
        listened = int(LISTENED_S * self.fs)
        # Raw, cleaned, and the network's uncertainty of it.
        self._heard = [_Ring(listened, np.nan, np.float32) for _ in range(3)]
        self._first: int | None = None
        self._next = 0

    def goes_on(self, started: StartedStream) -> None:
        """Its engine was started again: what was kept stays, where the stream is the same."""
        with self._lock:
            if started.info.fs != self.info.fs:
                self._begin(started)
            self.info = started.info
        self.dead = ""

    @property
    def shown_hz(self) -> float:
        """Rate of the kept samples, Hz."""
        return self.fs / self._every

    @property
    def newest(self) -> int:
        """Index behind the newest kept sample."""
        return -(-self._next // self._every)

    @property
    def oldest(self) -> int:
        """Index of the oldest kept sample."""
        if self._first is None:
            return 0
        return max(-(-self._first // self._every), self.newest - int(KEPT_S * self.shown_hz))

    def take(self, message: Cleaned | Gap) -> None:
        """Keep what left the engine."""
        with self._lock:
            if self._first is None:
                self._first = message.start
            if message.start > self._next > 0:
                self._skip(self._next, message.start)
            if isinstance(message, Gap):
                self._skip(message.start, message.stop)
            else:
                self._keep(message)
            self._next = message.stop

    def _skip(self, start: int, stop: int) -> None:
        first, last = -(-start // self._every), -(-stop // self._every)
        for ring in (self._raw, self._cleaned, self._marks):
            ring.clear(first, last)
        for ring in self._heard:
            ring.clear(start, stop)

    def _keep(self, message: Cleaned) -> None:
        raw, cleaned = message.raw[0], message.cleaned[0]
        for ring, values in zip(self._heard, (raw, cleaned, message.spread[0]), strict=True):
            ring.write(message.start, values)
        offset = -message.start % self._every
        first = (message.start + offset) // self._every
        for kept, values in ((self._raw, raw), (self._cleaned, cleaned)):
            kept.write(first, _stepped(values[offset :: self._every]))
        self._marks.write(first, message.marks[0, offset :: self._every])

    def read(self, first: int, stop: int) -> Trace:
        """Kept samples from one index to another, cut to what is there."""
        with self._lock:
            first = min(max(first, self.oldest), self.newest)
            stop = min(max(stop, first), self.newest)
            raw, cleaned, marks = (ring.read(first, stop) for ring in (self._raw, self._cleaned, self._marks))
        return Trace(first, raw, cleaned, marks)  # type: ignore[arg-type]

    def listen(self) -> None:
        """Find the heart rates of the last seconds."""
        with self._lock:
            stop = self._next
            start = max(self._first or 0, stop - int(LISTENED_S * self.fs))
            traces = [ring.read(start, stop) for ring in self._heard]
        heard, made, spread = traces
        raw = heart_rate(find_qrs(heard, self.fs), heard, self.fs)  # type: ignore[arg-type]
        beats = find_qrs(made, self.fs)  # type: ignore[arg-type]
        unsure = unsure_beats(beats, unsure_of(made, spread, self.fs), self.fs)  # type: ignore[arg-type]
        self.rates = Rates(raw, confirmed_rate(raw, beats, made, self.fs, unsure))  # type: ignore[arg-type]


def _stepped(values: NDArray[np.float32]) -> NDArray[np.int16]:
    steps = np.rint(values / np.float32(STEP_MV))
    missing = ~np.isfinite(steps)
    kept = np.clip(np.where(missing, 0, steps), -_LIMIT, _LIMIT).astype(np.int16)
    kept[missing] = MISSING
    return kept
