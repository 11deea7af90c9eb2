"""Ctrl-C while a process is being started: neither lost, nor heard by a child that cannot answer it yet."""

import contextlib
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def ctrl_c_waits() -> Iterator[None]:
    """Hold Ctrl-C back; what came meanwhile is raised at the end, as the handler in force answers it.

    A process that is started in here inherits that the signal is blocked, and so must ignore it by
    itself, or let it through, once it runs (Windows has no such mask). For the main thread, which
    alone may set handlers.
    """
    pressed: list[int] = []
    # The system may pick another thread, which the mask says nothing of: Python then calls this one here.
    handler = signal.signal(signal.SIGINT, lambda number, frame: pressed.append(number))
    masks = hasattr(signal, "pthread_sigmask")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT]) if masks else set()
    try:
        yield
    finally:
        if masks:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        signal.signal(signal.SIGINT, handler)
    if pressed:
        signal.raise_signal(signal.SIGINT)
