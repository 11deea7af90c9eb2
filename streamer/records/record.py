"""Read a WFDB record whole, in mV, with its beats; and make the clean reference of a record."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamer.chunk import Annotation, Samples
from streamer.errors import InputError, one_line, some
from streamer.plain import plain
from streamer.records.header import check_header

REFERENCE_CUTOFF_HZ = 0.5
OWN_RECORDING = "cleaned by ecg-stream"
"""In the comment of a record that this program wrote: its leads are there as raw and as cleaned."""
_RAW = " raw"
_MILLIVOLTS = {"v": 1e3, "mv": 1.0, "uv": 1e-3, "nv": 1e-6}
# "µV" in Latin-1 and both of its spellings in UTF-8. wfdb drops what is not ASCII and reads volts.
_MICRO = re.compile(rb"[\xb5\xbc][Vv]")
# WFDB symbols that mark a QRS complex (the rest mark rhythm, noise, waves, comments).
BEAT_SYMBOLS = frozenset("NLRBAaJSVrFejnE/fQ?")


@dataclass(frozen=True)
class WfdbRecord:
    """A record in memory: `data` is float32 (leads, samples) in mV, NaN where samples are missing."""

    name: str
    fs: float
    leads: tuple[str, ...]
    data: Samples
    annotations: tuple[Annotation, ...]

    @property
    def beats(self) -> NDArray[np.int64]:
        """Sample index of each annotated beat."""
        return np.array(
            [mark.sample for mark in self.annotations if mark.symbol in BEAT_SYMBOLS],
            dtype=np.int64,
        )


def read_record(path: Path, leads: tuple[str, ...] | None = None) -> WfdbRecord:
    """Read `path` (no extension): every format, multi-segment and multi-frequency records too.

    Signals that are not voltages (pressure, respiration) are left out. A record whose signals
    have several rates is read at its frame rate. Leads without a name, and those that share one,
    are told apart by their place: ``"ECG 1"``, ``"ECG 2"``.

    Parameters
    ----------
    leads
        Which leads, by name and in this order; all when None.

    Raises
    ------
    InputError
        If the record cannot be read, or has no such lead, or no ECG at all.
    """
    import wfdb

    check_header(path)
    try:
        record = wfdb.rdrecord(str(path), return_res=32)
        micro = _MICRO.search(path.with_name(path.name + ".hea").read_bytes())
    except MemoryError as error:
        raise InputError(f"record {path} is too large for the memory of this machine") from error
    except (OSError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError) as error:
        raise InputError(f"record {path} cannot be read as WFDB: {one_line(error)}") from error
    # A record without signals, or one whose header promises more than the file holds.
    if record.p_signal is None or record.p_signal.size == 0:
        raise InputError(f"record {path} holds no signal")
    if micro:
        raise InputError(
            f"record {path} has the unit µV, which WFDB readers take for V; write uV in its header"
        )
    if not record.fs > 0:
        raise InputError(f"record {path} has no usable sampling rate in its header: {record.fs} Hz")
    names = _distinct(record.sig_name)
    scale = {
        name: (index, _MILLIVOLTS[unit.lower()])
        for index, (name, unit) in enumerate(zip(names, record.units, strict=True))
        if unit.lower() in _MILLIVOLTS
    }
    ours = {}
    if any(OWN_RECORDING in comment for comment in record.comments):
        ours = {n.removesuffix(_RAW): found for n, found in scale.items() if n.endswith(_RAW)}
    if not scale:
        raise InputError(f"record {path} has no voltage signal, only: {some(names)}")
    usual = tuple(ours or scale)
    scale |= ours
    for lead in leads or ():
        if lead not in scale:
            raise InputError(f"record {path} has no lead {lead!r}; it has: {some(list(scale))}")
    chosen = leads or usual
    data = np.stack([record.p_signal[:, scale[n][0]] * np.float32(scale[n][1]) for n in chosen])
    return WfdbRecord(path.name, float(record.fs), chosen, data, read_annotations(path))


def _distinct(names: list[str | None]) -> list[str]:
    """Names by which every signal can be told from the others."""
    shown = [plain(name or "") for name in names]
    return [
        name if name and shown.count(name) == 1 else f"{name or 'lead'} {place}"
        for place, name in enumerate(shown, start=1)
    ]


def read_annotations(path: Path, annotator: str = "atr") -> tuple[Annotation, ...]:
    """Marks of a record (path without extension) by one annotator; none where its file is missing."""
    import wfdb

    if not path.with_name(f"{path.name}.{annotator}").is_file():
        return ()
    try:
        marks = wfdb.rdann(str(path), annotator)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise InputError(f"annotations {path}.{annotator} cannot be read: {one_line(error)}") from error
    return tuple(
        Annotation(int(sample), symbol, note.rstrip("\0"))
        for sample, symbol, note in zip(marks.sample, marks.symbol, marks.aux_note, strict=True)
    )


def clean_reference(data: Samples, fs: float) -> Samples:
    """Remove a record's own drift, as every figure of this project defines "clean".

    Zero-phase 0.5 Hz high-pass: a second-order Butterworth run forwards and backwards, which
    leaves the ST segment where it is. Missing samples stay missing.

    Parameters
    ----------
    data
        Millivolts, shape (leads, samples).
    """
    from scipy import signal

    sos = signal.butter(2, REFERENCE_CUTOFF_HZ, "highpass", fs=fs, output="sos")
    missing = np.isnan(data)
    whole = bridge_missing(data) if missing.any() else data
    # The default padding is a few samples; a drift filter rings for seconds.
    padding = min(data.shape[1] - 1, round(4 * fs))
    reference: Samples = signal.sosfiltfilt(sos, whole, axis=-1, padlen=padding).astype(np.float32)
    reference[missing] = np.nan
    return reference


def bridge_missing(data: Samples) -> Samples:
    """Straight lines over missing samples, for measuring and filtering only; never shown."""
    bridged = data.copy()
    index = np.arange(data.shape[1])
    for lead in bridged:
        missing = np.isnan(lead)
        if missing.all():
            lead[:] = 0
        elif missing.any():
            lead[missing] = np.interp(index[missing], index[~missing], lead[~missing])
    return bridged
