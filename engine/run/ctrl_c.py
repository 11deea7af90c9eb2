"""Ctrl-C where it must not cut in: it waits, or is noted and answered when the work can end."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def ctrl_c_waits() -> Iterator[None]:
    """Hold Ctrl-C back while a process is being started.

    What came meanwhile is raised at the end, as the handler in force answers it. A process that is
    started in here inherits that the signal is blocked, and so must ignore it by itself, or let it
    through, once it runs (Windows has no such mask). For the main thread, which alone may set
    handlers.
    """
    # The system may pick another thread, which the mask says nothing of: Python then calls the handler here.
    with ctrl_c_noted() as pressed:
        masks = hasattr(signal, "pthread_sigmask")
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT]) if masks else set()
        try:
            yield
        finally:
            if masks:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if pressed():
        signal.raise_signal(signal.SIGINT)


@contextlib.contextmanager
def ctrl_c_noted() -> Iterator[Callable[[], bool]]:
    """Let work come to a good end: Ctrl-C raises nothing, and what is yielded tells whether it was pressed.

    For the main thread, which alone may set handlers.
    """
    pressed: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, frame: pressed.append(number))
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, handler)


@contextlib.contextmanager
def hangup_ignored() -> Iterator[None]:
    """Have processes that are started in here ignore that their terminal is lost.

    In other threads than the main one nothing changes: they cannot.
    """
    if not hasattr(signal, "SIGHUP") or threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, handler)
