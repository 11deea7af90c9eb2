"""Read a WFDB record whole, in mV, with its beats, and make its reference."""

import re
from dataclasses import dataclass
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.choose import choose_leads
from streamer.chunk import Annotation, Samples
from streamer.errors import InputError, one_line, some
from streamer.plain import plain
from streamer.records.header import check_header
from streamer.units import millivolts_of

REFERENCE_CUTOFF_HZ = 0.5
REFERENCE_PADDING_S = 4.0
"""Of a signal behind its ends: scipy's default is a few samples, and a drift filter rings for seconds."""
OWN_RECORDING = "cleaned by ecg-stream"
"""In the comment of a record that this program wrote: its leads are there as raw and as cleaned."""
_RAW, _REFERENCE = " raw", " reference"
# "µV" as a unit, in Latin-1 and both of its spellings in UTF-8. wfdb drops what is not ASCII and reads volts.
_MICRO = re.compile(rb"^[^#\n]*/(\xc2\xb5|\xce\xbc|\xb5)[Vv]", re.MULTILINE)
# What bedside archives call waves that are none of an ECG. Their headers often state no unit, which means mV.
_NO_ECG = re.compile(
    r"(pleth|resp|abp|art|cvp|pap|icp|lap|rap|bp|co2|etco2|spo2|awp|awf|ppg|scg|pcg|gsr|temp|eeg|eog|emg)"
    r"([ \d_.:].*)?|.*\b(respiration|pressure|plethysmogram)\b.*",
    re.IGNORECASE,
)
LOWEST_HZ = 100.0
"""Below this rate a QRS complex is a sample or two."""
# WFDB symbols that mark a QRS complex (the rest mark rhythm, noise, waves, comments).
BEAT_SYMBOLS = frozenset("NLRBAaJSVrFejnE/fQ?")
VENTRICULAR = frozenset("VE")
"""Of these the beats that begin in a ventricle: early, and escapes."""


@dataclass(frozen=True)
class WfdbRecord:
    """A record in memory.

    Parameters
    ----------
    data
        float32 (leads, samples) in mV, NaN where samples are missing.
    notes
        What a user should know of how it was read.
    own
        This program wrote it.
    reference
        The ECG without the noise, of the shape of `data`, where the record itself holds it.
    """

    name: str
    fs: float
    leads: tuple[str, ...]
    data: Samples
    annotations: tuple[Annotation, ...]
    notes: tuple[str, ...] = ()
    own: bool = False
    reference: Samples | None = None

    @property
    def beats(self) -> NDArray[np.int64]:
        """Sample index of each annotated beat."""
        return np.array(
            [mark.sample for mark in self.annotations if mark.symbol in BEAT_SYMBOLS],
            dtype=np.int64,
        )


def read_record(path: Path, leads: tuple[str, ...] | None = None) -> WfdbRecord:
    """Read `path` (no extension): every format, multi-segment and multi-frequency records too.

    Signals that are not voltages (pressure, respiration) are left out, and so are those that are
    called like none where others are there; a note says so. Leads of several samples a frame are read
    at their own rate; of leads of different rates each is brought to the highest rate that divides all
    of theirs, by the mean of its samples. Leads without a name, and those that share one, are told
    apart by their place: ``"ECG 1"``, ``"ECG 2"``.

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
        # Smoothed frames have missing samples in their mean (wfdb 4.3.1): findings/wfdb-python-averages-….sh
        record = wfdb.rdrecord(str(path), return_res=32, smooth_frames=False)
        micro = states_micro(path)
    except MemoryError as error:
        raise InputError(f"record {path} is too large for the memory of this machine") from error
    except (OSError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError) as error:
        raise InputError(f"record {path} cannot be read as WFDB: {one_line(error)}") from error
    # A record without signals, or one whose header promises more than the file holds.
    if not record.e_p_signal or record.e_p_signal[0].size == 0:
        raise InputError(f"record {path} holds no signal")
    if all(unit is None for unit in record.units):
        raise InputError(f"record {path} holds no signal: all of it is missing")
    if micro:
        raise InputError(
            f"record {path} has the unit µV, which WFDB readers take for V; write uV in its header"
        )
    if not record.fs > 0:
        raise InputError(f"record {path} has no usable sampling rate in its header: {record.fs} Hz")
    every = _distinct(record.sig_name)
    scale = {
        name: (place, millivolts)
        for place, (name, unit) in enumerate(zip(every, record.units, strict=True))
        if (millivolts := millivolts_of(unit or "")) is not None
    }
    ours = {}
    own = any(OWN_RECORDING in comment for comment in record.comments)
    if own:
        ours = {n.removesuffix(_RAW): found for n, found in scale.items() if n.endswith(_RAW)}
    if not scale:
        raise InputError(f"record {path} has no voltage signal, only: {some(every)}")
    usual = tuple(ours or [name for name in scale if not _NO_ECG.fullmatch(name)] or scale)
    scale |= ours
    chosen, unknown = choose_leads(leads or (), list(scale))
    if unknown:
        raise InputError(f"record {path} has no lead {unknown[0]!r}; it has: {some(list(scale))}")
    names = tuple(chosen) or usual
    left = [] if leads or ours else [name for name in scale if name not in usual]
    notes = (f"left out, being no ECG by their names: {some(left)}; --leads takes them",) if left else ()
    wanted = [*names]
    if own and all(f"{name}{_REFERENCE}" in scale for name in names):
        wanted += [f"{name}{_REFERENCE}" for name in names]
    fs, rows = _at_one_rate(record, {name: scale[name] for name in wanted}, path)
    data, reference = rows[: len(names)], rows[len(names) :]
    return WfdbRecord(
        path.name,
        fs,
        names,
        data,
        read_annotations(path, fs=fs),
        notes,
        own,
        reference if len(reference) else None,
    )


def is_no_ecg(name: str) -> bool:
    """Whether a signal is called like a wave that is no ECG."""
    return bool(_NO_ECG.fullmatch(name))


def states_micro(path: Path) -> bool:
    """Whether a header (path without extension) states the unit µV, which wfdb takes for V."""
    return bool(_MICRO.search(path.with_name(path.name + ".hea").read_bytes()))


def _at_one_rate(
    record: Any, chosen: dict[str, tuple[int, float]], path: Path
) -> tuple[float, NDArray[np.float32]]:
    """The rate of the chosen signals, Hz, and these, (leads, samples) in mV.

    Parameters
    ----------
    record
        What wfdb read, a signal of several samples a frame as these.
    chosen
        Place of each signal in the record, and mV of its unit, by name.
    """
    in_frame = {name: int(record.samps_per_frame[place]) for name, (place, _) in chosen.items()}
    common = gcd(*in_frame.values())
    fs = float(record.fs) * common
    if fs < LOWEST_HZ:
        rates = ", ".join(f"{name} {record.fs * count:g} Hz" for name, count in in_frame.items())
        raise InputError(
            f"record {path} cannot be played at {fs:g} Hz: the lowest rate is {LOWEST_HZ:g} Hz. Rates of its "
            f"leads: {rates}; choose some of one rate with --leads"
        )
    rows = []
    for name, (place, millivolts) in chosen.items():
        row = record.e_p_signal[place] * np.float32(millivolts)
        together = in_frame[name] // common
        rows.append(row if together == 1 else row.reshape(-1, together).mean(axis=1))
    return fs, np.stack(rows)


def _distinct(names: list[str | None]) -> list[str]:
    """Names by which every signal can be told from the others."""
    shown = [plain(name or "") for name in names]
    return [
        name if name and shown.count(name) == 1 else f"{name or 'lead'} {place}"
        for place, name in enumerate(shown, start=1)
    ]


def read_annotations(path: Path, annotator: str = "atr", fs: float | None = None) -> tuple[Annotation, ...]:
    """Marks of a record (path without extension) by one annotator; none where its file is missing.

    Parameters
    ----------
    fs
        Rate of the samples that are counted, Hz; None stands for the clock of the annotations, which
        is the frame rate unless their file states another.
    """
    import wfdb

    if not path.with_name(f"{path.name}.{annotator}").is_file():
        return ()
    try:
        marks = wfdb.rdann(str(path), annotator, return_label_elements=["symbol", "label_store"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise InputError(f"annotations {path}.{annotator} cannot be read: {one_line(error)}") from error
    ticks = fs / marks.fs if fs and marks.fs else 1.0
    each = zip(marks.sample, marks.symbol, marks.label_store, marks.aux_note, strict=True)
    return tuple(
        Annotation(round(float(sample) * ticks), *_meaning(symbol, code, note.rstrip("\0")))
        for sample, symbol, code, note in each
    )


def _meaning(symbol: object, code: int, note: str) -> tuple[str, str]:
    """Symbol and note of a mark; one of a type without a symbol (42 to 49) is a comment."""
    if isinstance(symbol, str) and symbol:
        return symbol, note
    return '"', ": ".join(filter(None, (f"type {code}", note)))


def clean_reference(data: Samples, fs: float) -> Samples:
    """Reference of a record: the record without its own drift, as all figures of this project define it.

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
    padding = min(data.shape[1] - 1, round(REFERENCE_PADDING_S * fs))
    reference: Samples = signal.sosfiltfilt(sos, whole, axis=-1, padlen=padding).astype(np.float32)
    reference[missing] = np.nan
    return reference


def bridge_missing(data: Samples) -> Samples:
    """Fill missing samples with straight lines, for measuring and filtering only; they are never shown."""
    bridged = data.copy()
    index = np.arange(data.shape[1])
    for lead in bridged:
        missing = np.isnan(lead)
        if missing.all():
            lead[:] = 0
        elif missing.any():
            lead[missing] = np.interp(index[missing], index[~missing], lead[~missing])
    return bridged
