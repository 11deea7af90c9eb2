"""What the thresholds of `engine.checks` were read off: validation records, and noise alone.

A threshold has to lie between what it must let pass (records, with noise that the network copes with)
and what it must catch (noise without a heart).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.backends import open_backend
from engine.checks import Checks
from engine.config import EngineConfig
from engine.guard import guard
from engine.messages import Emitted, Mark
from engine.pipeline import unguarded
from models.registry import load_card
from models.track_f import FS, LEAD, VALIDATION_RECORDS
from streamer.chunk import Chunk, Samples
from streamer.noise import KINDS, take
from streamer.nstdb import load_tape
from streamer.open_source import SourceSettings, open_signal, play

CONDITIONS = (("none", 0.0), ("bw", -4.0), ("em", 6.0), ("em", 0.0), ("em", -4.0), ("ma", -4.0))
_WARMUP_S = 10.0
_START_S = 600.0
_CHUNK = 36


@dataclass(frozen=True)
class TuneSettings:
    """Network and settings to look at; `seconds` of every record and noise, after the warm-up."""

    model: str
    lookahead_ms: float = 300.0
    hop_ms: float = 40.0
    seconds: float = 60.0
    backend: str = "auto"
    data_dir: Path | None = None


def tune_guard(settings: TuneSettings) -> Iterator[dict[str, Any]]:
    """A row per condition: percentiles of what the thresholds look at, and what the guard makes of it."""
    for kind, snr in CONDITIONS:
        heard = [_noisy(settings, record, kind, snr) for record in VALIDATION_RECORDS]
        yield {"condition": f"{kind} {snr:g} dB" if kind != "none" else "clean", **_look(settings, heard)}
    count = round((settings.seconds + _WARMUP_S) * FS)
    for kind in KINDS:
        tape = take(load_tape(kind, "validation", FS, settings.data_dir), 0, count)
        yield {"condition": f"{kind} alone", **_look(settings, [tape[:1], tape[1:]])}


def _noisy(settings: TuneSettings, record: str, kind: str, snr: float) -> Samples:
    source = SourceSettings(
        kind="replay",
        record=record,
        data_dir=settings.data_dir,
        leads=(LEAD,),
        start=_START_S,
        seconds=settings.seconds + _WARMUP_S,
        speed=0,
        noise=kind,
        snr=snr,
        noise_part="validation",
        seed=int(record),
    )
    return np.concatenate([chunk.data for chunk in play(open_signal(source), source).chunks()], axis=1)


def _look(settings: TuneSettings, signals: list[Samples]) -> dict[str, Any]:
    card = load_card(settings.model)
    config = EngineConfig.of(card.spec, settings.lookahead_ms, settings.hop_ms)
    backend = open_backend(settings.backend, card)
    prominence, kept, unsure, bypassed = [], [], [], []
    for raw in signals:
        checks = Checks(config, 1)

        def watched(messages: Iterator[Any], checks: Checks = checks) -> Iterator[Any]:
            for message in messages:
                checks.judge(message)
                if message.start >= _WARMUP_S * FS:
                    level, floor = checks.evidence.level[:, 0], checks.evidence.floor[:, 0]
                    prominence.append(level[0] / max(floor[0], 1e-6))
                    kept.append(level[1] / max(level[0], 1e-6))
                    unsure.append(checks.unsure[0])
                yield message

        chunks = (
            [
                Chunk(
                    "tuned",
                    at,
                    raw[:, at : at + _CHUNK],
                    np.arange(raw[:, at : at + _CHUNK].shape[1]) / FS,
                    0,
                )
            ]
            for at in range(0, raw.shape[1], _CHUNK)
        )
        bypassed += [
            bool((message.marks == Mark.BYPASSED).any())
            for message in guard(watched(unguarded(chunks, config, backend)), config)
            if isinstance(message, Emitted) and message.start >= _WARMUP_S * FS
        ]
    backend.close()
    return {
        "hops": len(bypassed),
        "beats_above_floor": _percentiles(prominence),
        "cleaned_to_raw_level": _percentiles(kept),
        "taken_back": _percentiles(unsure),
        "bypassed_percent": 100 * float(np.mean(bypassed)),
    }


def _percentiles(values: list[float]) -> tuple[float, float, float]:
    """1st, 50th and 99th."""
    low, middle, high = np.nanpercentile(values, [1, 50, 99])
    return float(low), float(middle), float(high)
