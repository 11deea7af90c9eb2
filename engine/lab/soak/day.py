"""Run a day of several patients with every fault, as fast as possible, and account for every sample."""

import gc
import heapq
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from engine.backends import open_backend
from engine.config import EngineConfig
from engine.guard.limits import limits_of
from engine.lab.soak.patient import ROUND_S, SoakPatient
from engine.ledger.histogram import Histogram
from engine.pipeline import clean
from engine.run.ctrl_c import ctrl_c_noted
from engine.sinks.recording import Recording
from models.registry import load_card
from streamer.chunk import Chunk
from streamer.errors import InputError
from streamer.faults.schedule import parse_faults

IDENTITY = "identity"
_HOUR_S = 3600.0
_LOOK_S = 600.0
_SETTLED_S = 4200.0


@dataclass(frozen=True)
class SoakSettings:
    """What to soak.

    Parameters
    ----------
    hours, streams
        Hours of signal, and number of patients.
    minutes
        Real time after which to stop wherever it is; None goes on to the end.
    model
        A network, or ``identity``: every stage of the engine, around a network that costs nothing
        and whose right output is known.
    record
        Folder to record the first patient into, a file an hour.
    """

    hours: float = 24.0
    streams: int = 8
    minutes: float | None = None
    model: str = IDENTITY
    hop_ms: float = 100.0
    faults: str = "all"
    seed: int = 0
    record: Path | None = None

    def __post_init__(self) -> None:
        if not 0 < self.hours < 10_000:
            raise InputError(f"hours must be a number above 0 and below 10000, got {self.hours}")
        if not 1 <= self.streams <= 64:
            raise InputError(f"streams must be 1 to 64, got {self.streams}")
        parse_faults(self.faults)


class _Pace:
    """Time that the engine takes for each round, hour by hour: on the wall's clock, and of the processor."""

    def __init__(self) -> None:
        self.wall: list[Histogram] = []
        self.processor: list[Histogram] = []

    def note(self, hour: int, wall_ns: int, processor_ns: int) -> None:
        """Note one round."""
        while len(self.wall) <= hour:
            self.wall.append(Histogram())
            self.processor.append(Histogram())
        self.wall[hour].add(np.array([wall_ns], np.float64))
        self.processor[hour].add(np.array([processor_ns], np.float64))


def soak(settings: SoakSettings, show: Callable[[float], None] = lambda hours: None) -> dict[str, Any]:
    """Run to the end, or to Ctrl-C, and return the account; ``hours`` says how far it came.

    Parameters
    ----------
    show
        Told every now and then how many hours of signal are done.

    Raises
    ------
    InputError
        If the settings cannot be used.
    """
    card = load_card(settings.model)
    spec = card.spec
    config = EngineConfig.of(spec, spec.lookahead_ms, settings.hop_ms)
    backend = open_backend("auto", card)
    patients = (
        SoakPatient(
            number,
            config,
            seconds=settings.hours * _HOUR_S,
            faults=settings.faults,
            seed=settings.seed,
            exact=settings.model == IDENTITY,
        )
        for number in range(settings.streams)
    )
    beds = {patient.name: patient for patient in patients}
    recorded = next(iter(beds))
    recording = Recording(settings.record, beds[recorded].info, _HOUR_S) if settings.record else None
    pace = _Pace()
    memory_mb: list[float] = []
    process = psutil.Process()

    def rounds() -> Iterator[list[Chunk]]:
        """What all patients sent in the same `ROUND_S` together; the engine is timed meanwhile."""
        coming = heapq.merge(*(bed.chunks() for bed in beds.values()), key=lambda chunk: chunk.stop)
        size = round(ROUND_S * config.fs)
        for number, together in groupby(coming, key=lambda chunk: chunk.stop // size):
            if pressed() or (
                settings.minutes is not None and time.perf_counter() - begun > 60 * settings.minutes
            ):
                return
            chunks = list(together)
            for chunk in chunks:
                beds[chunk.stream].account.samples_in += chunk.data.shape[1]
            seconds = number * ROUND_S
            if seconds >= _LOOK_S * len(memory_mb):
                memory_mb.append(process.memory_info().rss / 1e6)
                show(seconds / _HOUR_S)
            wall, processor = time.perf_counter_ns(), time.thread_time_ns()
            yield chunks
            pace.note(
                int(seconds // _HOUR_S), time.perf_counter_ns() - wall, time.thread_time_ns() - processor
            )

    gc.collect()
    gc.freeze()
    begun = time.perf_counter()
    try:
        with ctrl_c_noted() as pressed:
            for message in clean(rounds(), config, backend, limits=limits_of(card)):
                beds[message.stream].take(message)
                if recording and message.stream == recorded:
                    recording.push(message)
    finally:
        gc.unfreeze()
        backend.close()
        if recording:
            recording.close()
    memory_mb.append(process.memory_info().rss / 1e6)
    per_stream = {name: bed.figures() for name, bed in beds.items()}
    return {
        "hours": min(bed.next for bed in beds.values()) / config.fs / _HOUR_S,
        "hours_asked": settings.hours,
        "streams": settings.streams,
        "model": settings.model,
        "hop_ms": 1000 * config.hop / config.fs,
        "lookahead_ms": 1000 * config.lookahead / config.fs,
        "faults": list(parse_faults(settings.faults).kinds),
        "seed": settings.seed,
        "wall_minutes": (time.perf_counter() - begun) / 60,
        "memory_mb": _memory(memory_mb),
        "round_ms": _pace(pace),
        "recording": _recorded(recording) if recording else None,
        "per_stream": per_stream,
        "exact": all(
            figures["account_closes"] and not figures["problems"] and not figures["samples_with_wrong_index"]
            for figures in per_stream.values()
        ),
    }


def _recorded(recording: Recording) -> dict[str, Any]:
    """How much was recorded, as the headers of the files say."""
    import wfdb

    headers = sorted(recording.path.parent.glob("*.hea"))
    frames = sum(wfdb.rdheader(str(header.with_suffix(""))).sig_len for header in headers)
    return {"files": recording.files, "frames": frames, "problem": recording.problem}


def _memory(samples_mb: list[float]) -> dict[str, float]:
    """Growth since everything had been used once, the end of a file of the recording too."""
    settled = samples_mb[min(round(_SETTLED_S / _LOOK_S), len(samples_mb) - 1)]
    return {
        f"after_{_SETTLED_S / 60:g}_minutes": settled,
        "largest": max(samples_mb),
        "end": samples_mb[-1],
        "growth": samples_mb[-1] - settled,
    }


def _pace(pace: _Pace) -> dict[str, Any]:
    """Percentiles of the first and the last whole hour, ms for a round of all patients."""
    figures: dict[str, Any] = {"round_s": ROUND_S}
    for name, hours in (("wall", pace.wall), ("processor", pace.processor)):
        whole = hours[:-1] if len(hours) > 1 and hours[-1].count < hours[0].count else hours
        first, last = whole[0], whole[-1]
        figures[name] = {
            f"{which}_hour": {f"p{p}": hour.percentile_ms(p) for p in (50, 99)}
            for which, hour in (("first", first), ("last", last))
        }
        # Wall-clock time includes other load on the machine.
        figures[name]["p99_by_hour"] = [round(hour.percentile_ms(99), 1) for hour in whole]
        figures[name]["p99_change_percent"] = 100 * (last.percentile_ms(99) / first.percentile_ms(99) - 1)
    return figures
