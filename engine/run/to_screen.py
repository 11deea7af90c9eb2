"""What the engine's process sends to the screen, and how often."""

import itertools
import time

from engine.messages import Emitted, Gap, Passed
from engine.run.protocol import Frame
from engine.run.session import Session
from engine.run.words import Sender

FRAME_S = 0.02
"""Frames leave for the screen at most this often."""
STATUS_S = 0.5


class ToScreen:
    """Bundles what goes to the screen; the way there is latest-only."""

    def __init__(self, session: Session, sender: Sender) -> None:
        self._session, self._sender = session, sender
        self._bundle: list[Frame] = []
        self._newest: dict[str, Emitted] = {}
        self._sent = self._status_sent = 0.0
        # One stream's status at a time: those of many streams together would hold the engine up.
        self._next = itertools.count()

    def __call__(self, message: Emitted | Gap) -> None:
        """Take a message; it leaves with the next bundle."""
        if isinstance(message, Gap):
            self._bundle.append(message)
        elif not self._session.job.traces:
            last_s = float(message.source_time[-1])
            self._bundle.append(Passed(message.stream, message.start, message.stop, last_s))
        else:
            self._bundle.append(message.released())
            self._newest[message.stream] = message
        self.idle()

    def idle(self) -> None:
        """Send what is due: a silent stream has a state too."""
        now = time.perf_counter()
        if now - self._sent < FRAME_S:
            return
        self._sent = now
        # Streams may have joined since the last one.
        count = len(self._session.streams)
        if now - self._status_sent >= STATUS_S / count:
            self._status_sent = now
            self._bundle.append(self._session.status(next(self._next) % count))
        self._bundle += [message.preview() for message in self._newest.values()]
        self._newest.clear()
        if self._bundle:
            self._sender.put(self._bundle)
            self._bundle = []
