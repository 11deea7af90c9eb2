"""All beds of a ward, by their engines' streams; and what happened to them."""

import itertools
import threading
import time
from collections import deque
from dataclasses import dataclass

from engine.messages import Cleaned, Gap
from engine.run.protocol import Frame, StartedStream, Status
from ward.bed import Bed

KEPT_EVENTS = 1000
_LISTEN_S = 2.0
"""Between two looks at the beats of a bed."""


@dataclass(frozen=True)
class Event:
    """Something that a person at the station should hear of.

    Parameters
    ----------
    number
        Counts all events of the ward.
    time_s
        Seconds since 1970.
    bed
        Number of the bed; None of the ward as a whole.
    """

    number: int
    time_s: float
    bed: int | None
    text: str


class Beds:
    """The beds of a ward. One thread changes them, others read.

    Attributes
    ----------
    all
        Every bed that has played, by its number.
    """

    def __init__(self) -> None:
        self.all: list[Bed] = []
        self._named: dict[tuple[int, str], Bed] = {}
        self._events: deque[Event] = deque(maxlen=KEPT_EVENTS)
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._listened: deque[tuple[float, Bed]] = deque()

    def plays(self, worker: int, started: StartedStream) -> None:
        """Note a bed that begins to play, or plays again."""
        key = worker, started.info.source_id
        bed = self._named.get(key)
        if bed:
            bed.goes_on(started)
            self.tell("is cleaned again", bed)
            return
        bed = self._named[key] = Bed(len(self.all), started, worker)
        self.all.append(bed)
        self._listened.append((0.0, bed))
        self.tell("has joined", bed)

    def take(self, worker: int, frame: Frame) -> None:
        """Note what an engine tells of one of its beds."""
        if isinstance(frame, Cleaned | Gap):
            self._named[worker, frame.stream].take(frame)
        elif isinstance(frame, Status):
            bed = self._named[worker, frame.stream]
            self._compare(bed, frame)
            bed.status = frame

    def _compare(self, bed: Bed, now: Status) -> None:
        before = bed.status
        if before is None:
            return
        if now.state != before.state:
            self.tell(f"is {now.state}", bed)
        if now.gap_samples > before.gap_samples:
            lost_s = (now.gap_samples - before.gap_samples) / bed.fs
            self.tell(f"has a gap of {lost_s:.1f} s", bed)
        if now.reasons != before.reasons:
            why = "; ".join(f"{lead}: {reason}" for lead, reason in now.reasons.items())
            self.tell(f"raw is shown ({why})" if why else "is cleaned again", bed)
        if now.setup.step != before.setup.step:
            step = now.setup.step
            self.tell(f"machine too slow: {step}" if step else "has its network again", bed)
        if now.ended and not before.ended:
            self.tell("has ended", bed)

    def died(self, worker: int, why: str) -> None:
        """Note that an engine cleans no more."""
        for bed in self.all:
            if bed.worker == worker and not (bed.status and bed.status.ended):
                bed.dead = why
        self.tell(f"worker {worker + 1}: {why}")

    def tell(self, text: str, bed: Bed | None = None) -> None:
        """Add an event."""
        with self._lock:
            number = None if bed is None else bed.number
            self._events.append(Event(next(self._numbers), time.time(), number, text))

    def events(self, after: int = -1) -> list[Event]:
        """Events with a number beyond one, oldest first."""
        with self._lock:
            return [event for event in self._events if event.number > after]

    def listen(self, budget_s: float) -> None:
        """Find heart rates anew, of the beds whose turn it is, for so long at most."""
        ends = time.monotonic() + budget_s
        while self._listened and (now := time.monotonic()) < ends:
            last, bed = self._listened[0]
            if now - last < _LISTEN_S:
                return
            self._listened.popleft()
            bed.listen()
            self._listened.append((now, bed))
