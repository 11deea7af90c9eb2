"""The QTDB bench, streamed: whole records under baseline wander through the engine, scored beat by beat.

The bench of the literature (`models.benches.qtdb`) cleans beats that somebody has cut, levelled and
centred by their P waves. A stream has no such beats. So the same test records are streamed here, and beats
are cut from the output of the engine at the places where the bench cuts them, without any alignment.
"""

from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from engine.backends import open_backend
from engine.config import EngineConfig
from engine.lab.evaluate.qtdb_beats import beats_part
from engine.lab.evaluate.track_f import EXAMPLE_S, WARMUP_S
from engine.lab.parts import Part, Progress, Result, data_sha256, fingerprint, run_parts
from engine.lab.replay import stream
from models.benches.qtdb import (
    FS,
    NETWORKS,
    RATIOS,
    SEED,
    TEST_RECORDS,
    WINDOW,
    NoiseVersion,
    Spans,
    cut,
    levels,
    load_record,
    noise_channel,
)
from models.benches.qtdb_scores import score_records
from models.registry import load_card
from streamer.chunk import Samples
from streamer.errors import InputError
from streamer.noise import take
from streamer.records.find import find_record
from streamer.records.nstdb import load_tape
from streamer.records.record import clean_reference

BLOCK_S = 30.0
"""Seconds for which the ratio of noise to beats is constant."""
RAMP_S = 5.0
"""Seconds of the ramp to the next ratio."""


@dataclass(frozen=True)
class StreamedSettings:
    """What to run. Fields carry the names of the command's options; `seconds` of each record's beginning."""

    models: tuple[str, ...]
    lookaheads_ms: tuple[float, ...] = (300.0,)
    hop_ms: float = 40.0
    seconds: float = 120.0
    backend: str = "auto"
    jobs: int = 1
    data_dir: Path | None = None


def evaluate_qtdb(settings: StreamedSettings, out: Path, progress: Progress) -> list[Result]:
    """Run every system under both versions of the noise; a result for each, kept in ``out/parts``.

    All are streamed; the networks of the bench also run on the isolated beats.

    Returns
    -------
    list of dict
        ``part`` (``streamed`` or ``beats``), ``system``, ``noise_version``, ``records`` as of
        `score_records`; where streamed ``delay_ms``, and once for each system an ``example``, as
        `engine.lab.evaluate.track_f.evaluate` has them.
    """
    data = qtdb_data(settings.data_dir)
    versions: tuple[NoiseVersion, ...] = get_args(NoiseVersion)
    parts = []
    for name in settings.models:
        known: dict[str, Any] = {"track": "qtdb", "system": name, "weights": fingerprint(name), "data": data}
        for version in versions:
            about = known | {"noise_version": version}
            if name in NETWORKS:
                key = about | {"part": "beats", "settings": [settings.backend]}
                arguments = (name, version, settings.backend, settings.data_dir)
                parts.append(Part(f"{name} on beats, noise {version}", key, beats_part, arguments))
            for lookahead in settings.lookaheads_ms:
                deciding = [lookahead, settings.hop_ms, settings.seconds, settings.backend]
                key = about | {"part": "streamed", "settings": deciding}
                label = f"{name} at {lookahead:g} ms, noise {version}"
                parts.append(Part(label, key, streamed_part, (settings, name, lookahead, version)))
    return run_parts(parts, out / "parts", settings.jobs, progress)


def qtdb_data(data_dir: Path | None) -> dict[str, str]:
    """SHA-256 of every file that the test records and the noise lie in."""
    records = [find_record(record, "qtdb", data_dir) for record in TEST_RECORDS]
    return data_sha256([*records, find_record("bw", "nstdb", data_dir)])


def streamed_part(
    settings: StreamedSettings, name: str, lookahead_ms: float, version: NoiseVersion
) -> Result:
    """One system on all test records under one version of the noise."""
    card = load_card(name)
    config = EngineConfig.of(card.spec, lookahead_ms, settings.hop_ms)
    played = _play(version, card.spec.leads, settings.seconds, settings.data_dir)
    backend = open_backend(settings.backend, card)
    outputs = stream({record: one.raw for record, one in played.items()}, config, backend)
    backend.close()
    reference, cleaned, owners = [], [], []
    for record, one in played.items():
        level = levels(one.reference, one.spans)
        reference.append(cut(one.reference, one.spans, level))
        # Level by the reference, not by the output: an error of the baseline counts.
        cleaned.append(cut(outputs[record][0], one.spans, level))
        owners += [record] * len(one.spans)
    result: Result = {
        "part": "streamed",
        "system": name,
        "delay_ms": 1000 * config.delay_s,
        "noise_version": version,
        "records": score_records(np.concatenate(reference), np.concatenate(cleaned), owners),
    }
    if version == 1:
        result["example"] = _example(played, outputs)
    return result


@dataclass(frozen=True, eq=False)
class _Played:
    """A record as it is streamed: `raw` (leads, samples), the reference of its first lead, its beats."""

    raw: Samples
    reference: Samples
    spans: Spans


@lru_cache(maxsize=4)
def _play(version: NoiseVersion, leads: int, seconds: float, data_dir: Path | None) -> dict[str, _Played]:
    """The test records without their own drift, with noise from a place of its own for each.

    All play for `seconds`, or for as long as the shortest of them lasts.
    """
    records = [load_record(name, data_dir) for name in TEST_RECORDS]
    samples = min(round(seconds * FS), *(record.data.shape[1] for record in records))
    tape = load_tape("bw", "test", FS, data_dir)
    rng = np.random.default_rng([SEED, version, 2])
    blocks = max(1, round(samples / FS / BLOCK_S))
    # Every ratio of the bench equally often, in random order.
    count = len(records) * blocks
    wanted = RATIOS[0] + (RATIOS[1] - RATIOS[0]) * (rng.permutation(count) + 0.5) / count
    played = {}
    for record, ratios in zip(records, wanted.reshape(-1, blocks), strict=True):
        reference = clean_reference(record.data[:leads], FS)[:, :samples]
        channels = (noise_channel(version) + np.arange(len(reference))) % len(tape)
        noise = take(tape, int(rng.integers(tape.shape[1])), samples)[channels]
        inside = record.spans[record.spans[:, 1] <= samples]
        scored = inside[inside[:, 0] >= round(WARMUP_S * FS)]
        if len(scored) == 0:
            raise InputError(
                f"record {record.name} outlines no beat between second {WARMUP_S:g}, up to which nothing is "
                f"scored, and second {samples / FS:g}; give more --seconds"
            )
        raw = reference + scaled_wander(reference, inside, noise, ratios)
        played[record.name] = _Played(raw, reference[0], scored)
    return played


def scaled_wander(reference: Samples, spans: Spans, noise: Samples, ratios: NDArray[np.float64]) -> Samples:
    """Noise whose height over a beat's window is, block by block, `ratios` times the beats' height.

    Heights are medians of what is between the highest and the lowest sample, over beats and over
    windows. The noise's mean is removed first: with a changing gain it would turn into steps.

    Parameters
    ----------
    reference, noise
        Millivolts, (leads, samples).
    ratios
        One for each of as many blocks of equal length, (blocks,).
    """
    samples = noise.shape[1]
    noise = noise - noise.mean(axis=1, keepdims=True)
    edges = np.linspace(0, samples, len(ratios) + 1).round().astype(int)
    knots = (edges[1:-1, None] + np.array([-0.5, 0.5]) * RAMP_S * FS).ravel()
    rows = []
    for lead, disturbance in zip(reference, noise, strict=True):
        beat = np.median([np.ptp(lead[first:stop]) for first, stop in spans])
        heights = [_height(disturbance[first:stop]) for first, stop in pairwise(edges)]
        gains = ratios * beat / np.array(heights)
        # Each block's gain holds from one ramp to the next.
        along = np.interp(np.arange(samples), knots, np.repeat(gains, 2)[1:-1]) if len(knots) else gains
        rows.append(along * disturbance)
    return np.asarray(rows, np.float32)


def _height(noise: Samples) -> float:
    """Median height of the noise over windows as long as a beat's."""
    count = max(1, len(noise) // WINDOW)
    return float(np.median([np.ptp(piece) for piece in np.array_split(noise, count)]))


def _example(played: dict[str, _Played], outputs: dict[str, Samples]) -> dict[str, Any]:
    """The first seconds that are scored of the first record, to be drawn."""
    record = TEST_RECORDS[0]
    first = round(WARMUP_S * FS)
    shown = slice(first, first + round(EXAMPLE_S * FS))
    traces = {
        "raw": played[record].raw[0],
        "reference": played[record].reference,
        "cleaned": outputs[record][0],
    }
    return {
        "record": record,
        "condition": "bw, version 1",
        "traces": {what: np.round(trace[shown], 4).tolist() for what, trace in traces.items()},
    }


def manifest(settings: StreamedSettings) -> dict[str, Any]:
    """Settings that decide the streamed figures."""
    kept = asdict(settings)
    del kept["data_dir"], kept["jobs"]
    return kept
