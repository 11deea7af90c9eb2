"""A run in lines of text, where nothing is drawn."""

import time
from collections.abc import Iterable

from engine.run.protocol import Frame, Outcome, Started, StartedStream, Status
from gui.terminal.view import describe
from streamer.console.output import say

_REPORT_S = 5.0


class TextLines:
    """An `engine.service.watcher.Watcher` that says what plays, and every 5 s how each stream is doing.

    Parameters
    ----------
    model
        Name of the network.
    """

    def __init__(self, model: str) -> None:
        self._model = model
        self._streams: tuple[StartedStream, ...] = ()
        self._statuses: dict[str, Status] = {}
        self._problem = ""
        self._reported = time.monotonic()

    def plays(self, started: Started) -> None:
        """As `Watcher.plays`; of an engine that was started again the end of the problem tells."""
        if self._streams:
            return
        self._streams = started.streams
        for line in headings(started, self._model):
            say(line)

    def joins(self, stream: StartedStream) -> None:
        """As `Watcher.joins`."""
        self._streams += (stream,)
        for line in (joined(stream), *_heading(stream, self._model)):
            say(line)

    def told(self, text: str) -> None:
        """As `Watcher.told`."""
        say(text)

    def take(self, frame: Frame) -> None:
        """As `Watcher.take`."""
        if isinstance(frame, Status):
            self._statuses[frame.stream] = frame

    def looked(self, problem: str, restarts: int, *, restarting: bool) -> None:
        """As `Watcher.looked`."""
        if problem != self._problem:
            self._problem = problem
            say(problem or "the engine answers again")
        elif not problem and self._statuses and time.monotonic() - self._reported >= _REPORT_S:
            self._reported = time.monotonic()
            for line in self._reports():
                say(line)

    def ended(self, outcome: Outcome) -> None:
        """As `Watcher.ended`: a table says what it came to."""

    def _reports(self) -> Iterable[str]:
        for each in self._streams:
            status = self._statuses.get(each.info.source_id)
            if status:
                name = f" · {each.info.name}" if len(self._streams) > 1 else ""
                yield f"{status.seconds:7.1f} s{name} · {describe(status)}"


def headings(started: Started, model: str) -> Iterable[str]:
    """What plays: a line for each stream, and its notes; and what is awaited."""
    if started.awaited:
        names = ", ".join(each.info.name for each in started.streams)
        yield f"there: {names} · awaited: {', '.join(started.awaited)}"
    for each in started.streams:
        yield from _heading(each, model)


def joined(stream: StartedStream) -> str:
    """That a stream has joined."""
    return f"{stream.info.name} has joined"


def _heading(each: StartedStream, model: str) -> Iterable[str]:
    clean = each.setup.clean
    yield (
        f"{each.info.name}: {', '.join(each.info.leads)} at {each.info.fs:g} Hz · {model} on "
        f"{clean.backend} · look-ahead {clean.lookahead_ms:.0f} ms + hop {clean.hop_ms:.0f} ms · "
        f"algorithmic delay {each.setup.algorithmic_delay_ms:.0f} ms · Ctrl-C ends"
    )
    for note in each.info.notes:
        yield f"note: {note}"
