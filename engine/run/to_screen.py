"""What the engine's process sends to the screen, and how often."""

import contextlib
import itertools
import queue
import time
from typing import Any

from engine.messages import Emitted, Gap
from engine.run.protocol import Frame
from engine.run.session import Session

FRAME_S = 0.02
"""Frames leave for the screen at most this often."""
STATUS_S = 0.5


class ToScreen:
    """Latest-only way to the screen: bundles messages, and drops the oldest when nobody reads."""

    def __init__(self, session: Session, frames: Any) -> None:
        self._session, self._frames = session, frames
        self._bundle: list[Frame] = []
        self._newest: dict[str, Emitted] = {}
        self._sent = self._status_sent = 0.0
        # One stream's status at a time: those of many streams together would hold the engine up.
        self._next = itertools.cycle(range(len(session.streams)))
        self._status_s = STATUS_S / len(session.streams)

    def __call__(self, message: Emitted | Gap) -> None:
        """Take a message; it leaves with the next bundle."""
        if isinstance(message, Gap):
            self._bundle.append(message)
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
        if now - self._status_sent >= self._status_s:
            self._status_sent = now
            self._bundle.append(self._session.status(next(self._next)))
        self._bundle += [message.preview() for message in self._newest.values()]
        self._newest.clear()
        if self._bundle:
            self.put(self._bundle)
            self._bundle = []

    def put(self, bundle: list[Frame]) -> None:
        """Send, from any thread; a screen that does not read loses its oldest bundle."""
        for _ in range(2):
            try:
                self._frames.put_nowait(bundle)
                return
            except queue.Full:
                with contextlib.suppress(queue.Empty):
                    self._frames.get_nowait()
