"""A backend whose failure does not end the run: the next one takes over, or raw is passed."""

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future

import numpy as np

from engine.backends.base import Backend, Batch

HANG_S = 2.0
"""A call to a device that takes longer than this never ends."""

log = logging.getLogger(__name__)


class ReliableBackend:
    """Calls one backend; when that fails, the next of its substitutes, and in the end none.

    A call that fails returns NaN, which the guard turns into raw. A call that hangs cannot be ended
    from outside: where a backend says ``may_hang``, as one on a device should, it is made on a thread
    of its own and left behind after `HANG_S`.

    Parameters
    ----------
    backend
        The first one.
    substitutes
        Open the next ones, in order: those that ``auto`` would have taken. Empty where the user
        named a backend: nothing else is taken in its place.

    Attributes
    ----------
    failures
        What went wrong, a sentence for each backend that failed.
    broken
        The last one has failed: from now on everything is NaN.
    """

    def __init__(self, backend: Backend, substitutes: Sequence[Callable[[], Backend]] = ()) -> None:
        self._backend = backend
        self._substitutes = list(substitutes)
        self.failures: list[str] = []
        self.broken = False

    @property
    def name(self) -> str:
        """Of the backend that runs now."""
        return self._backend.name

    @property
    def transfers_ns(self) -> tuple[int, int]:
        """Of the last call."""
        return self._backend.transfers_ns

    @property
    def leads(self) -> int:
        """Of the backend that runs now."""
        return self._backend.leads

    @property
    def fixed_rows(self) -> tuple[int, ...]:
        """Of the backend that runs now."""
        return self._backend.fixed_rows

    def infer(self, batch: Batch) -> Batch:
        """Clean windows; NaN where the runtime fails."""
        if self.broken:
            return np.full_like(batch, np.nan)
        try:
            if getattr(self._backend, "may_hang", False):
                return self._call(batch)
            return self._backend.infer(batch)
        except Exception as error:  # noqa: BLE001 - runtimes raise what they like, and samples must not be lost
            self._fail(f"{type(error).__name__}: {error}")
        return np.full_like(batch, np.nan)

    def _call(self, batch: Batch) -> Batch:
        answer: Future[Batch] = Future()
        backend = self._backend

        def call() -> None:
            try:
                answer.set_result(backend.infer(batch))
            except Exception as error:  # noqa: BLE001 - handed over to the thread that asked
                answer.set_exception(error)

        threading.Thread(target=call, name="device call", daemon=True).start()
        return answer.result(HANG_S)

    def _fail(self, reason: str) -> None:
        failed = self._backend.name
        self.failures.append(f"{failed} failed: {reason.splitlines()[0]}")
        log.error("backend %s", self.failures[-1])
        while self._substitutes:
            try:
                self._backend = self._substitutes.pop(0)()
            except Exception as error:  # noqa: BLE001 - the next one may still work
                self.failures.append(f"no substitute: {error}")
                continue
            log.warning("going on with backend %s", self._backend.name)
            return
        self.broken = True

    def close(self) -> None:
        """Give back what the runtime holds, unless it hangs."""
        if not self.failures:
            self._backend.close()


def reliable(backend: Backend, substitutes: Sequence[Callable[[], Backend]] = ()) -> Backend:
    """Make a backend reliable; one that keeps state is returned as it is."""
    return ReliableBackend(backend, substitutes) if hasattr(backend, "infer") else backend
