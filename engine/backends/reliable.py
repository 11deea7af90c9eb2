"""A runtime whose failure does not end the run: the next one takes over, or none."""

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TypeVar

import numpy as np

from engine.backends.adapters import Steps, Windows
from engine.backends.base import AnyBackend, Inputs, Outputs, Runtime, State
from engine.backends.places import Rows
from engine.backends.ports import Ports, Spec, steps_of

HANG_S = 2.0
"""A call to a device that takes longer than this never returns."""

T = TypeVar("T")

log = logging.getLogger(__name__)


class Reliable(Runtime):
    """Calls one runtime; when that fails, the next of its substitutes, and in the end none.

    A call that fails returns NaN, which the guard turns into the raw signal; a stateful network
    then begins anew, as it does where its states lay on a device that failed. A call that hangs
    cannot be ended from outside: that of a runtime which `may_hang` is made on a thread of its own,
    and given up after `HANG_S`.

    Parameters
    ----------
    runtime
        The first one.
    spec
        The system that all of them run.
    substitutes
        Open the next ones, in order: those that ``auto`` would have taken. Empty where the user
        named a backend: nothing else is taken in its place.

    Attributes
    ----------
    failures
        What went wrong, a sentence for each runtime that failed.
    broken
        The last one has failed: from now on everything is NaN.
    """

    def __init__(
        self, runtime: Runtime, spec: Spec, substitutes: Sequence[Callable[[], Runtime]] = ()
    ) -> None:
        self._use(runtime)
        self._spec = spec
        self._substitutes = list(substitutes)
        self.failures: list[str] = []
        self.broken = False

    def _use(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.name, self.fixed_rows, self.places = runtime.name, runtime.fixed_rows, runtime.places

    def run(self, inputs: Inputs) -> Outputs:
        """Run the network; NaN where that fails, or where the states are gone with another runtime."""
        placed = "places" in inputs
        runtime = self._runtime
        outputs = None if placed and self.places is None else self._try(lambda: runtime.run(inputs))
        if outputs is not None:
            self.transfers_ns = runtime.transfers_ns
            return outputs
        rows, _, samples = inputs["noisy"].shape
        ports = Ports.placed if placed else Ports.of
        shapes = ports(self._spec, rows, samples).outputs.values()
        return [np.full(shape, np.nan, np.float32) for shape in shapes]

    def read(self, places: Rows) -> State:
        """A copy of the states in these places; NaN where that fails."""
        runtime = self._runtime
        state = self._try(lambda: runtime.read(places))
        if state is None:
            steps = steps_of(self._spec)
            return np.full((len(places), steps.state if steps else 0), np.nan, np.float32)
        return state

    def write(self, places: Rows, state: State) -> None:
        """Put states into these places, as far as nothing fails: the next step then says so."""
        runtime = self._runtime
        self._try(lambda: runtime.write(places, state))

    def _try(self, call: Callable[[], T]) -> T | None:
        """What a call of the runtime gives; None where it fails, and the next runtime takes over."""
        if self.broken:
            return None
        try:
            return _watched(call) if self._runtime.may_hang else call()
        except Exception as error:  # noqa: BLE001 - runtimes raise what they like, and samples must not be lost
            self._fail(f"{type(error).__name__}: {error}")
        return None

    def _fail(self, reason: str) -> None:
        self.places = None
        self.failures.append(f"{self.name} failed: {reason.splitlines()[0]}")
        log.error("backend %s", self.failures[-1])
        while self._substitutes:
            try:
                self._use(self._substitutes.pop(0)())
            except Exception as error:  # noqa: BLE001 - the next one may still work
                self.failures.append(f"no substitute: {error}")
                continue
            log.warning("going on with backend %s", self.name)
            return
        self.broken = True

    def close(self) -> None:
        """Give back what the runtime holds, unless one has failed: what failed may hang."""
        if not self.failures:
            self._runtime.close()


def find_reliable(backend: AnyBackend) -> Reliable | None:
    """What watches a backend's runtime; None where nothing does."""
    runtime = backend.runtime if isinstance(backend, Windows | Steps) else None
    return runtime if isinstance(runtime, Reliable) else None


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
