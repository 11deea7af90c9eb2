"""A runtime whose failure does not end the run: the next one takes over, or none."""

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial

import numpy as np

from engine.backends.adapters import Steps, Windows
from engine.backends.base import AnyBackend, Inputs, Outputs, Runtime
from engine.backends.ports import Ports, Spec

HANG_S = 2.0
"""A call to a device that takes longer than this never returns."""

log = logging.getLogger(__name__)


class Reliable(Runtime):
    """Calls one runtime; when that fails, the next of its substitutes, and in the end none.

    A call that fails returns NaN, which the guard turns into the raw signal; a stateful network
    then begins anew. A call that hangs cannot be ended from outside: that of a runtime which
    `may_hang` is made on a thread of its own, and given up after `HANG_S`.

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
        self.name, self.fixed_rows = runtime.name, runtime.fixed_rows

    def run(self, inputs: Inputs) -> Outputs:
        """Run the network; NaN where that fails."""
        if not self.broken:
            try:
                runtime = self._runtime
                outputs = _watched(partial(runtime.run, inputs)) if runtime.may_hang else runtime.run(inputs)
                self.transfers_ns = runtime.transfers_ns
                return outputs
            except Exception as error:  # noqa: BLE001 - runtimes raise what they like, and samples must not be lost
                self._fail(f"{type(error).__name__}: {error}")
        rows, _, samples = inputs["noisy"].shape
        shapes = Ports.of(self._spec, rows, samples).outputs.values()
        return [np.full(shape, np.nan, np.float32) for shape in shapes]

    def _fail(self, reason: str) -> None:
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


def _watched(call: Callable[[], Outputs]) -> Outputs:
    """Make a call on a thread of its own, and leave it behind where it hangs."""
    answer: Future[Outputs] = Future()

    def make() -> None:
        try:
            answer.set_result(call())
        except Exception as error:  # noqa: BLE001 - handed over to the thread that asked
            answer.set_exception(error)

    threading.Thread(target=make, name="device call", daemon=True).start()
    return answer.result(HANG_S)
