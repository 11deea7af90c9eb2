"""One run: open what the job names, clean until it ends, and account for every sample."""

import gc
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from engine.backends import open_backend
from engine.config import EngineConfig
from engine.ledger import STAGES, Ledger
from engine.lsl_outlet import LslOutlet
from engine.messages import Cleaned, Emitted, Gap, Mark
from engine.pipeline import clean
from engine.recorder import Recorder
from engine.scorer import Scorer
from models.metrics import Moments
from models.registry import DEFAULT_NETWORK, load_card
from streamer.chunk import Chunk
from streamer.noise import NoiseSettings
from streamer.open_source import SourceSettings, open_source
from streamer.resample import Resampler, ratio, resample, resampled_info
from streamer.watchdog import StreamState

KEPT_S = 10.0
"""Seconds of the run's end that are kept for its picture."""
_WARMUP_CALLS = 5


@dataclass(frozen=True)
class Job:
    """What to run. Lengths of time in ms, as on the command line.

    Parameters
    ----------
    save
        Folder to record into; None records nothing.
    lsl_out
        Name of the LSL stream to publish the cleaned ECG as; None publishes nothing.
    launched_ns
        `time.perf_counter_ns` when the user asked for the run, for the cold start.
    """

    source: SourceSettings
    model: str = DEFAULT_NETWORK
    backend: str = "auto"
    threads: int = 1
    lookahead_ms: float = 300.0
    hop_ms: float = 40.0
    save: Path | None = None
    lsl_out: str | None = None
    launched_ns: int = field(default_factory=time.perf_counter_ns)


@dataclass(frozen=True)
class Status:
    """How the run is doing, for a screen; figures as in the summary."""

    seconds: float
    samples_in: int
    gaps: int
    gap_samples: int
    snr_in_db: float
    snr_out_db: float
    delay_p50_ms: float
    delay_p99_ms: float
    deadline_misses: int
    state: str = "LIVE"
    effective_fs_hz: float | None = None
    ppm: float | None = None
    sample_age_s: float = 0.0
    problem: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a run leaves: its summary (JSON), the end of its traces and its delays (for a picture)."""

    summary: dict[str, Any]
    traces: list[Cleaned]
    delay_edges_ms: np.ndarray
    delay_counts: np.ndarray


class Session:
    """Everything that one run holds. Opening it reads, loads and warms up; `run` plays.

    Parameters
    ----------
    stopped
        Asked while opening waits for a live stream.

    Raises
    ------
    InputError
        If something that the job names cannot be used.
    """

    def __init__(self, job: Job, stopped: Callable[[], bool] = lambda: False) -> None:
        self.job = job
        card = load_card(job.model)
        self.config = EngineConfig.from_ms(card.spec.fs, card.spec.window, job.lookahead_ms, job.hop_ms)
        self.source = open_source(job.source, stopped)
        self.backend = open_backend(job.backend, card, job.threads)
        self.info = resampled_info(self.source.info, self.config.fs)
        up, down = ratio(self.source.info.fs, self.config.fs)
        resampling_s = 0.0 if up == down else Resampler(self.source.info.fs, self.config.fs).delay_s
        self.algorithmic_delay_s = self.config.delay_s + resampling_s
        leads = len(self.info.leads)
        zeros = np.zeros((leads, card.spec.leads, card.spec.window), np.float32)
        for _ in range(_WARMUP_CALLS):
            self.backend.infer(zeros)
        self.recorder = Recorder(job.save, self.info) if job.save else None
        self.outlet = (
            LslOutlet(job.lsl_out, self.info, job.model, self.config, self.algorithmic_delay_s)
            if job.lsl_out is not None
            else None
        )
        self.scorer = Scorer(self.config.fs, leads)
        speed = self.source.speed
        self.ledger = Ledger(1e9 * self.config.hop / self.config.fs / speed if speed else 0.0)
        self._noise = job.source.noise_settings
        self._source_samples = self._samples_in = self._samples_out = 0
        self._gaps = self._gap_samples = 0
        self._marks = np.zeros(len(Mark), np.int64)
        self._first_ns = self._last_ns = 0
        self._state: StreamState | None = None

    def set_noise(self, settings: NoiseSettings) -> None:
        """Change the noise while playing."""
        self._noise = settings
        self.source.set_noise(settings)

    def run(
        self,
        stopped: Callable[[], bool] = lambda: False,
        show: Callable[[Emitted | Gap], None] = lambda message: None,
        idle: Callable[[], None] = lambda: None,
    ) -> Outcome:
        """Play to the end, or until `stopped` says so, and close everything.

        Parameters
        ----------
        stopped
            Asked before every chunk. What was read until then is still cleaned.
        show
            Gets every message first; must not block.
        idle
            Called every now and then while a live source is silent.
        """
        kept: deque[Cleaned] = deque(maxlen=max(1, round(KEPT_S * self.config.fs / self.config.hop)))
        # Everything made so far stays for good: the collector need not look at it again and again.
        gc.collect()
        gc.freeze()
        try:
            for message in clean(self._rounds(stopped, idle), self.config, self.backend):
                if not self._first_ns:
                    self._first_ns = time.perf_counter_ns()
                show(message)
                if self.recorder:
                    self.recorder.push(message)
                if self.outlet:
                    self.outlet.push(message)
                if isinstance(message, Gap):
                    self._gaps += 1
                    self._gap_samples += message.stop - message.start
                    continue
                self.scorer.push(message)
                kept.append(message.released())
                self._samples_out += message.raw.shape[1]
                self._marks += np.bincount(message.marks.ravel(), minlength=len(Mark))
                self.ledger.note(message, time.perf_counter_ns())
        finally:
            self._last_ns = time.perf_counter_ns()
            gc.unfreeze()
            if self.recorder:
                self.recorder.close()
            if self.outlet:
                self.outlet.close()
            self.backend.close()
        return Outcome(self.summary(), list(kept), *self.ledger.total.bars())

    def _rounds(self, stopped: Callable[[], bool], idle: Callable[[], None]) -> Iterator[list[Chunk]]:
        """Count what the source sends, bring it to the network's rate, and stop when asked."""

        def counted() -> Iterator[Chunk]:
            for chunk in self.source.chunks():
                self._source_samples += chunk.data.shape[1]
                self._note_state()
                if chunk.data.shape[1] or chunk.ends_segment:
                    yield chunk
                if not chunk.data.shape[1]:
                    idle()
                if stopped():
                    return

        for chunk in resample(counted(), self.source.info, self.config.fs):
            self._samples_in += chunk.data.shape[1]
            yield [chunk]

    def _note_state(self) -> None:
        """Tell the sinks when the source's state has changed."""
        state = self.source.health.state
        if state is self._state:
            return
        self._state = state
        if self.recorder:
            self.recorder.note_state(state)
        if self.outlet:
            self.outlet.note_state(state)

    def status(self) -> Status:
        """Figures of this moment."""
        health = self.source.health
        snr_in, snr_out = self.scorer.rolling_snr_db()
        self.ledger.settle()
        total = self.ledger.total
        return Status(
            seconds=self._samples_out / self.config.fs,
            samples_in=self._samples_in,
            gaps=self._gaps,
            gap_samples=self._gap_samples,
            snr_in_db=snr_in,
            snr_out_db=snr_out,
            delay_p50_ms=total.percentile_ms(50),
            delay_p99_ms=total.percentile_ms(99),
            deadline_misses=self.ledger.deadline_misses,
            state=health.state,
            effective_fs_hz=health.effective_fs_hz,
            ppm=health.ppm,
            sample_age_s=health.sample_age_s,
            problem=health.problem,
        )

    def summary(self) -> dict[str, Any]:
        """Everything that the run can say of itself, ready for JSON; NaN is null."""
        self.ledger.settle()
        job, config, total = self.job, self.config, self.ledger.total
        before, after = self.scorer.result()
        scored = self.info.has_reference and after.count.max() > 0
        signal_s = self._samples_out / config.fs
        return {
            "source": self.source.info.name,
            "leads": list(self.info.leads),
            "source_fs_hz": self.source.info.fs,
            "fs_hz": config.fs,
            "noise": self._noise.weights,
            "noise_snr_db": self._noise.snr_db if self._noise.weights else None,
            "snr_definition": self._noise.definition,
            "noise_part": self._noise.part if job.source.kind == "replay" else job.source.kind,
            "own_drift": job.source.own_drift,
            "seed": job.source.seed,
            "speed": self.source.speed,
            "model": job.model,
            "backend": self.backend.name,
            "lookahead_ms": 1000 * config.lookahead / config.fs,
            "hop_ms": 1000 * config.hop / config.fs,
            "seconds": signal_s,
            "source_samples": self._source_samples,
            "samples_in": self._samples_in,
            "samples_out": self._samples_out,
            "samples_lost": self._samples_in - self._samples_out,
            "gaps": self._gaps,
            "gap_samples": self._gap_samples,
            "stream": self._stream_summary() if job.source.kind == "lsl" else None,
            "marks": {mark.name.lower(): int(self._marks[mark]) for mark in Mark},
            "snr_in_db": _mean(before.snr_db) if scored else None,
            "snr_out_db": _mean(after.snr_db) if scored else None,
            "rmse_mv": _mean(after.rmse_mv) if scored else None,
            "per_lead": self._per_lead(before, after) if scored else None,
            "delay_ms": {
                "algorithmic": 1000 * self.algorithmic_delay_s,
                **{f"p{percent}": _number(total.percentile_ms(percent)) for percent in (50, 95, 99)},
                "max": _number(total.max_ms),
            },
            "ledger_ms": {
                stage: {
                    "p50": _number(histogram.percentile_ms(50)),
                    "p99": _number(histogram.percentile_ms(99)),
                    "max": _number(histogram.max_ms),
                }
                for stage, histogram in ((stage, self.ledger.stages[stage]) for stage in STAGES)
            },
            "hops": self.ledger.hops,
            "deadline_misses": self.ledger.deadline_misses,
            "realtime_factor": _number(self.ledger.busy_ns / 1e9 / signal_s if signal_s else np.nan),
            "cold_start_s": (self._first_ns - job.launched_ns) / 1e9 if self._first_ns else None,
            "wall_s": (self._last_ns - job.launched_ns) / 1e9,
            "recording": str(self.recorder.path) if self.recorder else None,
            "recording_clipped": self.recorder.clipped if self.recorder else None,
            "lsl_out": job.lsl_out,
        }

    def _stream_summary(self) -> dict[str, Any]:
        """What a live stream did, counted in its own samples."""
        health = self.source.health
        return {
            "state": health.state,
            "states": health.states,
            "effective_rate_hz": health.effective_fs_hz,
            "ppm": health.ppm,
            **asdict(health.counts),
            "notes": list(self.source.info.notes),
            "problem": health.problem,
        }

    def _per_lead(self, before: Moments, after: Moments) -> dict[str, dict[str, float | None]]:
        columns = zip(self.info.leads, before.snr_db, after.snr_db, after.rmse_mv, strict=True)
        return {
            lead: {"snr_in_db": _number(i), "snr_out_db": _number(o), "rmse_mv": _number(r)}
            for lead, i, o, r in columns
        }


def _number(value: float) -> float | None:
    """JSON has no NaN."""
    return float(value) if np.isfinite(value) else None


def _mean(values: np.ndarray) -> float | None:
    return _number(np.nanmean(values)) if np.isfinite(values).any() else None
