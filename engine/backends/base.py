"""What a runtime must offer, and the check that it is given what it expects."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Batch = NDArray[np.float32]
"""Windows in mV, shape (rows, leads, window)."""


class Backend(Protocol):
    """One network, loaded into one runtime."""

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

    def infer(self, batch: Batch) -> Batch:
        """Clean windows; the result is new memory of the same shape, or valid until the next call."""
        ...

    def close(self) -> None:
        """Give back what the runtime holds."""
        ...


def check_batch(batch: Batch, leads: int, window: int) -> None:
    """Raise `ValueError` unless a batch is contiguous float32 of shape (rows, leads, window)."""
    if batch.ndim != 3 or batch.shape[1:] != (leads, window):
        raise ValueError(f"batch must have shape (rows, {leads}, {window}), got {batch.shape}")
    if batch.dtype != np.float32 or not batch.flags.c_contiguous:
        raise ValueError(f"batch must be contiguous float32, got {batch.dtype}")
