"""Keep a GPU awake between calls that come far apart.

A GPU that has nothing to do for some milliseconds lowers its clocks and sleeps; users report calls
of 1–2 ms that take 18–92 ms after idling. One window every 40 ms leaves it idle for nearly all of
the time, so a thread cleans zeros in between.
"""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np

from engine.backends.base import AnyBackend, Backend, Batch, State, StepBackend

B = TypeVar("B", bound=AnyBackend)
T = TypeVar("T")

INTERVAL_S = 0.015
"""Longest that the GPU is idle. With a hop of 40 ms the beats lie 15 and 30 ms after each call, and
none of them meets the next one."""


class _Heart(Generic[B]):
    """A backend with a call of its own that is made whenever it was idle for `interval_s`.

    A lock keeps beats and calls apart, so a call waits for one beat at most; a beat never waits.
    The beat's output is thrown away, and `transfers_ns` is that of the last real call. A beat that
    fails ends the heart, and the next call raises what it failed of.

    Parameters
    ----------
    beat
        The call.
    interval_s
        How long the backend may be idle.
    clock, wait
        Seconds now, and what waits for seconds unless it is stopped; for tests. ``wait`` returns
        whether the heart shall stop.
    """

    may_hang = True
    """A device can keep a call for ever: `ReliableBackend` then leaves it behind."""

    def __init__(
        self,
        backend: B,
        beat: Callable[[], object],
        interval_s: float = INTERVAL_S,
        clock: Callable[[], float] = time.perf_counter,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        self._backend, self._beat, self._interval_s, self._clock = backend, beat, interval_s, clock
        self.name, self.leads, self.fixed_rows = backend.name, backend.leads, backend.fixed_rows
        self.transfers_ns = (0, 0)
        self.beats = 0
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._wait = wait or self._stopped.wait
        self._used = clock()
        self._failure: RuntimeError | None = None
        self._thread = threading.Thread(target=self._keep_beating, name="GPU heartbeat", daemon=True)
        self._thread.start()

    def _call(self, call: Callable[[B], T]) -> T:
        """Make a call of the backend between two beats."""
        with self._lock:
            if self._failure:
                raise RuntimeError(f"the GPU failed between two calls: {self._failure}") from self._failure
            result = call(self._backend)
            self.transfers_ns = self._backend.transfers_ns
            self._used = self._clock()
        return result

    def close(self) -> None:
        """Stop the heart, then close the backend."""
        self._stopped.set()
        self._thread.join()
        self._backend.close()

    def _keep_beating(self) -> None:
        due = self._interval_s
        while not self._wait(due):
            due = self._used + self._interval_s - self._clock()
            if due > 0:
                continue
            due = self._interval_s
            # A call that is running keeps the GPU awake as well.
            if self._lock.acquire(blocking=False):
                try:
                    self._beat()
                    self._used = self._clock()
                    self.beats += 1
                except RuntimeError as error:
                    self._failure = error
                    return
                finally:
                    self._lock.release()


class Heartbeat(_Heart[Backend]):
    """For networks that answer windows: it cleans a window of zeros.

    Parameters
    ----------
    leads, window
        Shape of the window to beat with.
    interval_s, clock, wait
        See `_Heart`.
    """

    def __init__(
        self,
        backend: Backend,
        leads: int,
        window: int,
        interval_s: float = INTERVAL_S,
        clock: Callable[[], float] = time.perf_counter,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        zeros = np.zeros((1, leads, window), np.float32)
        super().__init__(backend, lambda: backend.infer(zeros), interval_s, clock, wait)

    def infer(self, batch: Batch) -> Batch:
        """Clean windows; see the backend."""
        return self._call(lambda backend: backend.infer(batch))


class StepHeartbeat(_Heart[StepBackend]):
    """For networks that keep state: it takes the shortest step, from zeros, and forgets the state."""

    def __init__(
        self,
        backend: StepBackend,
        interval_s: float = INTERVAL_S,
        clock: Callable[[], float] = time.perf_counter,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        self.steps = steps = backend.steps
        zeros, state = np.zeros((1, 1, steps.multiple), np.float32), np.zeros((1, steps.state), np.float32)
        super().__init__(backend, lambda: backend.step(zeros, state, 0), interval_s, clock, wait)

    def step(self, samples: Batch, state: State, lookahead: int) -> tuple[Batch, State]:
        """Take a step; see the backend."""
        return self._call(lambda backend: backend.step(samples, state, lookahead))
