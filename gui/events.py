"""What happened in a stream, and when: gaps, states, bypasses, settings, user marks."""

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass

from engine.marks import Mark, Verdict, explain
from engine.messages import Cleaned, Gap, Preview
from gui.lead_names import written
from streamer.chunk import StreamInfo

KINDS = ("gap", "state", "bypass", "settings", "mark")
"""Kinds of events, as the screen calls them."""
_KEPT = 3000


@dataclass
class Event:
    """Something that began with a sample, and ended before `stop` where it lasted and is over."""

    sample: int
    kind: str
    text: str
    stop: int | None = None


class EventLog:
    """Events of one stream, in the order of their samples; the oldest are forgotten beyond `_KEPT`.

    Attributes
    ----------
    found
        The events.
    version
        Grows with every change.
    """

    def __init__(self, info: StreamInfo) -> None:
        self._info = info
        self.found: list[Event] = []
        # Each frame asks for them, and most events are none.
        self._marks: list[Event] = []
        self.version = 0
        self._verdict: Verdict | None = None
        self._open: Event | None = None
        self._state = "LIVE"

    def note(self, sample: int, kind: str, text: str, stop: int | None = None) -> Event:
        """Add an event; `kind` is one of `KINDS`."""
        event = Event(sample, kind, text, stop)
        insort(self.found, event, key=_sample_of)
        if kind == "mark":
            insort(self._marks, event, key=_sample_of)
        if len(self.found) > _KEPT:
            self._forget_oldest()
        self.version += 1
        return event

    def _forget_oldest(self) -> None:
        oldest = self.found.pop(0)
        if oldest.kind == "mark":
            self._marks.pop(0)

    def take(self, message: Cleaned | Gap | Preview) -> None:
        """Note a gap, and where something else leaves the engine than before."""
        if isinstance(message, Preview):
            return
        if isinstance(message, Gap):
            self._close(message.start)
            seconds = (message.stop - message.start) / self._info.fs
            self.note(message.start, "gap", f"{seconds:.2f} s missing", message.stop)
            self._verdict = None
            return
        verdict = message.verdict
        if verdict == self._verdict:
            return
        self._verdict = verdict
        self._close(message.start)
        mark, _ = verdict
        if mark in (Mark.BYPASSED, Mark.FILTERED):
            what = "raw passed on" if mark is Mark.BYPASSED else "classical filter"
            self._open = self.note(message.start, "bypass", f"{what}: {self._why(verdict)}")

    def _why(self, verdict: Verdict) -> str:
        reasons = explain(verdict, self._info.leads)
        if len(self._info.leads) == 1:
            return next(iter(reasons.values()), "output unusable")
        return ", ".join(f"{written(lead)} {reason}" for lead, reason in reasons.items()) or "output unusable"

    def _close(self, sample: int) -> None:
        if self._open:
            self._open.stop = sample
            self._open = None
            self.version += 1

    def note_state(self, sample: int, state: str) -> None:
        """Note that a live source says something else of itself than before."""
        if state != self._state:
            self._state = state
            self.note(sample, "state", state)

    def beside(self, sample: int, by: int) -> Event | None:
        """The next event behind (1) or before (-1) a sample; None where there is none."""
        if by > 0:
            at = bisect_right(self.found, sample, key=_sample_of)
            return self.found[at] if at < len(self.found) else None
        at = bisect_left(self.found, sample, key=_sample_of)
        return self.found[at - 1] if at else None

    def marks(self, start: int, stop: int) -> list[Event]:
        """What a person marked of samples start … stop-1, however much else was noted."""
        first = bisect_left(self._marks, start, key=_sample_of)
        return self._marks[first : bisect_left(self._marks, stop, first, key=_sample_of)]


def _sample_of(event: Event) -> int:
    return event.sample
