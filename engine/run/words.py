"""The way from the engine's process to its parent: a pipe that neither end can hold up, nor leave half read.

The engine hands over what it has to tell and goes on; a thread sends it. Bundles of frames are latest-only:
where nobody reads, the oldest goes. The parent reads on a thread too: of a message of which an engine that
was stopped or killed sent only a part, that thread waits for the rest, or hears that none comes, and nobody
else does. (`multiprocessing.Queue` reads it on the caller's thread, while it holds a lock in shared memory.)
"""

import contextlib
import threading
import time
from collections import deque
from multiprocessing.connection import Connection
from typing import Any

ALIVE_S = 0.25
"""Where it has nothing to tell, an engine says so often that it is there."""
_QUEUED = 64
LOOK_S = 0.25
"""Who waits for a silence to end should look so often."""


class Sender:
    """The end that tells; may be used from any thread.

    Parameters
    ----------
    alive
        Whether to say, where there is nothing else to tell, that somebody is there.
    """

    def __init__(self, pipe: Connection, *, alive: bool = True) -> None:
        self._pipe = pipe
        self._patience_s = ALIVE_S if alive else None
        self._items: deque[Any] = deque()
        self._changed = threading.Condition()
        self._sending = False
        self._broken = False
        self._thread = threading.Thread(target=self._send, name="words", daemon=True)
        self._thread.start()

    def put(self, bundle: list[Any]) -> None:
        """Send frames, some time; where nobody reads, the oldest bundle is dropped."""
        with self._changed:
            bundles = [item for item in self._items if isinstance(item, list)]
            if len(bundles) >= _QUEUED:
                self._items.remove(bundles[0])
            self._items.append(bundle)
            self._changed.notify_all()

    def post(self, word: object) -> None:
        """Send something that must not be dropped, some time, behind all that was given before."""
        with self._changed:
            self._items.append(word)
            self._changed.notify_all()

    def tell(self, word: object) -> None:
        """As `post`, and return when it is sent, or nobody is there any more."""
        self.post(word)
        with self._changed:
            self._changed.wait_for(lambda: self._broken or not (self._items or self._sending))

    def close(self) -> None:
        """Close the pipe; whoever reads it must have ended."""
        with self._changed:
            self._broken = True
            self._changed.notify_all()
        self._thread.join()
        self._pipe.close()

    def _send(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items or self._broken, self._patience_s)
                if self._broken:
                    return
                # None says that the engine is there.
                item = self._items.popleft() if self._items else None
                self._sending = True
            sent = False
            try:
                self._pipe.send(item)
                sent = True
            except OSError:
                # Nobody is there any more.
                return
            finally:
                with self._changed:
                    self._sending, self._broken = False, self._broken or not sent
                    self._changed.notify_all()


class Receiver:
    """The end that hears, for one thread."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._items: deque[Any] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._receive, name="words of the engine", daemon=True)
        self._thread.start()

    def take(self, timeout_s: float = 0.0) -> list[Any]:
        """Everything that has come, in order; waits for it where nothing has.

        Returns
        -------
        list
            Bundles (lists), answers, and None for each time that the engine only said that it is there.

        Raises
        ------
        EOFError
            If nothing more can come.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._ended, timeout_s)
            items = list(self._items)
            self._items.clear()
            self._changed.notify_all()
            if not items and self._ended:
                raise EOFError("the engine says no more")
        return items

    def close(self) -> None:
        """Close the pipe; the engine must have ended."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._thread.join()
        self._pipe.close()

    def _receive(self) -> None:
        while True:
            word, ended = None, True
            # OSError: the end came in the middle of a word.
            with contextlib.suppress(EOFError, OSError):
                word, ended = self._pipe.recv(), False
            with self._changed:
                # Where nobody takes anything the pipe fills up, and the engine drops its oldest frames.
                self._changed.wait_for(lambda: len(self._items) < _QUEUED or self._ended)
                if not (ended or self._ended):
                    self._items.append(word)
                self._ended |= ended
                self._changed.notify_all()
                if self._ended:
                    return


class Silence:
    """How long nothing has come, as far as somebody looked.

    A time in which nobody did counts as a quarter of a second: who was stopped himself, with the lid of the
    computer closed or by a debugger, has not heard that another was silent.
    """

    def __init__(self) -> None:
        self._seconds = 0.0
        self._looked = time.monotonic()

    def broken(self) -> None:
        """Something has come."""
        self._seconds, self._looked = 0.0, time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds until now."""
        now = time.monotonic()
        self._seconds += min(now - self._looked, LOOK_S)
        self._looked = now
        return self._seconds
