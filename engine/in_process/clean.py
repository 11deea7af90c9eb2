"""`clean`: the cleaned signal of an array, a table or a recording, as the same kind of thing."""

from dataclasses import dataclass
from typing import Literal, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from engine.in_process.arrays import Settings, clean_rows
from engine.in_process.containers import Axis, take
from engine.in_process.denoiser import scale_of
from engine.marks import Mark
from models.registry import DEFAULT_NETWORK

Signal = TypeVar("Signal")


@dataclass(frozen=True, eq=False)
class Verdict:
    """What became of each sample, and why.

    Parameters
    ----------
    marks, reasons
        uint8, a `Mark` and a `Reason` for each sample. Of the shape of an array that was cleaned; of a table
        (samples, columns); of an `mne.io.Raw` (channels that were cleaned, samples).
    """

    marks: NDArray[np.uint8]
    reasons: NDArray[np.uint8]

    @property
    def shares(self) -> dict[str, float]:
        """Share of the samples that have each mark, by its name in lower case; 0 to 1."""
        return {mark.name.lower(): float((self.marks == mark).mean()) for mark in Mark}


@overload
def clean(
    x: Signal,
    fs: float | None = ...,
    *,
    axis: Axis | None = ...,
    unit: str | None = ...,
    model: str = ...,
    lookahead_ms: float | None = ...,
    causal: bool = ...,
    verdict: Literal[False] = ...,
) -> Signal: ...


@overload
def clean(
    x: Signal,
    fs: float | None = ...,
    *,
    axis: Axis | None = ...,
    unit: str | None = ...,
    model: str = ...,
    lookahead_ms: float | None = ...,
    causal: bool = ...,
    verdict: Literal[True],
) -> tuple[Signal, Verdict]: ...


def clean(
    x: Signal,
    fs: float | None = None,
    *,
    axis: Axis | None = None,
    unit: str | None = None,
    model: str = DEFAULT_NETWORK,
    lookahead_ms: float | None = None,
    causal: bool = False,
    verdict: bool = False,
) -> Signal | tuple[Signal, Verdict]:
    """Clean an ECG that is there already; what comes back has the same kind, rate and length.

    The stages are those of a live run: resampling to the rate of the network, the network, the guard, and
    resampling back with all delays compensated. Where the guard does not believe the network, the raw
    signal is passed on. Missing samples (NaN, infinity) become NaN, and so do, where `fs` is not the rate of
    the network, those within a few hundredths of a second of one.

    Nothing is printed and no process is started. It may be called from several threads at once.

    Parameters
    ----------
    x
        Any of: numpy array or list of numbers, (samples,) or of two axes; `pandas.Series`;
        `pandas.DataFrame`, a column for each lead; `xarray.DataArray` of one or two dimensions;
        `mne.io.Raw`, whose channels of type ECG are cleaned. It is not changed.
    fs
        Rate, Hz; 100 and more. An `mne.io.Raw` knows its own.
    axis
        Along which samples follow each other: a number for numpy, the name of a dimension for xarray
        (``"time"`` where there is one of that name). It must be stated for two axes: nothing is guessed.
    unit
        V, mV, uV or nV. None is what `x` states (MNE: V; xarray: its ``units``), else mV.
    model
        Network or classical system, by name (``ecg-stream models``).
    lookahead_ms
        Signal after a sample that the network may use, ms; None is the best that it can do.
    causal
        Give what a live run gives: by the network's own look-ahead, unless one is stated.
    verdict
        Give a `Verdict` too, as the second of two.

    Returns
    -------
    The cleaned signal in the unit of `x`; float32 where `x` is, else float64.

    Raises
    ------
    InputError
        If something cannot be used, or a lead moves as no ECG in its unit does; the message says what was
        given, what is allowed, and what to do.

    Examples
    --------
    >>> import numpy as np
    >>> ecg = np.zeros((2, 2500))
    >>> cleaned = clean(ecg, 250, axis=1)
    >>> cleaned, verdict = clean(ecg[0], 250, unit="uV", verdict=True)
    """
    held = take(x, fs, axis, unit)
    whole = clean_rows(held.rows, held.fs, scale_of(held.unit), Settings(model, lookahead_ms, causal))
    cleaned: Signal = held.put(whole.data)
    if not verdict:
        return cleaned
    return cleaned, Verdict(held.turn(whole.marks), held.turn(whole.reasons))
