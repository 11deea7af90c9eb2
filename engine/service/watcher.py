"""What follows a run without a screen, and the newest that is known of it."""

import threading
import time
from dataclasses import dataclass, field
from typing import Protocol

from engine.run.protocol import Frame, Outcome, Started, StartedStream, Status

STUCK_S = 10.0
"""What follows the run looks at it ten times a second; after so long without a look it is stuck itself."""


class Watcher(Protocol):
    """Is told what happens, from one thread."""

    def plays(self, started: Started) -> None:
        """The engine plays; also each time that it was started again."""

    def joins(self, stream: StartedStream) -> None:
        """A stream plays from now on."""

    def told(self, text: str) -> None:
        """A line for the user: who is absent, or has ended before its time."""

    def take(self, frame: Frame) -> None:
        """What the engine sends to a screen."""

    def looked(self, problem: str, restarts: int, *, restarting: bool) -> None:
        """Some time has passed: why what came last is no longer true, and how often an engine was replaced.

        Parameters
        ----------
        restarting
            An engine is being started again.
        """

    def ended(self, outcome: Outcome) -> None:
        """The run has come to its end."""


@dataclass(frozen=True)
class StreamNow:
    """The newest of one stream; its number is 1 for the first."""

    number: int
    started: StartedStream
    status: Status | None = None


@dataclass
class Newest:
    """A `Watcher` that keeps the newest, which other threads read.

    Attributes
    ----------
    hangs, restarting
        Whether the engine does not answer, and whether one is being started in its place.
    restarts
        How often an engine that died was started again.
    """

    hangs: bool = False
    restarting: bool = False
    restarts: int = 0
    playing: bool = False
    over: bool = False
    _streams: dict[str, StreamNow] = field(default_factory=dict)
    _looked: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def streams(self) -> list[StreamNow]:
        """Of every stream, in the order in which they began."""
        with self._lock:
            return list(self._streams.values())

    def plays(self, started: Started) -> None:
        """As `Watcher.plays`."""
        for each in started.streams:
            self.joins(each)
        self._looked, self.playing = time.monotonic(), True

    def joins(self, stream: StartedStream) -> None:
        """As `Watcher.joins`."""
        source_id = stream.info.source_id
        with self._lock:
            known = self._streams.get(source_id)
            number = known.number if known else len(self._streams) + 1
            self._streams[source_id] = StreamNow(number, stream, known.status if known else None)

    def told(self, text: str) -> None:
        """As `Watcher.told`."""

    def take(self, frame: Frame) -> None:
        """As `Watcher.take`."""
        if isinstance(frame, Status):
            with self._lock:
                now = self._streams[frame.stream]
                self._streams[frame.stream] = StreamNow(now.number, now.started, frame)

    def looked(self, problem: str, restarts: int, *, restarting: bool) -> None:
        """As `Watcher.looked`."""
        self.hangs, self.restarting = bool(problem) and not restarting, restarting
        self.restarts, self._looked = restarts, time.monotonic()

    def ended(self, outcome: Outcome) -> None:
        """As `Watcher.ended`."""
        self.over = True

    def why_unhealthy(self) -> str:
        """Why the process should be started again; empty while it should not."""
        if self.playing and not self.over and time.monotonic() - self._looked > STUCK_S:
            return f"the run was not looked at for {STUCK_S:g} s"
        return "the engine does not answer" if self.hangs else ""

    def why_not_ready(self) -> str:
        """Why not every stream is being cleaned; empty while each is."""
        if not self.playing or self.over:
            return "the run is over" if self.over else "the sources are being opened"
        if self.restarting:
            return "the engine is being started again"
        if unhealthy := self.why_unhealthy():
            return unhealthy
        for each in self.streams:
            if each.status is None:
                return f"stream {each.number} has not begun"
            if not each.status.ended and each.status.state not in ("LIVE", "RECOVERED"):
                return f"stream {each.number} is {each.status.state}"
        return ""
