"""The protocol of sources, and `Player`, which plays recorded or synthetic signals at a given pace."""

import math
import threading
import time
from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np

from streamer.chunk import Annotation, Chunk, Samples, StreamInfo
from streamer.errors import InputError
from streamer.health import StreamHealth
from streamer.noise import NoiseMixer, NoiseSettings

CHUNK_S = 0.01
"""Seconds of signal in a played chunk: about what an ECG amplifier sends at once."""


class Source(Protocol):
    """Anything that the engine can take samples from."""

    @property
    def info(self) -> StreamInfo:
        """The stream's description, known before its first sample."""
        ...

    @property
    def speed(self) -> float:
        """Seconds of signal per second; 0 is as fast as possible; a live source has 1."""
        ...

    @property
    def health(self) -> StreamHealth:
        """Its state and counts at this moment."""
        ...

    def chunks(self) -> Iterator[Chunk]:
        """Hand out chunks as they become due. Closing the iterator stops the source.

        A live source that is silent hands out empty chunks now and then, so that the engine is not blocked.
        """
        ...

    def set_noise(self, settings: NoiseSettings) -> None:
        """Change the added noise from the next chunk on; raises InputError where none is added."""
        ...


class Block(NamedTuple):
    """What a `Signal` returns: `data` and its reference, (leads, samples) mV, and the marks on it."""

    data: Samples
    reference: Samples
    annotations: tuple[Annotation, ...] = ()


class Signal(Protocol):
    """A signal that can be read at any place: a record, or a synthetic patient."""

    @property
    def info(self) -> StreamInfo:
        """Description of the stream that playing it makes."""
        ...

    @property
    def length(self) -> int | None:
        """Number of samples; None is endless."""
        ...

    def read(self, start: int, count: int) -> Block:
        """`count` samples from index `start`, fewer where the signal ends.

        The samples do not depend on the pieces in which they are read.
        """
        ...


class Player:
    """A `Source` that plays a `Signal`, with noise, at a multiple of real speed.

    Parameters
    ----------
    signal
        What to play.
    noise
        Adds noise to the data, not to the reference.
    speed
        1 is real time, 0 as fast as possible.
    stop
        Index of the first sample that is not played; None plays to the end, if there is one.
    chunk_s
        Seconds of signal in a chunk.
    """

    def __init__(
        self,
        signal: Signal,
        noise: NoiseMixer,
        speed: float = 1.0,
        stop: int | None = None,
        chunk_s: float = CHUNK_S,
    ) -> None:
        if not (np.isfinite(speed) and speed >= 0):
            raise InputError(f"speed must be a number ≥ 0 (0 is as fast as possible), got {speed}")
        self.info = signal.info
        self.speed = speed
        self.health = StreamHealth()
        self._signal = signal
        self._noise = noise
        self._chunk_s = chunk_s
        ends = [end for end in (stop, signal.length) if end is not None]
        self._stop = min(ends) if ends else None
        self._since: float | None = None
        self._begun: float | None = None
        self._paused_at, self._paused_s = 0.0, 0.0
        self._playing = threading.Event()
        self._playing.set()
        self.due_s = 0.0
        """When the next chunk is due (`time.perf_counter`); past before the first and after the last."""

    def pause(self, paused: bool) -> None:
        """Hand out nothing more, or go on with the very next sample; from any thread.

        Later samples become due later by the length of the pause.
        """
        if paused is not self._playing.is_set():
            return
        if paused:
            self._paused_at = time.perf_counter()
            self._playing.clear()
        else:
            self._paused_s += time.perf_counter() - self._paused_at
            self._playing.set()

    def begin(self, now: float) -> None:
        """Play as one that begins at `now` (`time.perf_counter`), though it may be asked for chunks later."""
        self._begun = now
        self.due_s = self._due_s(now, 0)

    def go_on(self, since: float) -> None:
        """Play as one that began at `since` (`time.perf_counter`): what was due until now is not played."""
        self._since = since

    def set_noise(self, settings: NoiseSettings) -> None:
        """Change kind or level of the noise from the next chunk on."""
        self._noise.retune(settings)

    def _count(self, start: int) -> int:
        """Samples of the chunk that begins at `start`."""
        size = max(1, round(self._chunk_s * self.info.fs))
        return size if self._stop is None else min(size, self._stop - start)

    def _due_s(self, now: float, start: int) -> float:
        """When the chunk that begins at `start` is due, if it is played from `now` on."""
        return now + self._count(start) / (self.info.fs * self.speed) if self.speed else now

    def chunks(self) -> Iterator[Chunk]:
        """Play in pieces, each handed out when its last sample is due.

        Deadlines are absolute (start + n / fs), so that delays do not add up: a player that was held up
        catches up. A sample's source time is its deadline; at speed 0 it is the time when its chunk is
        handed out. A signal that goes on behind its own end is one empty chunk, at that end.
        """
        fs = self.info.fs
        begun = time.perf_counter() if self._begun is None else self._begun
        start = 0
        if self._since is not None:
            start, begun = math.floor((begun - self._since) * fs * self.speed), self._since
            if self._stop is not None and start >= self._stop:
                # Nothing else would tell how much of it was missed.
                nothing = np.empty((len(self.info.leads), 0), np.float32)
                yield Chunk(self.info.source_id, self._stop, nothing, np.empty(0), time.perf_counter_ns())
                return
        while self._stop is None or start < self._stop:
            self._playing.wait()
            count = self._count(start)
            block = self._signal.read(start, count)
            data = block.data + self._noise.read(start, count)
            if self.speed > 0:
                source_time = (
                    begun + self._paused_s + np.arange(start + 1, start + count + 1) / (fs * self.speed)
                )
                self.due_s = self._due_s(source_time[-1], start + count)
                wait = source_time[-1] - time.perf_counter()
                if wait > 0:
                    time.sleep(wait)
            else:
                source_time = np.full(count, time.perf_counter())
            yield Chunk(
                self.info.source_id,
                start,
                data,
                source_time,
                time.perf_counter_ns(),
                block.reference if self.info.has_reference else None,
                block.annotations,
            )
            start += count
