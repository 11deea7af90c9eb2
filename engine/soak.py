"""A day of several patients with every fault, as fast as the machine allows, and its account."""

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

from engine.account import Account
from engine.backends import open_backend
from engine.config import EngineConfig
from engine.ctrl_c import ctrl_c_noted
from engine.doubt import limits_of
from engine.ledger import Histogram
from engine.messages import Emitted, Gap, Mark
from engine.pipeline import clean
from engine.recording import Recording
from models.registry import load_card
from streamer.chunk import Chunk
from streamer.errors import InputError
from streamer.faults import FaultSettings, parse_faults
from streamer.faulty_source import FaultySource
from streamer.noise import NoiseMixer, NoiseSettings, power_ac
from streamer.replay import RecordSignal
from streamer.resample import resample, resampled_info
from streamer.source import Player
from streamer.synthetic import SyntheticPatient, synthetic_tape
from streamer.wfdb_record import WfdbRecord

IDENTITY = "identity"
ROUND_S = 1.0
"""Signal that is handed over at once: the devices' packets, and the unit of the timing."""
RATES_HZ = (360.0, 360.0, 360.0, 250.0, 360.0, 360.0, 360.0, 500.0)
"""Of the patients, in turn; what is not at the engine's rate is resampled."""
FIRST_FAULT_S = 120.0
"""By then the true rates of the devices are known to the sample over the longest break."""

_TAPE_S = 120.0
_HOUR_S = 3600.0
_LOOK_S = 600.0
_SETTLED_S = 4200.0
_TOLERANCE = np.float32(2e-6)  # of a sample's size: overlap-add adds up single-precision weights
_MISSING = int(Mark.MISSING)


@dataclass(frozen=True)
class SoakSettings:
    """What to soak.

    Parameters
    ----------
    hours, streams
        How much signal, and of how many patients.
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


class _Bed:
    """One patient: a source that goes wrong, and the account of what leaves the engine."""

    def __init__(self, number: int, settings: SoakSettings, config: EngineConfig) -> None:
        fs = RATES_HZ[number % len(RATES_HZ)]
        patient = SyntheticPatient(fs=fs, seed=settings.seed + number, leads=("II",))
        block = patient.read(0, round(_TAPE_S * fs))
        tape = WfdbRecord(f"patient-{number}", fs, ("II",), block.data, block.annotations)
        # Without a reference nothing is scored: a day of figures of merit would prove nothing here.
        signal = RecordSignal(tape, tape.name, loop=True, noisy=True)
        silent = NoiseMixer(
            NoiseSettings({}), np.ones(1), power_ac, lambda kind: synthetic_tape(kind, fs, 0), 1
        )
        player = Player(signal, silent, 0.0, round(settings.hours * _HOUR_S * fs), ROUND_S)
        kinds = parse_faults(settings.faults).kinds
        faults = FaultSettings(kinds, settings.seed + number, FIRST_FAULT_S)
        self.source = FaultySource(player, faults)
        self.name = self.source.info.source_id
        self.info = resampled_info(self.source.info, config.fs)
        self.account = Account(self.info, 0.0)
        self.arrived = self.reported_gap = 0
        self.next = 0
        self.worst_mv = 0.0
        self.problems: list[str] = []
        self._fs = config.fs
        self._exact = settings.model == IDENTITY

    def chunks(self) -> Iterator[Chunk]:
        """Everything that comes through, at the rate of the engine."""

        def counted() -> Iterator[Chunk]:
            for chunk in self.source.chunks():
                self.account.source_samples += chunk.data.shape[1]
                if chunk.data.shape[1] or chunk.ends_segment:
                    yield chunk

        return resample(counted(), self.source.info, self._fs)

    def take(self, message: Emitted | Gap) -> None:
        """Count a message, and note whatever is wrong with it."""
        if message.start != self.next:
            self._note(f"sample {message.start} left where {self.next} was due")
        self.next = message.stop
        self.account.take(message)
        if isinstance(message, Gap):
            return
        cleaned, raw = message.cleaned, message.raw
        missing = message.marks == _MISSING
        if self._exact:
            right = np.abs(cleaned - raw) <= _TOLERANCE * (1 + np.abs(raw))
        else:
            right = np.isfinite(cleaned)
        if not (right | missing).all():
            self._note(f"sample {message.start}: an output that cannot be right")

    def _note(self, problem: str) -> None:
        if len(self.problems) < 20:
            self.problems.append(problem)

    def figures(self) -> dict[str, Any]:
        """The account of this patient, ready for JSON."""
        account, log = self.account, self.source.log
        marks = {mark.name.lower(): int(account.marks[mark]) for mark in Mark}
        counts = self.source.health.counts
        closed = self.next == sum(marks.values()) + account.gap_samples and account.samples_in == sum(
            marks.values()
        )
        return {
            "source_fs_hz": self.source.info.fs,
            "samples": self.next,
            **marks,
            "gap_samples": account.gap_samples,
            "gaps": account.gaps,
            "account_closes": closed,
            "samples_with_wrong_index": log.misplaced,
            "duplicates_dropped": counts.duplicates,
            "reordered": counts.reordered,
            "late": counts.late,
            "clock_jumps": counts.clock_jumps,
            "faults": dict(log.counts),
            "problems": self.problems,
        }


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
    beds = {bed.name: bed for bed in (_Bed(n, settings, config) for n in range(settings.streams))}
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
        "per_stream": {name: bed.figures() for name, bed in beds.items()},
        "exact": all(
            figures["account_closes"] and not figures["problems"] and not figures["samples_with_wrong_index"]
            for figures in (bed.figures() for bed in beds.values())
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
        # What else the machine did in between shows here.
        figures[name]["p99_by_hour"] = [round(hour.percentile_ms(99), 1) for hour in whole]
        figures[name]["p99_change_percent"] = 100 * (last.percentile_ms(99) / first.percentile_ms(99) - 1)
    return figures
