"""A backend whose failure does not end the run: the next one takes over, or raw is passed."""

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Generic, TypeVar, cast

import numpy as np

from engine.backends.base import AnyBackend, Backend, Batch, State, StepBackend, keeps_state
from models.spec import StepSpec

B = TypeVar("B", bound=AnyBackend)
T = TypeVar("T")

HANG_S = 2.0
"""A call to a device that takes longer than this never ends."""

log = logging.getLogger(__name__)


class Reliable(Generic[B]):
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

    def __init__(self, backend: B, substitutes: Sequence[Callable[[], B]] = ()) -> None:
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

    def _attempt(self, call: Callable[[B], T], failed: Callable[[], T]) -> T:
        """What a call of the backend returns; what stands for it where that fails."""
        if self.broken:
            return failed()
        try:
            if getattr(self._backend, "may_hang", False):
                return _watched(partial(call, self._backend))
            return call(self._backend)
        except Exception as error:  # noqa: BLE001 - runtimes raise what they like, and samples must not be lost
            self._fail(f"{type(error).__name__}: {error}")
        return failed()

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


class ReliableBackend(Reliable[Backend]):
    """For networks that answer windows."""

    def infer(self, batch: Batch) -> Batch:
        """Clean windows; NaN where the runtime fails."""
        return self._attempt(lambda backend: backend.infer(batch), lambda: np.full_like(batch, np.nan))


class ReliableSteps(Reliable[StepBackend]):
    """For networks that keep state; after a failure the state begins anew."""

    @property
    def steps(self) -> StepSpec:
        """Of the network."""
        return self._backend.steps

    def step(self, samples: Batch, state: State, lookahead: int) -> tuple[Batch, State]:
        """Take a step; NaN where the runtime fails."""
        rows, _, count = samples.shape
        return self._attempt(
            lambda backend: backend.step(samples, state, lookahead),
            lambda: (np.full((rows, 2, count), np.nan, np.float32), np.full_like(state, np.nan)),
        )


def _watched(call: Callable[[], T]) -> T:
    """Make a call on a thread of its own, and leave it behind where it hangs."""
    answer: Future[T] = Future()

    def make() -> None:
        try:
            answer.set_result(call())
        except Exception as error:  # noqa: BLE001 - handed over to the thread that asked
            answer.set_exception(error)

    threading.Thread(target=make, name="device call", daemon=True).start()
    return answer.result(HANG_S)


def reliable(backend: AnyBackend, substitutes: Sequence[Callable[[], AnyBackend]] = ()) -> AnyBackend:
    """Make a backend reliable; all of them run the same network."""
    if keeps_state(backend):
        return ReliableSteps(backend, cast(Sequence[Callable[[], StepBackend]], substitutes))
    return ReliableBackend(backend, cast(Sequence[Callable[[], Backend]], substitutes))
