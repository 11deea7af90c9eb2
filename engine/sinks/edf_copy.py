"""A recording as EDF+ or BDF+, written by edfio: what every reader of polysomnographies and Holters opens."""

import datetime as dt
import os
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from engine.sinks.events import ANNOTATION, NOTE, read_events, told
from engine.sinks.recorder import BEGUN, GAIN, SUBJECT
from engine.sinks.values import blocks_of
from streamer.errors import InputError, one_line

_BITS = {"edf": 16, "bdf": 24}
_LONGEST_RECORD_S = 10
_LABEL, _LONGEST_FIELD = 16, 60
_UNKNOWN = "X"


def copy_as_edf(path: Path, form: str) -> Path:
    """Copy a closed record into ``NAME.edf`` or ``NAME.bdf`` beside it, readable by its owner alone.

    BDF+ holds every value of the record. EDF+ has 16 bits: its steps are 1 µV as long as a lead stays within
    65 mV from peak to peak, and as much larger as they must be beyond. In both a missing sample is the lowest
    number, and annotations say where samples are missing, with all else that the record's events tell. The
    last second is filled up with missing samples.

    Parameters
    ----------
    path
        The record, without extension.
    form
        ``edf`` or ``bdf``.

    Raises
    ------
    InputError
        If its rate is none that EDF can state, or a copy is there already.
    """
    import edfio
    import wfdb

    header = wfdb.rdheader(str(path))
    fs, names = Fraction(float(header.fs)).limit_denominator(1000), list(header.sig_name)
    if fs.denominator > _LONGEST_RECORD_S or abs(float(fs) - header.fs) > 1e-9 * header.fs:
        raise InputError(f"{form.upper()} has data records of whole seconds, and no rate of {header.fs:g} Hz")
    in_record = fs.numerator
    frames = int(header.sig_len)
    padded = -(-frames // in_record) * in_record
    bits = _BITS[form]
    limits = _limits(path, len(names), bits)
    digital = np.full((len(names), padded), -(1 << (bits - 1)), np.int16 if form == "edf" else np.int32)
    at = 0
    for block in blocks_of(path, len(names)):
        for row, (middle, step) in enumerate(limits):
            there = np.isfinite(block[:, row])
            steps = np.round((block[there, row].astype(np.float64) - middle) / step)
            digital[row, at : at + len(block)][there] = steps
        at += len(block)
    kind: Any = edfio.EdfSignal if form == "edf" else edfio.BdfSignal
    lowest, highest = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    microvolts = 1000.0 / GAIN
    signals = [
        kind.from_digital(
            row,
            float(fs),
            label=_label(name),
            physical_dimension="uV",
            physical_range=tuple((middle + end * step) * microvolts for end in (lowest, highest)),
            digital_range=(lowest, highest),
        )
        for row, name, (middle, step) in zip(digital, names, limits, strict=True)
    ]
    begun = _begun(header.comments)
    file: Any = (edfio.Edf if form == "edf" else edfio.Bdf)(
        signals,
        patient=edfio.Patient(name=_field(_said(header.comments, SUBJECT))),
        recording=edfio.Recording(startdate=begun.date(), equipment_code="ecg-stream"),
        starttime=begun.time(),
        data_record_duration=fs.denominator,
        annotations=[edfio.EdfAnnotation(*each) for each in _annotations(path, float(fs), frames, padded)],
    )
    return _write(file, path.with_name(f"{path.name}.{form}"))


def _limits(path: Path, signals: int, bits: int) -> list[tuple[float, float]]:
    """For each signal its middle, and how many steps of the record are one of the copy."""
    if bits == 24:
        return [(0.0, 1.0)] * signals
    low, high = np.full(signals, np.inf), np.full(signals, -np.inf)
    for block in blocks_of(path, signals):
        low = np.fmin(low, np.fmin.reduce(block, axis=0))
        high = np.fmax(high, np.fmax.reduce(block, axis=0))
    there = np.isfinite(low)
    low, high = np.where(there, low, 0), np.where(there, high, 0)
    steps = np.maximum(1, np.ceil((high - low) / ((1 << bits) - 4)))
    return list(zip(np.floor((low + high) / 2).tolist(), steps.tolist(), strict=True))


def _label(name: str) -> str:
    """A signal's name in 16 letters of ASCII, with what became of it at its end."""
    lead, _, kind = name.rpartition(" ")
    return _ascii(f"{lead[: _LABEL - len(kind) - 1]} {kind}").strip()


def _field(text: str) -> str:
    """A field of the header, as EDF+ has them: letters of ASCII without a space."""
    return _ascii("_".join(text.split()))[:_LONGEST_FIELD] or _UNKNOWN


def _ascii(text: str) -> str:
    return re.sub(r"[^ -~]", "?", text)


def _said(comments: list[str], what: str) -> str:
    return next((each.removeprefix(what) for each in comments if each.startswith(what)), "")


def _begun(comments: list[str]) -> dt.datetime:
    return dt.datetime.fromisoformat(_said(comments, BEGUN)).replace(tzinfo=None)


def _annotations(
    path: Path, fs: float, frames: int, padded: int
) -> Iterator[tuple[float, float | None, str]]:
    """Onset and duration, s, and text of what the events tell."""
    for event in read_events(path):
        at = event["sample"] / fs
        if event["event"] == ANNOTATION:
            symbol, text = event["symbol"], event["text"]
            yield at, None, text if symbol == NOTE else f"{symbol} {text}".strip()
        elif text := told(event):
            until = event.get("until")
            yield at, None if until is None else (until - event["sample"]) / fs, text
    if padded > frames:
        yield frames / fs, (padded - frames) / fs, "missing: the recording has ended"


def _write(file: Any, target: Path) -> Path:
    partial = target.with_name(f".{target.name}.partial")
    partial.unlink(missing_ok=True)
    if target.exists():
        raise InputError(f"{target} is there already and is not overwritten")
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
            file.write(opened)
        os.replace(partial, target)
    except ValueError as error:
        raise InputError(f"{target} cannot be written: {one_line(error)}") from error
    finally:
        partial.unlink(missing_ok=True)
    return target
