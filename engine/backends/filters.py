"""Numpy: what runs the classical systems."""

from engine.backends.base import Batch, check_batch
from models.spec import ClassicalSpec


class FilterBackend:
    """Runs a classical system as it stands."""

    name = "numpy"
    transfers_ns = (0, 0)
    fixed_rows: tuple[int, ...] = ()

    def __init__(self, spec: ClassicalSpec) -> None:
        self._filter = spec.filter
        self.leads, self._window = spec.leads, spec.window

    def infer(self, batch: Batch) -> Batch:
        """Clean windows (rows, leads, window); the result is new memory."""
        check_batch(batch, self.leads, self._window)
        return self._filter(batch)

    def close(self) -> None:
        """Nothing is held."""
