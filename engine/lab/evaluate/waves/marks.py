"""Leads whose waves people have outlined by hand, at the rate of the engine."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from models.benches.qtdb import TEST_RECORDS
from models.benches.track_f import FS
from streamer.chunk import Annotation, Samples
from streamer.errors import InputError
from streamer.records.find import find_record
from streamer.records.record import bridge_missing, clean_reference, read_annotations, read_record
from streamer.resample import ratio

Bounds = NDArray[np.float64]
"""Where the waves of beats lie, in samples at `FS`, NaN where unknown, shape (beats, len(POINTS))."""
POINTS = ("p_on", "p_peak", "p_off", "qrs_on", "r", "qrs_off", "t_on", "t_peak", "t_off")
P_ON, P_PEAK, P_OFF, QRS_ON, R, QRS_OFF, T_ON, T_PEAK, T_OFF = range(len(POINTS))
DATABASES = {
    "qtdb": "first leads of the QT Database's records of which no network saw the patient",
    "ludb": "leads of ten seconds of LUDB; networks saw other patients of this database",
}
"""What is measured on."""
LUDB_RECORDS = tuple("1 2 3 4 5 6 7 8 9 22 35 38 44 52 70 108".split())
LUDB_LEADS = ("ii", "v5")
SETTLES_S = {"qtdb": 10.0, "ludb": 4.0}
"""Seconds before the first beat that is measured."""
LONGEST_S = 50.0
_BEFORE_R_S, _AFTER_R_S, _SAME_BEAT_S = 0.4, 0.7, 0.1


@dataclass(frozen=True, eq=False)
class OutlinedLead:
    """A stretch of a lead at `FS`.

    Parameters
    ----------
    original, reference
        (samples,) mV as recorded, and without its drift.
    manual, automatic
        Where people, and a program, saw the waves of the same beats; the second are only told where
        beats are.
    settled
        The first sample at which a beat is measured.
    """

    name: str
    original: Samples
    reference: Samples
    manual: Bounds
    automatic: Bounds
    settled: int

    @property
    def beats(self) -> NDArray[np.int64]:
        """Sample of every beat, (beats,)."""
        return np.rint(self.automatic[:, R]).astype(np.int64)

    @property
    def measured(self) -> NDArray[np.bool_]:
        """Beats that a person outlined, and that come late enough, (beats,)."""
        return np.isfinite(self.manual[:, R]) & (self.automatic[:, R] >= self.settled)


@lru_cache(maxsize=2)
def outlined_leads(database: str, records: tuple[str, ...], data_dir: Path | None) -> list[OutlinedLead]:
    """Leads of one of `DATABASES`, all of one length.

    Raises
    ------
    InputError
        If a record is not to be had, or has no manual marks.
    """
    load = {"qtdb": _of_qtdb, "ludb": _of_ludb}[database]
    return [lead for name in records for lead in load(name, data_dir)]


def usual_records(database: str) -> tuple[str, ...]:
    """Records of a database whose patients no network saw."""
    return {"qtdb": TEST_RECORDS, "ludb": LUDB_RECORDS}[database]


def _of_qtdb(name: str, data_dir: Path | None) -> list[OutlinedLead]:
    """`LONGEST_S` of the first lead, from `SETTLES_S` before the first beat that a person outlined."""
    path = find_record(name, "qtdb", data_dir)
    record = read_record(path)
    manual = bounds_of(read_annotations(path, "q1c"), record.fs)
    automatic = bounds_of(read_annotations(path, "pu1"), record.fs)
    if len(manual) == 0 or len(automatic) == 0:
        raise InputError(f"record {path} has no marks of waves: {path}.q1c and {path}.pu1 shall hold them")
    settles = round(SETTLES_S["qtdb"] * FS)
    start = max(0, int(manual[0, R]) - round(0.5 * FS) - settles)
    lead = record.data[:1]
    return [_cut(name, lead, record.fs, manual, automatic, start, settles)]


def _of_ludb(name: str, data_dir: Path | None) -> list[OutlinedLead]:
    """Whole leads; the first beats are for the network to settle."""
    path = find_record(name, "ludb", data_dir)
    record = read_record(path, LUDB_LEADS)
    leads = []
    for lead, row in zip(record.leads, record.data, strict=True):
        manual = bounds_of(read_annotations(path, lead), record.fs)
        if len(manual) == 0:
            raise InputError(f"record {path} has no marks of waves: {path}.{lead} shall hold them")
        settles = round(SETTLES_S["ludb"] * FS)
        leads.append(_cut(f"{name} {lead}", row[None], record.fs, manual, manual, 0, settles))
    return leads


def _cut(
    name: str, lead: Samples, fs: float, manual: Bounds, automatic: Bounds, start: int, settles: int
) -> OutlinedLead:
    """`lead` (1, samples) at `fs`, brought to `FS`, from sample `start` there."""
    whole = bridge_missing(lead)
    rows = np.concatenate([whole, clean_reference(whole, fs)])
    up, down = ratio(fs, FS)
    if up != down:
        rows = signal.resample_poly(rows, up, down, axis=1, padtype="line").astype(np.float32)
    original, reference = rows[:, start : start + round(LONGEST_S * FS)]
    inside = (automatic[:, R] >= start) & (automatic[:, R] < start + len(original))
    beats = automatic[inside] - start
    outlined = np.full_like(beats, np.nan)
    for row in manual - start:
        distance = np.abs(beats[:, R] - row[R])
        if len(distance) and distance.min() <= _SAME_BEAT_S * FS:
            outlined[int(distance.argmin())] = row
    return OutlinedLead(name, original, reference, outlined, beats, settles)


def bounds_of(marks: tuple[Annotation, ...], fs: float) -> Bounds:
    """Waves of each beat, of marks at `fs` in the order that a wave has: ``(``, its peak, ``)``.

    A boundary that was not marked is NaN. A T wave of two peaks goes from the begin of the first to
    the end of the second, and peaks at the first.
    """
    waves = []
    for place, mark in enumerate(marks):
        if mark.symbol in ("p", "N", "t"):
            on, off = np.nan, np.nan
            if place and marks[place - 1].symbol == "(":
                on = marks[place - 1].sample
            if place + 1 < len(marks) and marks[place + 1].symbol == ")":
                off = marks[place + 1].sample
            waves.append((mark.symbol, on, mark.sample, off))
    rows = []
    complexes = [place for place, wave in enumerate(waves) if wave[0] == "N"]
    for before, at, after in zip([-1, *complexes], complexes, [*complexes[1:], len(waves)], strict=False):
        row = np.full(len(POINTS), np.nan)
        row[QRS_ON : QRS_OFF + 1] = waves[at][1:]
        peak = waves[at][2]
        atria = [w for w in waves[before + 1 : at] if w[0] == "p" and peak - w[2] < _BEFORE_R_S * fs]
        if atria:
            row[P_ON : P_OFF + 1] = atria[-1][1:]
        ends = [w for w in waves[at + 1 : after] if w[0] == "t" and w[2] - peak < _AFTER_R_S * fs]
        if ends:
            row[T_ON : T_OFF + 1] = ends[0][1], ends[0][2], ends[-1][3]
        rows.append(row)
    return np.array(rows).reshape(-1, len(POINTS)) * FS / fs
