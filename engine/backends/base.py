"""What a runtime must offer, and the check that it is given what it expects."""

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from models.spec import StepSpec

if TYPE_CHECKING:
    from typing_extensions import TypeIs

Batch = NDArray[np.float32]
"""Windows in mV, shape (rows, leads, window)."""
State = NDArray[np.float32]
"""What rows carry from step to step, shape (rows, numbers)."""


class Runtime(Protocol):
    """One network, loaded into one runtime: what every backend says of itself."""

    @property
    def name(self) -> str:
        """The word for ``--backend``."""
        ...

    @property
    def leads(self) -> int:
        """Leads that the network takes together, as one row."""
        ...

    @property
    def transfers_ns(self) -> tuple[int, int]:
        """How long the last call copied to the device and back; (0, 0) where there is none."""
        ...

    @property
    def fixed_rows(self) -> tuple[int, ...]:
        """Sizes of batch that it runs, ascending; () where any size will do."""
        ...

    def close(self) -> None:
        """Give back what the runtime holds."""
        ...


class Backend(Runtime, Protocol):
    """A network that answers windows."""

    def infer(self, batch: Batch) -> Batch:
        """Clean windows; the result is new memory of the same shape, or valid until the next call."""
        ...


class StepBackend(Runtime, Protocol):
    """A network that keeps state; the state lives with the caller."""

    @property
    def steps(self) -> StepSpec:
        """How its steps are cut."""
        ...

    def step(self, samples: Batch, state: State, lookahead: int) -> tuple[Batch, State]:
        """Take samples (rows, 1, samples) mV with the state (rows, numbers) that came before them.

        Returns
        -------
        answer, state
            New memory, the answer (rows, 2, samples) mV: the samples of a look-ahead ago, cleaned,
            and their spread.
        """
        ...


AnyBackend = Backend | StepBackend


def keeps_state(backend: AnyBackend) -> "TypeIs[StepBackend]":
    """Whether a backend runs a network that keeps state."""
    return hasattr(backend, "step")


def check_step(samples: Batch, state: State, lookahead: int, steps: StepSpec) -> None:
    """Raise `ValueError` unless a step is one that the network can take."""
    rows, leads, count = samples.shape if samples.ndim == 3 else (0, 0, 0)
    if leads != 1 or count % steps.multiple or not 0 < count <= steps.longest:
        raise ValueError(
            f"samples must have shape (rows, 1, a multiple of {steps.multiple} up to {steps.longest}), "
            f"got {samples.shape}"
        )
    if state.shape != (rows, steps.state):
        raise ValueError(f"state must have shape {(rows, steps.state)}, got {state.shape}")
    if not 0 <= lookahead <= steps.lookahead:
        raise ValueError(f"look-ahead must be 0 to {steps.lookahead} samples, got {lookahead}")
    for what, array in (("samples", samples), ("state", state)):
        if array.dtype != np.float32 or not array.flags.c_contiguous:
            raise ValueError(f"{what} must be contiguous float32, got {array.dtype}")


def check_batch(batch: Batch, leads: int, window: int) -> None:
    """Raise `ValueError` unless a batch is contiguous float32 of shape (rows, leads, window)."""
    if batch.ndim != 3 or batch.shape[1:] != (leads, window):
        raise ValueError(f"batch must have shape (rows, {leads}, {window}), got {batch.shape}")
    if batch.dtype != np.float32 or not batch.flags.c_contiguous:
        raise ValueError(f"batch must be contiguous float32, got {batch.dtype}")
