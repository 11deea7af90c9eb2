"""Beats found in raw leads by several detectors at several sampling rates, against the annotated ones.

By the rules of ANSI/AAMI EC57: beats match within 150 ms, one to one and the nearest first; the first
five minutes of a long record are for learning; ventricular flutter is left out.
"""

import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from engine.lab.detectors import find_detector
from engine.lab.parts import Part, Progress, Result, data_sha256, run_parts
from models.beat_matching import BeatCount, Beats, match_beats
from streamer.chunk import Samples
from streamer.records.find import find_record
from streamer.records.record import BEAT_SYMBOLS, VENTRICULAR, bridge_missing, read_annotations, read_record
from streamer.resample import ratio

MATCH_S = 0.15
"""A beat and a detection match within this."""
LEARNING_S = 300.0
"""Seconds at the begin of a long record that are not scored."""
DATABASES = {
    "mitdb": "first lead; our detector's constants were chosen on it",
    "mitdb-second": "second lead of the same records",
    "qtdb": "first lead of those whose patients are not in mitdb",
    "ludb": "lead II, ten seconds each, from the first to the last marked beat",
    "nstdb": "first lead of 118 and 119 under electrode motion of 24 to -6 dB: the minutes with noise alone",
}
"""What is scored, and which lead of it."""
NOISY_S = 120.0
"""Stress records are noisy for so long from minute 5 on, then clean for as long, and so on."""


@dataclass(frozen=True)
class BeatsSettings:
    """What to run. Fields carry the names of the command's options; `rates` in Hz."""

    detectors: tuple[str, ...]
    databases: tuple[str, ...] = tuple(DATABASES)
    rates: tuple[float, ...] = (125.0, 250.0, 360.0, 500.0, 1000.0)
    jobs: int = 1
    data_dir: Path | None = None


@dataclass(frozen=True, eq=False)
class MarkedLead:
    """A lead and its beats.

    Parameters
    ----------
    lead
        (samples,) mV at `fs` Hz.
    ventricular
        Whether each of the beats is ventricular, (beats,).
    scored
        Samples that count, (samples,).
    """

    name: str
    lead: Samples
    fs: float
    beats: Beats
    ventricular: NDArray[np.bool_]
    scored: NDArray[np.bool_]


def evaluate_beats(settings: BeatsSettings, out: Path, progress: Progress) -> list[Result]:
    """A row for each detector, database and rate, kept in ``out/parts``.

    Returns
    -------
    list of dict
        ``detector``, ``database``, ``fs``, ``cost_us`` of processor time a second of a lead, and
        ``records``: of each its name, beats found, missed and invented, the same of ventricular beats
        (found, missed), and ``jitter_ms``, the 95th percentile of the distance from the mark, without
        the record's median distance.
    """
    parts = []
    for database in settings.databases:
        paths = _paths(database, settings.data_dir)
        data = data_sha256(paths)
        for name in settings.detectors:
            find_detector(name)
            for fs in settings.rates:
                key = {"track": "beats", "detector": name, "database": database, "fs": fs, "data": data}
                arguments = (name, database, fs, settings.data_dir)
                parts.append(Part(f"{database}: {name} at {fs:g} Hz", key, beats_part, arguments))
    return run_parts(parts, out / "parts", settings.jobs, progress)


def beats_part(name: str, database: str, fs: float, data_dir: Path | None) -> Result:
    """One detector on all records of a database at one rate."""
    detect = find_detector(name)
    rows, spent, heard = [], 0.0, 0.0
    for marked in marked_leads(database, data_dir):
        lead = _at(marked.lead, marked.fs, fs)
        begun = time.process_time()
        found = detect(lead, fs)
        spent += time.process_time() - begun
        heard += len(lead) / fs
        rows.append({"record": marked.name} | score(marked, np.rint(found * marked.fs / fs).astype(np.int64)))
    return {"detector": name, "database": database, "fs": fs, "cost_us": 1e6 * spent / heard, "records": rows}


def score(marked: MarkedLead, found: Beats) -> dict[str, Any]:
    """Figures of one lead, as `evaluate_beats` has them; `found` at the lead's own rate."""
    found = found[(found >= 0) & (found < len(marked.lead))]
    inside = marked.scored[marked.beats]
    # What lies just outside may be paired with what lies just inside: match first, then count.
    ours, theirs = match_beats(marked.beats, found, round(MATCH_S * marked.fs))
    hit = np.zeros(len(marked.beats), np.bool_)
    hit[ours] = True
    extra = np.ones(len(found), np.bool_)
    extra[theirs] = False
    count = BeatCount(
        int((hit & inside).sum()), int((~hit & inside).sum()), int((extra & marked.scored[found]).sum())
    )
    ventricular = inside & marked.ventricular
    kept = inside[ours]
    moved = 1000 * (found[theirs] - marked.beats[ours])[kept] / marked.fs
    jitter = float(np.percentile(np.abs(moved - np.median(moved)), 95)) if moved.size else None
    return {
        "found": count.found,
        "missed": count.missed,
        "invented": count.invented,
        "v_found": int((hit & ventricular).sum()),
        "v_missed": int((~hit & ventricular).sum()),
        "jitter_ms": jitter,
    }


@lru_cache(maxsize=1)
def marked_leads(database: str, data_dir: Path | None) -> tuple[MarkedLead, ...]:
    """The leads of one of `DATABASES` that are scored; records without marks are left out."""
    leads = []
    for path in _paths(database, data_dir):
        record = read_record(path, ("ii",) if database == "ludb" else None)
        if database == "ludb":
            marks = [mark for mark in read_annotations(path, "ii") if mark.symbol == "N"]
        else:
            marks = [mark for mark in record.annotations if mark.symbol in BEAT_SYMBOLS]
        row = 1 if database == "mitdb-second" else 0
        if not marks or row >= len(record.data):
            continue
        beats = np.array([mark.sample for mark in marks], np.int64)
        lead = bridge_missing(record.data[row : row + 1])[0]
        fs = record.fs
        scored = np.zeros(len(lead), np.bool_)
        if database == "ludb":
            scored[max(0, beats[0] - round(MATCH_S * fs)) : beats[-1] + round(MATCH_S * fs)] = True
        else:
            scored[round(min(LEARNING_S, len(lead) / fs / 3) * fs) :] = True
            edges = [mark.sample for mark in record.annotations if mark.symbol in "[]"]
            for start, stop in zip(edges[::2], edges[1::2], strict=True):
                scored[max(0, start - round(MATCH_S * fs)) : stop + round(MATCH_S * fs)] = False
        if database == "nstdb":
            scored &= (np.arange(len(lead)) / fs - LEARNING_S) // NOISY_S % 2 == 0
        ventricular = np.array([mark.symbol in VENTRICULAR for mark in marks])
        leads.append(MarkedLead(path.name, lead, fs, beats, ventricular, scored))
    return tuple(leads)


def _paths(database: str, data_dir: Path | None) -> list[Path]:
    """Records of a database that lie in its folder, by name."""
    first = {"qtdb": "sel123", "ludb": "1", "nstdb": "118e24"}.get(database, "100")
    folder = find_record(first, database.removesuffix("-second"), data_dir).parent
    paths = sorted(header.with_suffix("") for header in folder.glob("*.hea"))
    if database == "qtdb":
        # Patients of mitdb, by their numbers there.
        paths = [path for path in paths if not (path.name[3:4] in "12" and len(path.name) == len("sel123"))]
    if database == "nstdb":
        # The others there are the noise itself.
        paths = [path for path in paths if path.name[3:4] == "e"]
    return paths


def _at(lead: Samples, fs_in: float, fs_out: float) -> Samples:
    up, down = ratio(fs_in, fs_out)
    return lead if up == down else np.asarray(signal.resample_poly(lead, up, down), np.float32)
