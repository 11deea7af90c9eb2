"""What holds a signal, by kind: its leads as rows, and how cleaned rows become the same kind again.

No library is imported for it: who has one of its objects has imported it.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.in_process.denoiser import real_numbers
from streamer.errors import InputError

Axis = int | str
"""Number of an axis, or name of a dimension."""
Rows = NDArray[Any]
"""(leads, samples)."""


@dataclass(frozen=True, eq=False)
class Held:
    """A signal out of its container.

    Parameters
    ----------
    rows
        (leads, samples) in `unit`.
    fs
        Rate, Hz.
    put
        Makes a new container out of cleaned rows.
    turn
        Lays rows out as the container does.
    """

    rows: Rows
    fs: float
    unit: str
    put: Callable[[Rows], Any]
    turn: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


def take(x: Any, fs: float | None, axis: Axis | None, unit: str | None) -> Held:
    """Take a signal out of an array, table or recording; see `engine.in_process.clean.clean`."""
    if _is(x, "mne.io", "BaseRaw"):
        return _of_mne(x, fs, axis, unit)
    if fs is None:
        raise InputError(f"fs is not stated; give the rate of this {type(x).__name__} in Hz")
    if isinstance(fs, bool) or not isinstance(fs, int | float | np.integer | np.floating):
        raise InputError(f"fs is {fs!r}; give the rate in Hz")
    rate = float(fs)
    if _is(x, "pandas", "DataFrame"):
        return _of_frame(x, rate, axis, unit)
    if _is(x, "pandas", "Series"):
        values = real_numbers(x.to_numpy())
        if axis not in (None, 0):
            raise InputError(f"axis is {axis!r}; a Series has none but 0")
        return Held(
            values[None],
            rate,
            unit or "mV",
            lambda rows: x.__class__(rows[0], index=x.index, name=x.name),
            lambda rows: rows[0],
        )
    if _is(x, "xarray", "DataArray"):
        return _of_xarray(x, rate, axis, unit)
    return _of_array(real_numbers(x), rate, axis, unit)


def _is(x: Any, module: str, name: str) -> bool:
    """Whether something is of a class of a library that may not be there."""
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(x, kind)


def _of_array(values: Rows, fs: float, axis: Axis | None, unit: str | None) -> Held:
    turn = _turner(values.shape, axis)
    return Held(turn(values), fs, unit or "mV", turn, turn)


def _turner(shape: tuple[int, ...], axis: Axis | None) -> Callable[[Any], Any]:
    """What makes rows of values of this shape, and the same values of rows."""
    if len(shape) == 1 and axis in (None, 0, -1):
        return lambda values: values[None] if values.ndim == 1 else values[0]
    if len(shape) == 2 and axis in (1, -1):
        return lambda values: values
    if len(shape) == 2 and axis in (0, -2):
        return lambda values: values.T
    allowed = "0 and 1: along which of them do samples follow each other?" if len(shape) == 2 else "0"
    if len(shape) in (1, 2):
        raise InputError(f"axis is {axis!r} for a signal of shape {shape}; allowed: {allowed}")
    raise InputError(f"a signal has shape {shape}; allowed: (samples,), or two axes, one of them of leads")


def _of_frame(x: Any, fs: float, axis: Axis | None, unit: str | None) -> Held:
    if axis not in (None, 0, "index"):
        raise InputError(f"axis is {axis!r}; samples of a DataFrame follow each other by rows (axis 0)")
    for name, column in x.items():
        if column.dtype.kind not in "iuf":
            raise InputError(f"column {name!r} is {column.dtype}; leave out what is no lead: x[['II', 'V5']]")

    def put(rows: Rows) -> Any:
        return x.__class__(rows.T, index=x.index, columns=x.columns)

    return Held(x.to_numpy().T, fs, unit or "mV", put, lambda rows: rows.T)


def _of_xarray(x: Any, fs: float, axis: Axis | None, unit: str | None) -> Held:
    dimension = axis
    if axis is None:
        dimension = "time" if "time" in x.dims else x.dims[0] if x.ndim == 1 else None
    if isinstance(dimension, str):
        if dimension not in x.dims:
            raise InputError(f"axis is {dimension!r}; allowed: {', '.join(map(str, x.dims))}")
        dimension = x.dims.index(dimension)
    turn = _turner(x.shape, dimension)
    return Held(
        turn(real_numbers(x.values)),
        fs,
        unit or str(x.attrs.get("units", "mV")),
        lambda rows: x.copy(data=turn(rows)),
        turn,
    )


def _of_mne(x: Any, fs: float | None, axis: Axis | None, unit: str | None) -> Held:
    rate = float(x.info["sfreq"])
    for name, stated, allowed in (
        ("fs", fs, (None, rate)),
        ("axis", axis, (None, 1, -1)),
        ("unit", unit, (None, "V")),
    ):
        if stated not in allowed:
            raise InputError(f"{name} is {stated!r}; leave it out: an mne.io.Raw knows its own")
    leads = [place for place, kind in enumerate(x.get_channel_types()) if kind == "ecg"]
    if not leads:
        raise InputError(
            "this mne.io.Raw has no channel of type ecg; say which: raw.set_channel_types({'ECG 1': 'ecg'})"
        )

    def put(rows: Rows) -> Any:
        cleaned = x.copy().load_data(verbose=False)
        return cleaned.apply_function(lambda before: rows, picks=leads, channel_wise=False, verbose=False)

    return Held(x.get_data(picks=leads, verbose=False), rate, "V", put, lambda rows: rows)
