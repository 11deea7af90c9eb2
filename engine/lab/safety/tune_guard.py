"""Measure what the thresholds of `engine.guard.checks` are chosen from: records, and noise alone.

A threshold must let pass records with moderate noise, and stop noise without an ECG.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from engine.backends import open_backend
from engine.backends.base import keeps_state
from engine.config import EngineConfig
from engine.guard.checks import Checks
from engine.guard.limits import limits_of
from engine.guard.stage import guard
from engine.lab.replay import play
from engine.lab.safety.guard_limits import ROUND
from engine.lab.safety.validation_signals import noise_alone, record_with_noise
from engine.marks import Mark
from engine.messages import Emitted
from engine.pipeline import unguarded
from models.benches.track_f import FS, VALIDATION_RECORDS
from models.registry import load_card
from streamer.chunk import Samples

CONDITIONS = (("none", 0.0), ("bw", -4.0), ("em", 6.0), ("em", 0.0), ("em", -4.0), ("ma", -4.0))
_WARMUP_S = 10.0


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
        heard = [
            record_with_noise(record, kind, snr, settings.seconds + _WARMUP_S, settings.data_dir)
            for record in VALIDATION_RECORDS
        ]
        yield {"condition": f"{kind} {snr:g} dB" if kind != "none" else "clean", **_look(settings, heard)}
    alone = noise_alone(settings.seconds + _WARMUP_S, settings.data_dir)
    for kind, signals in groupby(alone, key=lambda named: named[0]):
        heard = [signal for _, signal in signals]
        yield {"condition": f"{kind} alone", **_look(settings, heard)}


def _look(settings: TuneSettings, signals: list[Samples]) -> dict[str, Any]:
    card = load_card(settings.model)
    config = EngineConfig.of(card.spec, settings.lookahead_ms, settings.hop_ms)
    backend = open_backend(settings.backend, card)
    limits = limits_of(card)
    prominence, kept, unsure, bypassed = [], [], [], []
    for raw in signals:
        checks = Checks(config, 1, limits, stateful=keeps_state(backend))

        def watched(messages: Iterator[Any], checks: Checks = checks) -> Iterator[Any]:
            for message in messages:
                checks.judge_one(message)
                if message.start >= _WARMUP_S * FS:
                    level, floor = checks.evidence.level[:, 0], checks.evidence.floor[:, 0]
                    prominence.append(level[0] / max(floor[0], 1e-6))
                    kept.append(level[1] / max(level[0], 1e-6))
                    unsure.append(checks.uncertainty.contradiction[0])
                yield message

        bypassed += [
            bool((message.marks == Mark.BYPASSED).any())
            for message in guard(
                watched(unguarded(play({"validation": raw}, ROUND), config, backend)), config, limits
            )
            if isinstance(message, Emitted) and message.start >= _WARMUP_S * FS
        ]
    backend.close()
    return {
        "hops": len(bypassed),
        "beats_above_floor": _percentiles(prominence),
        "cleaned_to_raw_level": _percentiles(kept),
        "contradiction": _percentiles(unsure),
        "bypassed_percent": 100 * float(np.mean(bypassed)),
    }


def _percentiles(values: list[float]) -> tuple[float, float, float]:
    """1st, 50th and 99th."""
    low, middle, high = np.nanpercentile(values, [1, 50, 99])
    return float(low), float(middle), float(high)
