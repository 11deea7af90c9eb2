"""Keep a GPU awake between calls that come far apart.

A GPU that has nothing to do for some milliseconds lowers its clocks; users report calls of 1–2 ms
that take 18–92 ms after a pause. One hop every 40 ms leaves it idle nearly all of the time, so a
thread runs the network on zeros in between.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from engine.backends.base import Inputs, Outputs, Runtime, State
from engine.backends.gpu.shapes import fixed_samples
from engine.backends.places import Rows
from engine.backends.ports import Ports, Spec, zeros

INTERVAL_S = 0.015
"""Longest that the GPU is idle. With a hop of 40 ms the idle calls lie 15 and 30 ms after each real
one, and none of them meets the next."""


class Heartbeat(Runtime):
    """Passes calls on to a runtime, and makes one of its own whenever that was idle for `interval_s`.

    A lock keeps them apart: a real call waits for one idle call at most, an idle call never waits.
    The results of idle calls are thrown away, and `transfers_ns` is that of the last real call. An
    idle call that fails is the last one; the next real call then raises its error.

    Parameters
    ----------
    runtime
        What runs on the GPU.
    idle
        Inputs of the idle calls.
    interval_s
        How long the runtime may be idle.
    clock, wait
        Seconds now, and what waits for seconds unless it is stopped; for tests. ``wait`` returns
        whether to stop.

    Attributes
    ----------
    beats
        Idle calls so far.
    """

    may_hang = True

    def __init__(
        self,
        runtime: Runtime,
        idle: Inputs,
        interval_s: float = INTERVAL_S,
        clock: Callable[[], float] = time.perf_counter,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        self._runtime, self._idle, self._interval_s, self._clock = runtime, idle, interval_s, clock
        self.name, self.fixed_rows, self.places = runtime.name, runtime.fixed_rows, runtime.places
        self.beats = 0
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._wait = wait or self._stopped.wait
        self._used = clock()
        self._failure: RuntimeError | None = None
        self._thread = threading.Thread(target=self._keep_awake, name="GPU heartbeat", daemon=True)
        self._thread.start()

    def run(self, inputs: Inputs) -> Outputs:
        """Run the network between two idle calls."""
        with self._between_beats():
            outputs = self._runtime.run(inputs)
            self.transfers_ns = self._runtime.transfers_ns
        return outputs

    def read(self, places: Rows) -> State:
        """Copy states between two idle calls."""
        with self._between_beats():
            return self._runtime.read(places)

    def write(self, places: Rows, state: State) -> None:
        """Put states between two idle calls."""
        with self._between_beats():
            self._runtime.write(places, state)

    @contextmanager
    def _between_beats(self) -> Iterator[None]:
        with self._lock:
            if self._failure:
                raise RuntimeError(f"the GPU failed between two calls: {self._failure}") from self._failure
            yield
            self._used = self._clock()

    def close(self) -> None:
        """Stop the thread, then close the runtime."""
        self._stopped.set()
        self._thread.join()
        self._runtime.close()

    def _keep_awake(self) -> None:
        due = self._interval_s
        while not self._wait(due):
            due = self._used + self._interval_s - self._clock()
            if due > 0:
                continue
            due = self._interval_s
            # A real call that is running keeps the GPU awake as well.
            if self._lock.acquire(blocking=False):
                try:
                    self._runtime.run(self._idle)
                    self._used = self._clock()
                    self.beats += 1
                except RuntimeError as error:
                    self._failure = error
                    return
                finally:
                    self._lock.release()


def silence(spec: Spec, *, placed: bool = False) -> Inputs:
    """The smallest call of a network, all zeros; `placed` where states stay on the device.

    Its place is then the first, which is spare.
    """
    of = Ports.placed if placed else Ports.of
    return zeros(of(spec, 1, fixed_samples(spec)[0]).inputs)
