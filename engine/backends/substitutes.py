"""What takes a network's place where it cannot be had: a classical filter, or nothing at all."""

import numpy as np
from scipy import signal

from engine.backends.base import Batch
from models.classical import BAND_HZ


class FilterBackend:
    """0.5–40 Hz Butterworth, run forwards and backwards over each window: it needs no state.

    Parameters
    ----------
    fs
        Rate of the windows, Hz.
    """

    name = "filter"
    transfers_ns = (0, 0)
    fixed_rows: tuple[int, ...] = ()

    def __init__(self, fs: float) -> None:
        self._sos = signal.butter(2, BAND_HZ, "bandpass", fs=fs, output="sos")

    def infer(self, batch: Batch) -> Batch:
        """Filter windows (rows, leads, window), their mean taken off first."""
        centred = batch - batch.mean(axis=-1, keepdims=True)
        padding = min(batch.shape[-1] - 1, batch.shape[-1] // 2)
        filtered: Batch = signal.sosfiltfilt(self._sos, centred, axis=-1, padlen=padding).astype(np.float32)
        return filtered

    def close(self) -> None:
        """Nothing to give back."""


class RawBackend:
    """Returns its input."""

    name = "raw"
    transfers_ns = (0, 0)
    fixed_rows: tuple[int, ...] = ()

    def infer(self, batch: Batch) -> Batch:
        """The windows themselves."""
        return batch

    def close(self) -> None:
        """Nothing to give back."""
