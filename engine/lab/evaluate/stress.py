"""Beat detection in the official Noise Stress Test records, before and after cleaning.

118e24 … 119e_6 from minute 5 on, where blocks of two minutes with and without electrode motion alternate.
The beats of noisy and of noiseless blocks are counted separately.
"""

from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from engine.backends import open_backend
from engine.config import EngineConfig
from engine.lab.parts import Part, Progress, Result, data_sha256, fingerprint, run_parts
from engine.lab.replay import stream
from engine.lab.xqrs import find_beats_xqrs
from models.beat_matching import BeatCount, Beats, count_beats
from models.benches.track_f import FS, LEAD
from models.registry import load_card
from streamer.chunk import Samples
from streamer.records.find import find_record
from streamer.records.record import WfdbRecord, bridge_missing, read_record

PATIENTS = ("118", "119")
SNRS = ("24", "18", "12", "06", "00", "_6")
"""As spelt in the records' names; by the definition of the Noise Stress Test."""
TOLERANCES_MS = (150, 50)
_FIRST_S = 300.0
"""Second at which the noise begins."""
_BLOCK_S = 120.0
_WARMUP_S = 10.0
_GQRS_EARLY = 12
"""Samples by which gqrs, which marks where a QRS begins, is ahead of the annotations of 118, 119, 103."""


@dataclass(frozen=True)
class StressSettings:
    """What to run. Fields carry the names of the command's options; `seconds` from minute 5 on."""

    models: tuple[str, ...]
    lookaheads_ms: tuple[float, ...] = (300.0,)
    hop_ms: float = 40.0
    seconds: float | None = None
    backend: str = "auto"
    jobs: int = 1
    data_dir: Path | None = None


def evaluate_stress(settings: StressSettings, out: Path, progress: Progress) -> list[dict[str, Any]]:
    """Count beats for every system and level; a row per system, level, block, detector and tolerance.

    The input is the row of the system `identity`.
    """
    data = stress_data(settings)
    parts = []
    for level in SNRS:
        for name in settings.models:
            for lookahead in settings.lookaheads_ms:
                key = {
                    "track": "stress",
                    "system": name,
                    "weights": fingerprint(name),
                    "lookahead_ms": lookahead,
                    "level": level,
                    "settings": [settings.hop_ms, settings.seconds, settings.backend],
                    "data": data,
                }
                label = f"{level.replace('_', '-')} dB: {name} at {lookahead:g} ms"
                parts.append(Part(label, key, stress_part, (settings, name, lookahead, level)))
    results = run_parts(parts, out / "parts", settings.jobs, progress)
    return [row for result in results for row in result["rows"]]


def stress_data(settings: StressSettings) -> dict[str, str]:
    """SHA-256 of every file that the records lie in."""
    names = [f"{patient}e{level}" for level in SNRS for patient in PATIENTS]
    return data_sha256(find_record(name, "nstdb", settings.data_dir) for name in names)


def stress_part(settings: StressSettings, name: str, lookahead_ms: float, level: str) -> Result:
    """One system on both patients at one level."""
    card = load_card(name)
    config = EngineConfig.of(card.spec, lookahead_ms, settings.hop_ms)
    backend = open_backend(settings.backend, card)
    counts: dict[tuple[str, str, int], BeatCount] = {}
    for patient in PATIENTS:
        record = f"{patient}e{level}"
        raw = _heard(settings, record, card.spec.leads)
        cleaned = stream({record: raw}, config, backend)[record][0]
        for key, count in _count(settings, record, cleaned).items():
            counts[key] = counts.get(key, BeatCount(0, 0, 0)) + count
    rows = [
        {
            "system": name,
            "delay_ms": 1000 * config.delay_s,
            "snr_nst_db": int(level.replace("_", "-")),
            "block": block,
            "detector": detector,
            "tolerance_ms": tolerance,
            **asdict(count),
            "sensitivity": count.sensitivity,
            "predictivity": count.predictivity,
            "f1": count.f1,
        }
        for (block, detector, tolerance), count in counts.items()
    ]
    return {"rows": rows}


@lru_cache(maxsize=2)
def _record(record: str, data_dir: Path | None) -> WfdbRecord:
    return read_record(find_record(record, "nstdb", data_dir))


def _heard(settings: StressSettings, record: str, leads: int) -> Samples:
    """MLII, and for a pair the other lead, from the warm-up before minute 5 on, (leads, samples)."""
    whole = _record(record, settings.data_dir)
    order = sorted(range(len(whole.leads)), key=lambda row: whole.leads[row] != LEAD)
    first = round((_FIRST_S - _WARMUP_S) * FS)
    last = None if settings.seconds is None else round((_FIRST_S + settings.seconds) * FS)
    return bridge_missing(whole.data[order[:leads], first:last])


def _count(settings: StressSettings, record: str, cleaned: Samples) -> dict[tuple[str, str, int], BeatCount]:
    """Beats by (block, detector, tolerance) of a signal that begins with the warm-up."""
    cleaned = cleaned[round(_WARMUP_S * FS) :]
    annotated = _record(record, settings.data_dir).beats - round(_FIRST_S * FS)
    annotated = annotated[(annotated >= 0) & (annotated < len(cleaned))]
    counts = {}
    for detector, detect in (("xqrs", find_beats_xqrs), ("gqrs", find_beats_gqrs)):
        found = detect(cleaned, FS)
        for block in ("noisy", "clean"):
            ours, theirs = _inside(annotated, block), _inside(found, block)
            for tolerance in TOLERANCES_MS:
                count = count_beats(ours, theirs, round(tolerance / 1000 * FS))
                counts[block, detector, tolerance] = count
    return counts


def _inside(beats: Beats, block: str) -> Beats:
    """The beats that lie in the noisy, or in the noiseless, blocks."""
    turn = (beats // round(_BLOCK_S * FS)) % 2
    inside: Beats = beats[turn == ("noisy", "clean").index(block)]
    return inside


def find_beats_gqrs(lead: Samples, fs: float) -> Beats:
    """Sample index of each QRS complex by the wfdb package's gqrs, the WFDB library's own detector."""
    from wfdb.processing import gqrs_detect

    if np.ptp(lead) == 0:
        return np.empty(0, np.int64)
    centred = (lead - np.median(lead)).astype(np.float64)
    found = np.asarray(gqrs_detect(sig=centred, fs=fs, adc_gain=200.0, adc_zero=0), np.int64)
    early = round(_GQRS_EARLY / FS * fs)
    return found + early
