"""Runtimes as the stages call them: by windows or by steps, with everything checked that goes in."""

import numpy as np
from numpy.typing import NDArray

from engine.backends.base import Batch, Inputs, Runtime, State
from engine.backends.places import Places, Rows
from engine.backends.ports import Spec, steps_of
from models.spec import StepSpec


class _Adapter:
    """What both have in common.

    Parameters
    ----------
    runtime
        What runs the network; closed with the adapter, once.
    spec
        The network, or the classical system.
    """

    def __init__(self, runtime: Runtime, spec: Spec) -> None:
        self.runtime, self.leads = runtime, spec.leads
        self._closed = False

    @property
    def name(self) -> str:
        """What ``--backend`` calls it."""
        return self.runtime.name

    @property
    def transfers_ns(self) -> tuple[int, int]:
        """How long the last call copied to the device and back."""
        return self.runtime.transfers_ns

    @property
    def fixed_rows(self) -> tuple[int, ...]:
        """Numbers of rows that it is fastest with."""
        return self.runtime.fixed_rows

    def close(self) -> None:
        """Give back what the runtime holds; more than once does no harm."""
        if not self._closed:
            self._closed = True
            self.runtime.close()


class Windows(_Adapter):
    """A system that answers windows; `engine.backends.base.Backend`."""

    def __init__(self, runtime: Runtime, spec: Spec) -> None:
        super().__init__(runtime, spec)
        self._window = spec.window

    def infer(self, batch: Batch) -> Batch:
        """Clean windows (rows, leads, window) mV; the result is new memory."""
        check_batch(batch, self.leads, self._window)
        (cleaned,) = self.runtime.run({"noisy": batch})
        return cleaned


class Steps(_Adapter):
    """A stateful network; `engine.backends.base.StepBackend`."""

    def __init__(self, runtime: Runtime, spec: Spec, steps: StepSpec) -> None:
        super().__init__(runtime, spec)
        self.steps = steps

    def step(self, samples: Batch, state: State, lookahead: int) -> tuple[Batch, State]:
        """Take samples (rows, 1, samples) mV with their state; answer and state are new memory."""
        check_step(samples, state, lookahead, self.steps)
        inputs: Inputs = {"noisy": samples, "state": state, "lookahead": np.array(lookahead, np.int64)}
        answer, after = self.runtime.run(inputs)
        return answer, after

    @property
    def places(self) -> Places | None:
        """Where states may stay on the device."""
        return self.runtime.places

    def step_placed(
        self, samples: Batch, places: Rows, begin: Batch, lookahead: int
    ) -> tuple[Batch, NDArray[np.float32]]:
        """Take samples (rows, 1, samples) mV with the states in these places; `PlacedBackend`."""
        check_samples(samples, lookahead, self.steps)
        check_places(len(samples), places, begin)
        inputs: Inputs = {
            "noisy": samples,
            "places": places,
            "begin": begin,
            "lookahead": np.array(lookahead, np.int64),
        }
        answer, told = self.runtime.run(inputs)
        return answer, told

    def read(self, places: Rows) -> State:
        """A copy of the states in these places, (rows, numbers)."""
        return self.runtime.read(places)

    def write(self, places: Rows, state: State) -> None:
        """Put states (rows, numbers) into these places."""
        check_state(len(places), state, self.steps)
        self.runtime.write(places, state)


def adapt(runtime: Runtime, spec: Spec) -> Windows | Steps:
    """The adapter that a system needs."""
    steps = steps_of(spec)
    return Windows(runtime, spec) if steps is None else Steps(runtime, spec, steps)


def check_step(samples: Batch, state: State, lookahead: int, steps: StepSpec) -> None:
    """Raise `ValueError` unless a step is one that the network can take."""
    check_samples(samples, lookahead, steps)
    check_state(len(samples), state, steps)


def check_samples(samples: Batch, lookahead: int, steps: StepSpec) -> None:
    """Raise `ValueError` unless a network can take these samples as one step, with this look-ahead."""
    _, leads, count = samples.shape if samples.ndim == 3 else (0, 0, 0)
    if leads != 1 or count % steps.multiple or not 0 < count <= steps.longest:
        raise ValueError(
            f"samples must have shape (rows, 1, a multiple of {steps.multiple} up to {steps.longest}), "
            f"got {samples.shape}"
        )
    if not 0 <= lookahead <= steps.lookahead:
        raise ValueError(f"look-ahead must be 0 to {steps.lookahead} samples, got {lookahead}")
    _check_memory("samples", samples)


def check_state(rows: int, state: State, steps: StepSpec) -> None:
    """Raise `ValueError` unless these are the states of so many rows."""
    if state.shape != (rows, steps.state):
        raise ValueError(f"state must have shape {(rows, steps.state)}, got {state.shape}")
    _check_memory("state", state)


def check_places(rows: int, places: Rows, begin: Batch) -> None:
    """Raise `ValueError` unless there is a place for each of so many rows, and word of how it begins."""
    if places.shape != (rows,) or places.dtype != np.int64:
        raise ValueError(f"places must be int64 of shape {(rows,)}, got {places.dtype} of {places.shape}")
    if begin.shape != (rows, 2):
        raise ValueError(f"begin must have shape {(rows, 2)}, got {begin.shape}")


def _check_memory(what: str, array: Batch) -> None:
    if array.dtype != np.float32 or not array.flags.c_contiguous:
        raise ValueError(f"{what} must be contiguous float32, got {array.dtype}")


def check_batch(batch: Batch, leads: int, window: int) -> None:
    """Raise `ValueError` unless a batch is contiguous float32 of shape (rows, leads, window)."""
    if batch.ndim != 3 or batch.shape[1:] != (leads, window):
        raise ValueError(f"batch must have shape (rows, {leads}, {window}), got {batch.shape}")
    if batch.dtype != np.float32 or not batch.flags.c_contiguous:
        raise ValueError(f"batch must be contiguous float32, got {batch.dtype}")
