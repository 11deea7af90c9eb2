"""`Denoiser`: a stream of samples in, the cleaned stream out, as they come."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.in_process.stages import Part, Stages, System, open_system
from models.registry import DEFAULT_NETWORK
from streamer.errors import InputError
from streamer.units import millivolts_of

_NO_VOLTAGE_MV = 1e15
"""The square of what is beyond may not fit in single precision."""


@dataclass(frozen=True, eq=False)
class Cleaned:
    """Consecutive cleaned samples, of all leads.

    Parameters
    ----------
    start
        Index of the first of them, counted from the first sample that was pushed.
    data
        float32 (leads, samples) in the unit of what was pushed; NaN where a sample was missing.
    marks, reasons
        uint8 (leads, samples): what became of each sample (`Mark`), and why (`Reason`).
    """

    start: int
    data: NDArray[np.float32]
    marks: NDArray[np.uint8]
    reasons: NDArray[np.uint8]

    @property
    def stop(self) -> int:
        """Index of the first sample after these."""
        stop: int = self.start + self.data.shape[1]
        return stop


class Denoiser:
    """Cleans one stream of ECG as it comes, with a small, known delay.

    Everything happens in the calling thread: no process and no thread is started, and nothing is printed.
    The same samples give the same answers, in whatever pieces they are pushed. One Denoiser serves one
    thread at a time; for several streams make one each.

    Parameters
    ----------
    fs
        Rate of the samples, Hz; 100 and more. What comes out has the same rate.
    leads
        Number of leads.
    lookahead_ms
        Signal after a sample that is waited for, ms; None is the network's own.
    hop_ms
        Signal between two inferences, ms.
    model
        Network or classical system, by name (``ecg-stream models``).
    unit
        Of what is pushed, and of what comes out: V, mV, uV, nV.

    Attributes
    ----------
    delay_s
        How much later than it is pushed a sample leaves, at most, s: look-ahead + hop + the delays of
        resampling to the rate of the network and back.

    Raises
    ------
    InputError
        If something of that cannot be had.

    Examples
    --------
    >>> import numpy as np
    >>> denoiser = Denoiser(fs=250, leads=2, lookahead_ms=100)
    >>> for chunk in np.zeros((10, 2, 25)):
    ...     cleaned = denoiser.push(chunk)
    >>> cleaned = denoiser.flush()
    """

    def __init__(
        self,
        fs: float,
        leads: int = 1,
        *,
        lookahead_ms: float | None = None,
        hop_ms: float = 40.0,
        model: str = DEFAULT_NETWORK,
        unit: str = "mV",
    ) -> None:
        if not (isinstance(leads, int) and leads >= 1):
            raise InputError(f"leads is {leads!r}; allowed: their number, 1 and more")
        self._fs, self._leads = fs, leads
        self._millivolts = scale_of(unit)
        self._system = self._open(model, lookahead_ms, hop_ms)
        self._busy = threading.Lock()
        self._begin()
        self.delay_s = self._stages.delay_s
        self._given = 0

    def _open(self, model: str, lookahead_ms: float | None, hop_ms: float) -> System:
        return open_system(model, lookahead_ms, hop_ms, waits=True)

    def _begin(self) -> None:
        self._stages = Stages(self._fs, self._leads, self._system)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._busy.acquire(blocking=False):
            raise RuntimeError("a Denoiser serves one thread at a time; make one for each stream")
        try:
            yield
        finally:
            self._busy.release()

    def push(self, chunk: ArrayLike) -> Cleaned:
        """Take the samples that follow; give those that can leave by now, often none.

        Parameters
        ----------
        chunk
            (leads, samples), or (samples,) of a single lead. NaN and infinity are missing samples.

        Raises
        ------
        InputError
            If its shape is another one, or it holds no real numbers. Nothing of it was taken then.
        RuntimeError
            If another thread is in this Denoiser, or an error ended it before (`reset` helps).
        """
        samples = real_numbers(chunk)
        if samples.ndim == 1 and self._leads == 1:
            samples = samples[None]
        if samples.ndim != 2 or len(samples) != self._leads:
            raise InputError(f"a chunk has shape {samples.shape}; allowed: ({self._leads}, samples)")
        with self._alone():
            return self._left(self._stages.push(in_millivolts(samples, self._millivolts)))

    def flush(self) -> Cleaned:
        """Give every sample that still waits, with the last value standing in for what never came.

        What is pushed next begins a new segment: call it where the signal was interrupted, and at the end.
        """
        with self._alone():
            left = self._left(self._stages.end())
            self._begin()
            return left

    def reset(self) -> None:
        """Forget everything; the next sample that is pushed has index 0."""
        with self._alone():
            self._begin()
            self._given = 0

    def _left(self, part: Part) -> Cleaned:
        start, self._given = self._given, self._given + part.data.shape[1]
        data = part.data if self._millivolts == 1 else part.data / np.float32(self._millivolts)
        return Cleaned(start, data, part.marks, part.reasons)


def scale_of(unit: str) -> float:
    """How many mV one of a unit is; raises InputError where it is no voltage."""
    millivolts = millivolts_of(unit)
    if millivolts is None:
        raise InputError(f"unit {unit!r} is no voltage; allowed: V, mV, uV, nV")
    return millivolts


def real_numbers(values: ArrayLike) -> NDArray[Any]:
    """Values as an array of integers or floats; raises InputError where they are no such."""
    array = np.asarray(values)
    if array.dtype.kind not in "iuf":
        raise InputError(f"samples are {array.dtype}; allowed: integers or floating-point numbers")
    return array


def in_millivolts(samples: NDArray[Any], millivolts: float) -> NDArray[np.float32]:
    """Samples in mV, float32, as the engine takes them: NaN for what lies beyond `_NO_VOLTAGE_MV`."""
    scaled = samples if millivolts == 1 else np.multiply(samples, millivolts, dtype=np.float64)
    apart = np.abs(scaled)
    # Written so that NaN is no voltage either.
    if not np.maximum.reduce(apart, axis=None, initial=0) < _NO_VOLTAGE_MV:
        scaled = np.where(apart < _NO_VOLTAGE_MV, scaled, np.nan)
    return scaled.astype(np.float32, copy=False)
