"""Track F: unseen patients with unseen noise, streamed through the engine.

All DS2 records are streamed side by side, as a batch, at the given look-ahead and hop: through networks and
classical systems alike. The result of one system under one condition is computed once and kept
(`engine.lab.parts`).
"""

from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from engine.backends import open_backend
from engine.backends.base import AnyBackend
from engine.config import EngineConfig
from engine.lab.evaluate.scores import Heard, Score
from engine.lab.parts import Part, Progress, Result, data_sha256, fingerprint, run_parts
from engine.lab.replay import stream_with_spread
from models.benches.track_f import FS, LEAD, TEST_RECORDS
from models.filters import butterworth_zero_phase
from models.registry import load_card
from streamer.chunk import Samples
from streamer.noise import parse_noise
from streamer.open_source import open_signal, play
from streamer.records.find import find_record
from streamer.records.record import BEAT_SYMBOLS, VENTRICULAR, read_record
from streamer.settings import SourceSettings
from streamer.source import Player, Signal

WARMUP_S = 10.0
"""Seconds at the start of every record that are not scored."""
EXAMPLE_S = 4.0
"""Seconds of the first record under the first condition that a part keeps to be drawn."""
OFFLINE = {"butterworth-offline": butterworth_zero_phase}
"""Filters that need the whole record, by name: for comparison only."""
OwnDrift = Literal["keep", "remove"]


@dataclass(frozen=True)
class EvaluateSettings:
    """What to evaluate. Fields carry the names of the command's options.

    Parameters
    ----------
    start, seconds
        Stretch of every record that is played; the SNR holds over it.
    lookaheads_ms
        Every system is run at each of these.
    qrs
        Also find beats, which takes longer than all the rest.
    clean
        Also play the records without noise.
    jobs
        Processes at once.
    """

    models: tuple[str, ...]
    records: tuple[str, ...] = TEST_RECORDS
    noises: tuple[str, ...] = ("bw", "em", "ma", "emb")
    snrs: tuple[float, ...] = (-4.0, 0.0, 4.0, 12.0)
    lookaheads_ms: tuple[float, ...] = (300.0,)
    hop_ms: float = 40.0
    start: float = 300.0
    seconds: float = 60.0
    qrs: bool = False
    clean: bool = True
    backend: str = "auto"
    jobs: int = 1
    data_dir: Path | None = None

    @property
    def conditions(self) -> list["Condition"]:
        """Every noise at every SNR; then no added noise, with the record's own drift and without."""
        noisy = [Condition(noise, snr, "remove") for noise in self.noises for snr in self.snrs]
        if not self.clean:
            return noisy
        return [*noisy, Condition("none", None, "keep"), Condition("none", None, "remove")]


@dataclass(frozen=True)
class Condition:
    """Noise, its SNR in dB, and whether the record keeps its own drift."""

    noise: str
    snr: float | None
    own_drift: OwnDrift

    @property
    def label(self) -> str:
        """Name in tables and progress bars."""
        return f"clean, own drift {self.own_drift}" if self.snr is None else f"{self.noise} {self.snr:g} dB"


def evaluate(settings: EvaluateSettings, out: Path, progress: Progress) -> list[Result]:
    """Score every system under every condition; returns a result per part, kept in ``out/parts``.

    A result holds ``scores``, fields of `Score`, and in one part of each system an ``example``:
    ``raw``, ``reference`` and ``cleaned``, in mV.
    """
    for noise in settings.noises:
        parse_noise(noise)
    data = evaluated_data(settings)
    systems = [(name, lookahead) for name in settings.models for lookahead in settings.lookaheads_ms]
    weights = {name: fingerprint(name) for name in settings.models}
    parts = []
    for condition in settings.conditions:
        for name, lookahead in [*systems, *((name, None) for name in OFFLINE)]:
            key = {
                "system": name,
                "weights": weights.get(name),
                "lookahead_ms": lookahead,
                "condition": asdict(condition),
                "settings": _deciding(settings),
                "example": condition == settings.conditions[0],
                "data": data,
            }
            at = "" if lookahead is None else f" at {lookahead:g} ms"
            parts.append(
                Part(
                    f"{condition.label}: {name}{at}", key, score_part, (settings, name, lookahead, condition)
                )
            )
    return run_parts(parts, out / "parts", settings.jobs, progress)


def evaluated_data(settings: EvaluateSettings) -> dict[str, str]:
    """SHA-256 of every file that the records and the noise lie in."""
    kinds = sorted({kind for noise in settings.noises for kind in parse_noise(noise)})
    records = [find_record(record, "mitdb", settings.data_dir) for record in settings.records]
    return data_sha256([*records, *(find_record(kind, "nstdb", settings.data_dir) for kind in kinds)])


def _deciding(settings: EvaluateSettings) -> dict[str, Any]:
    """Settings on which the figures of a part depend, besides system and condition."""
    names = ("records", "hop_ms", "start", "seconds", "qrs", "backend")
    return {name: getattr(settings, name) for name in names}


def score_part(
    settings: EvaluateSettings, name: str, lookahead_ms: float | None, condition: Condition
) -> Result:
    """Stream all records through one system under one condition, and score them."""
    streamed = stream_condition(settings, name, lookahead_ms, condition)
    played, outputs, spreads = streamed.played, streamed.outputs, streamed.spreads
    delay_ms = streamed.delay_ms
    settled = slice(round(WARMUP_S * FS), None)
    scores = []
    for record, output in outputs.items():
        for row, (lead, heard) in enumerate(zip(("first", "second"), played[record].leads, strict=False)):
            about = (name, delay_ms, condition.noise, condition.snr, condition.own_drift, record, lead)
            figures = heard.figures(output[row, settled], qrs=settings.qrs)
            if record in spreads:
                figures["within_spread"] = heard.within_spread(
                    output[row, settled], spreads[record][row, settled]
                )
            scores.append(asdict(Score(*about, **figures)))
    result: Result = {"scores": scores}
    if condition == settings.conditions[0]:
        first = settings.records[0]
        mlii = played[first].leads[0]
        shown = slice(0, round(EXAMPLE_S * FS))
        traces = {"raw": mlii.raw, "reference": mlii.reference, "cleaned": outputs[first][0, settled]}
        result["example"] = {
            "record": first,
            "condition": condition.label,
            "traces": {what: np.round(trace[shown], 4).tolist() for what, trace in traces.items()},
        }
    return result


@dataclass(frozen=True, eq=False)
class Streamed:
    """All records as they went through one system under one condition.

    Parameters
    ----------
    played, outputs, spreads
        By record: what came, and (leads, samples) mV each of what left and of the error that the network
        expects, from the first sample on; without spreads where the system states none.
    delay_ms
        Look-ahead and hop; None of a filter that needs the whole record.
    """

    played: dict[str, "Played"]
    outputs: dict[str, Samples]
    spreads: dict[str, Samples]
    delay_ms: float | None


def stream_condition(
    settings: EvaluateSettings, name: str, lookahead_ms: float | None, condition: Condition
) -> Streamed:
    """Stream all records through one system; a filter of `OFFLINE` has no look-ahead."""
    if lookahead_ms is None:
        played = _play(settings, condition, 1)
        return Streamed(played, {record: OFFLINE[name](one.raw) for record, one in played.items()}, {}, None)
    spec = load_card(name).spec
    config = EngineConfig.of(spec, lookahead_ms, settings.hop_ms)
    played = _play(settings, condition, spec.leads)
    raw = {record: one.raw for record, one in played.items()}
    return Streamed(
        played, *stream_with_spread(raw, config, _backend(settings.backend, name)), 1000 * config.delay_s
    )


@lru_cache(maxsize=2)
def _backend(runtime: str, name: str) -> AnyBackend:
    return open_backend(runtime, load_card(name))


@lru_cache(maxsize=128)
def _signal(source: SourceSettings) -> Signal:
    return open_signal(source)


def _bed(settings: EvaluateSettings, condition: Condition, record: str, leads: int) -> Player:
    """A record with noise from a place of its own on the tape."""
    source = SourceSettings(
        kind="replay",
        record=record,
        data_dir=settings.data_dir,
        leads=_lead_names(record, leads, settings.data_dir),
        start=settings.start,
        seconds=settings.seconds,
        speed=0,
        own_drift=condition.own_drift,
        noise=condition.noise,
        snr=condition.snr or 0.0,
        seed=int(record),
    )
    return play(_signal(replace(source, noise="none", snr=0.0)), source)


@lru_cache(maxsize=128)
def _lead_names(record: str, count: int, data_dir: Path | None) -> tuple[str, ...]:
    """MLII, and for a pair of leads the record's other one."""
    if count == 1:
        return (LEAD,)
    names = read_record(find_record(record, "mitdb", data_dir)).leads
    return (LEAD, *(name for name in names if name != LEAD))[:count]


@dataclass(frozen=True, eq=False)
class Played:
    """A record as every system gets it: raw, (leads, samples) mV, and its leads after the warm-up."""

    raw: Samples
    leads: list[Heard]


@lru_cache(maxsize=2)
def _play(settings: EvaluateSettings, condition: Condition, leads: int) -> dict[str, Played]:
    played = {}
    skip = round(WARMUP_S * FS)
    for record in settings.records:
        chunks = list(_bed(settings, condition, record, leads).chunks())
        raw = np.concatenate([chunk.data for chunk in chunks], axis=1)
        reference = np.concatenate(
            [chunk.reference for chunk in chunks if chunk.reference is not None], axis=1
        )
        marks = [mark for chunk in chunks for mark in chunk.annotations if mark.sample >= skip]
        beats, ventricular = (
            np.array([mark.sample - skip for mark in marks if mark.symbol in symbols], np.int64)
            for symbols in (BEAT_SYMBOLS, VENTRICULAR)
        )
        heard = [
            Heard(FS, *pair, beats, ventricular)
            for pair in zip(raw[:, skip:], reference[:, skip:], strict=True)
        ]
        played[record] = Played(raw, heard)
    return played
