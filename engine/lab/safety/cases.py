"""Test signals in which a network may invent or erase beats, with the ground truth of each."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.beat_matching import Beats
from models.benches.track_f import FS, LEAD
from streamer.chunk import Samples
from streamer.noise import KINDS, join_blocks, take
from streamer.open_source import open_signal, play
from streamer.records.find import find_record
from streamer.records.nstdb import load_tape
from streamer.records.record import BEAT_SYMBOLS, clean_reference, read_record
from streamer.settings import SourceSettings
from streamer.synthetic import SyntheticPatient

NOISES = (*KINDS, "mains", "white")
MAINS_MV, WHITE_MV = 0.15, 0.1
"""Amplitude of the 50 Hz hum, and RMS of the hiss. NSTDB noise has its nominal size."""
RECORDS = ("100", "103", "113", "117", "123")
"""Test records in sinus rhythm."""
ECTOPIC = ("200", "221", "233")
"""Test records with many ventricular beats."""
PACED = ("102", "104", "107", "217")
"""Records that no network was trained or tested on: 102 and 104 in V5, which leads them."""
FIBRILLATION = "207"
_CUT_S, _SILENT_S, _RECORD_S = 40.0, 20.0, 90.0
_START_S = 300.0


@dataclass(frozen=True, eq=False)
class Case:
    """One test signal and its ground truth.

    Parameters
    ----------
    group
        The kind of error that it provokes.
    raw
        Input of the engine, (leads, samples) mV at 360 Hz.
    reference
        Ideal output, in the same shape; None where there is no ECG, or it is not known.
    beats, ectopic
        Sample index of every beat, and of those that are ventricular.
    silent
        Stretches, in samples, without any beat.
    broken
        Stretches in which the input cannot be used.
    fibrillating
        Stretches of ventricular flutter or fibrillation.
    """

    group: str
    name: str
    raw: Samples
    reference: Samples | None = None
    beats: Beats | None = None
    ectopic: Beats | None = None
    silent: tuple[tuple[int, int], ...] = ()
    broken: tuple[tuple[int, int], ...] = ()
    fibrillating: tuple[tuple[int, int], ...] = ()


def case_names() -> list[tuple[str, str]]:
    """Group and name of every case."""
    records = RECORDS[:3]
    return [
        *(("noise", kind) for kind in NOISES),
        ("flat line", "flat line"),
        *(("asystole", record) for record in records),
        ("fibrillation", FIBRILLATION),
        ("fibrillation", "synthetic"),
        ("pacing", "spikes without capture"),
        *(("pacing", record) for record in PACED),
        *(("lead swap", record) for record in records),
        *(("bad input", kind) for kind in ("missing", "lead off", "saturated", "x10")),
        *(("ectopic", record) for record in ECTOPIC),
        *(("ectopic em 6 dB", record) for record in ECTOPIC),
        *(("morphology", record) for record in RECORDS),
        *(("morphology em 6 dB", record) for record in RECORDS),
    ]


def make_case(group: str, name: str, seconds: float, data_dir: Path | None) -> Case:
    """The case of that group and name; `seconds` is how long noises are."""
    if group == "noise":
        return Case(
            group, name, _noise(name, seconds, data_dir), beats=_NONE, silent=((0, round(seconds * FS)),)
        )
    if group == "flat line":
        count = round(min(seconds, 120.0) * FS)
        return Case(group, name, np.full((1, count), 0.3, np.float32), beats=_NONE, silent=((0, count),))
    if group == "asystole":
        return _asystole(name, data_dir)
    if group == "fibrillation":
        return _synthetic_fibrillation() if name == "synthetic" else _fibrillation(data_dir)
    if group == "pacing":
        return _spikes() if name not in PACED else _record(group, name, data_dir, lead=None)
    if group == "lead swap":
        return _lead_swap(name, data_dir)
    if group == "bad input":
        return _bad_input(name, data_dir)
    noise = ("em", 6.0) if group.endswith("em 6 dB") else ("none", 0.0)
    return _record(group, name, data_dir, noise=noise)


_NONE: Beats = np.empty(0, np.int64)


def _noise(kind: str, seconds: float, data_dir: Path | None) -> Samples:
    count = round(seconds * FS)
    if kind in KINDS:
        # 12 to 15 minutes of each channel are for tests: that makes about an hour.
        return take(join_blocks(both_ways(load_tape(kind, "test", FS, data_dir)), FS), 0, count)
    return hiss(count, 0) if kind == "white" else hum(count, 0)


def both_ways(tape: Samples) -> list[Samples]:
    """Each channel of a noise, upright and inverted, (1, samples): as many stretches that differ."""
    return [sign * tape[channel : channel + 1] for sign in (1, -1) for channel in range(len(tape))]


def hiss(count: int, seed: int) -> Samples:
    """White noise, (1, count)."""
    noise = np.random.default_rng(seed).standard_normal((1, count)).astype(np.float32)
    return np.float32(WHITE_MV) * noise


def hum(count: int, seed: int) -> Samples:
    """Mains hum and a little hiss, (1, count)."""
    mains = MAINS_MV * np.sin(2 * np.pi * 50 * np.arange(count) / FS)
    heard: Samples = (mains + 0.002 / WHITE_MV * hiss(count, seed)).astype(np.float32)
    return heard


def noisy_record(
    record: str, noise: tuple[str, float], seconds: float, data_dir: Path | None
) -> tuple[Samples, Beats]:
    """A stretch of a record's first lead with noise at a level in dB, (1, samples) mV, and its beats."""
    raw, _, beats, _ = _play(record, data_dir, noise=noise, seconds=seconds)
    return raw, beats


def _play(
    record: str,
    data_dir: Path | None,
    lead: str | None = LEAD,
    noise: tuple[str, float] = ("none", 0.0),
    seconds: float = _RECORD_S,
) -> tuple[Samples, Samples, Beats, Beats]:
    """Noisy, reference, beats and ventricular beats of a stretch of a record."""
    if lead is None:
        lead = read_record(find_record(record, "mitdb", data_dir)).leads[0]
    settings = SourceSettings(
        kind="replay",
        record=record,
        data_dir=data_dir,
        leads=(lead,),
        start=_START_S,
        seconds=seconds,
        speed=0,
        noise=noise[0],
        snr=noise[1],
        seed=int(record),
    )
    chunks = list(play(open_signal(settings), settings).chunks())
    marks = [mark for chunk in chunks for mark in chunk.annotations if mark.symbol in BEAT_SYMBOLS]
    beats = np.array([mark.sample for mark in marks], np.int64)
    wide = np.array([mark.sample for mark in marks if mark.symbol == "V"], np.int64)
    reference = np.concatenate([chunk.reference for chunk in chunks if chunk.reference is not None], axis=1)
    return np.concatenate([chunk.data for chunk in chunks], axis=1), reference, beats, wide


def _record(
    group: str,
    record: str,
    data_dir: Path | None,
    lead: str | None = LEAD,
    noise: tuple[str, float] = ("none", 0.0),
) -> Case:
    raw, reference, beats, wide = _play(record, data_dir, lead, noise)
    return Case(group, record, raw, reference, beats, wide)


def _asystole(record: str, data_dir: Path | None) -> Case:
    """The heart stops between two beats, for 20 s; drift and the amplifier's noise go on."""
    raw, reference, beats, wide = _play(record, data_dir)
    start = _between(beats, _CUT_S)
    stop = start + round(_SILENT_S * FS)
    rng = np.random.default_rng(int(record))
    drift = raw - reference
    silent = drift + np.float32(0.01) * rng.standard_normal(raw.shape).astype(np.float32)
    raw, reference = raw.copy(), reference.copy()
    joint = np.linspace(0, 1, round(0.1 * FS), dtype=np.float32)
    share = np.ones(stop - start, np.float32)
    share[: joint.size], share[-joint.size :] = joint, joint[::-1]
    raw[:, start:stop] = raw[:, start:stop] * (1 - share) + silent[:, start:stop] * share
    reference[:, start:stop] *= 1 - share
    alive = (beats < start) | (beats >= stop)
    return Case("asystole", record, raw, reference, beats[alive], wide[:0], ((start, stop),))


def _between(beats: Beats, after_s: float) -> int:
    """A place where a T wave is over and the next P wave has not begun."""
    at = int(np.searchsorted(beats, after_s * FS))
    return int(beats[at] + 0.6 * (beats[at + 1] - beats[at]))


def _fibrillation(data_dir: Path | None) -> Case:
    """The six episodes of ventricular flutter of record 207, with what lies around them."""
    record = read_record(find_record(FIBRILLATION, "mitdb", data_dir), (LEAD,))
    starts = [mark.sample for mark in record.annotations if mark.symbol == "["]
    stops = [mark.sample for mark in record.annotations if mark.symbol == "]"]
    reference = clean_reference(record.data, FS)
    # Twenty minutes lie between the fifth and the last.
    around = round(20 * FS)
    pieces = [(starts[0] - around, stops[-2] + around), (starts[-1] - around, stops[-1] + around)]
    moved, offset = [], 0
    for first, last in pieces:
        episodes = zip(starts, stops, strict=True)
        moved += [(a - first + offset, b - first + offset) for a, b in episodes if first <= a < last]
        offset += last - first
    raw, reference = (
        np.concatenate([x[:, a:b] for a, b in pieces], axis=1) for x in (record.data, reference)
    )
    return Case("fibrillation", FIBRILLATION, raw, reference, fibrillating=tuple(moved))


def _synthetic_fibrillation() -> Case:
    """Sinus rhythm, then 20 s of waves of 3 to 7 Hz that swell, fade and wander, then sinus rhythm."""
    block = SyntheticPatient(seed=4).read(0, round(_RECORD_S * FS))
    start, stop = round(_CUT_S * FS), round((_CUT_S + _SILENT_S) * FS)
    rng = np.random.default_rng(7)
    time_s = np.arange(stop - start) / FS
    waves = np.zeros(stop - start)
    for _ in range(5):
        wander = np.cumsum(rng.standard_normal(time_s.size)) * 0.02
        swell = 1 + 0.6 * np.sin(2 * np.pi * rng.uniform(0.1, 0.4) * time_s + rng.uniform(0, 6))
        waves += 0.15 * swell * np.sin(2 * np.pi * rng.uniform(3.5, 6.5) * time_s + wander)
    reference = block.data.copy()
    reference[0, start:stop] = waves
    raw = reference + np.float32(0.005) * rng.standard_normal(reference.shape).astype(np.float32)
    return Case("fibrillation", "synthetic", raw, reference, fibrillating=((start, stop),))


def _spikes() -> Case:
    """A pacemaker fires 70 times a minute, 2 ms and 3 mV, and the heart does not answer."""
    count = round(120 * FS)
    rng = np.random.default_rng(2)
    raw = np.float32(0.01) * rng.standard_normal((1, count)).astype(np.float32)
    raw[:, :: round(60 / 70 * FS)] += np.float32(3.0)
    return Case("pacing", "spikes without capture", raw, beats=_NONE, silent=((0, count),))


def _lead_swap(record: str, data_dir: Path | None) -> Case:
    """Half way the electrodes are exchanged: the lead turns over and shrinks."""
    raw, reference, beats, wide = _play(record, data_dir)
    at = _between(beats, _CUT_S)
    raw, reference = raw.copy(), reference.copy()
    raw[:, at:] *= np.float32(-0.6)
    reference[:, at:] *= np.float32(-0.6)
    return Case("lead swap", record, raw, reference, beats, wide, broken=((at, at + 1),))


def _bad_input(kind: str, data_dir: Path | None) -> Case:
    """Five seconds of unusable input in a record without added noise."""
    raw, reference, beats, wide = _play(RECORDS[0], data_dir)
    start, stop = round(_CUT_S * FS), round((_CUT_S + 5.0) * FS)
    raw = raw.copy()
    if kind == "missing":
        raw[:, start:stop] = np.nan
    elif kind == "lead off":
        raw[:, start:stop] = raw[:, start - 1 : start]
    elif kind == "saturated":
        raw[:, start:stop] = np.float32(5.0)
    else:
        raw[:, start:stop] *= np.float32(10.0)
    return Case("bad input", kind, raw, reference, beats, wide, broken=((start, stop),))
