"""One run: open what the job names, clean until it ends, and account for every sample."""

import gc
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.account import Account
from engine.backends import choose_backend, open_backend
from engine.backends.base import Backend
from engine.config import EngineConfig
from engine.delays import NO_DELAYS, Delays, DelayWatch
from engine.lead_groups import group_leads
from engine.lsl_outlet import LslOutlet
from engine.messages import Cleaned, Emitted, Gap
from engine.pipeline import clean
from engine.recorder import Recorder
from models.registry import DEFAULT_NETWORK, load_card
from streamer.chunk import Chunk
from streamer.errors import InputError
from streamer.noise import NoiseSettings
from streamer.open_source import SourceSettings, open_source
from streamer.resample import Resampler, ratio, resample, resampled_info
from streamer.source import Player
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
class Retune:
    """What can change while a stream plays; every field as in `Job`."""

    model: str
    backend: str
    lookahead_ms: float
    hop_ms: float


@dataclass(frozen=True)
class Setup:
    """The settings in force: `backend` is the one that runs, lengths of time are whole samples."""

    model: str = ""
    backend: str = ""
    lookahead_ms: float = 0.0
    hop_ms: float = 0.0
    algorithmic_delay_ms: float = 0.0


@dataclass(frozen=True)
class Status:
    """How the run is doing, for a screen; figures as in the summary.

    Parameters
    ----------
    setup, delays
        The settings in force, and the delays since they are.
    recording
        Record that is being written, without extension; None where none is.
    state, effective_fs_hz, ppm, sample_age_s
        What a live source says of itself.
    """

    seconds: float
    samples_in: int
    gaps: int
    gap_samples: int
    snr_in_db: float
    snr_out_db: float
    delay_p50_ms: float
    delay_p99_ms: float
    deadline_misses: int
    setup: Setup = Setup()
    delays: Delays = NO_DELAYS
    recording: str | None = None
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
        self.config = _config(job)
        self.source = open_source(job.source, stopped)
        self.backend = open_backend(job.backend, load_card(job.model), job.threads)
        self.info = resampled_info(self.source.info, self.config.fs)
        up, down = ratio(self.source.info.fs, self.config.fs)
        self._resampling_s = 0.0 if up == down else Resampler(self.source.info.fs, self.config.fs).delay_s
        self._warm_up(self.backend, self.config)
        self.recorder = Recorder(job.save, self.info) if job.save else None
        # The control thread changes the recorder and the settings, the main thread uses them.
        self._recording = threading.Lock()
        self._changing = threading.Lock()
        self._last_recorder = self.recorder
        self._pending: tuple[Job, EngineConfig, Backend] | None = None
        self._resumed_s = 0.0
        self.outlet = (
            LslOutlet(job.lsl_out, self.info, job.model, self.config, self.algorithmic_delay_s)
            if job.lsl_out is not None
            else None
        )
        self.account = Account(self.info, self._hop_ns())
        self.delays = DelayWatch(self.account.ledger, self.config.fs)
        self._noise = job.source.noise_settings
        self._state: StreamState | None = None

    @property
    def algorithmic_delay_s(self) -> float:
        """Look-ahead + hop + the delay of the resampler."""
        return self.config.delay_s + self._resampling_s

    def _hop_ns(self) -> float:
        speed = self.source.speed
        return 1e9 * self.config.hop / self.config.fs / speed if speed else 0.0

    def _warm_up(self, backend: Backend, config: EngineConfig) -> None:
        zeros = group_leads(np.zeros((len(self.info.leads), config.window), np.float32), backend.leads)
        for _ in range(_WARMUP_CALLS):
            backend.infer(zeros)

    # The following may be called from another thread while `run` plays.

    def set_noise(self, settings: NoiseSettings) -> None:
        """Change the noise while playing."""
        self.source.set_noise(settings)
        self._noise = settings

    def retune(self, wanted: Retune) -> None:
        """Go on with another network, backend, look-ahead or hop, from the next sample on.

        The new network is loaded and warmed up first, while the old one goes on cleaning.

        Raises
        ------
        InputError
            If it cannot be used; the old one then goes on.
        """
        job = replace(
            self.job,
            model=wanted.model,
            backend=wanted.backend,
            lookahead_ms=wanted.lookahead_ms,
            hop_ms=wanted.hop_ms,
        )
        config = _config(job)
        if config.fs != self.config.fs:
            raise InputError(
                f"model {job.model!r} works at {config.fs:g} Hz and this run at {self.config.fs:g} Hz; "
                "stop, and start again with it"
            )
        backend = open_backend(job.backend, load_card(job.model), job.threads)
        self._warm_up(backend, config)
        with self._changing:
            replaced, self._pending = self._pending, (job, config, backend)
        if replaced:
            replaced[2].close()

    def pause(self, paused: bool) -> None:
        """Hold a played signal; a live one cannot be held and goes on."""
        if not isinstance(self.source, Player):
            return
        if not paused:
            self._resumed_s = time.perf_counter()
        self.source.pause(paused)

    def record(self, folder: Path | None) -> None:
        """Record into a folder from now on; None ends the recording."""
        recorder = Recorder(folder, self.info) if folder else None
        with self._recording:
            before, self.recorder = self.recorder, recorder
        if recorder:
            self._last_recorder = recorder
        if before:
            before.close()

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
        kept: deque[Emitted] = deque(maxlen=max(1, round(KEPT_S * self.config.fs / self.config.hop)))
        # Everything made so far stays for good: the collector need not look at it again and again.
        gc.collect()
        gc.freeze()
        try:
            for message in self._cleaned(self._rounds(stopped, idle)):
                show(message)
                with self._recording:
                    if self.recorder:
                        self.recorder.push(message)
                if self.outlet:
                    self.outlet.push(message)
                if isinstance(message, Gap):
                    self.account.take(message)
                    continue
                kept.append(message)
                # What was on its way when the user paused waited for the user, not for the engine.
                self.account.take(message, timed=bool(message.source_time[0] >= self._resumed_s))
        finally:
            gc.unfreeze()
            self.record(None)
            if self.outlet:
                self.outlet.close()
            self.backend.close()
            if self._pending:
                self._pending[2].close()
        traces = [message.released() for message in kept]
        return Outcome(self.summary(), traces, *self.account.ledger.total.bars())

    def _cleaned(self, rounds: Iterator[list[Chunk]]) -> Iterator[Emitted | Gap]:
        """Clean to the end, with a new pipeline wherever the settings change.

        The old pipeline's flush releases every sample that still waits, with the last value as
        its future; the new one begins at the next sample. So none is lost, and there is no gap.
        """

        def until_retuned() -> Iterator[list[Chunk]]:
            for chunks in rounds:
                yield chunks
                if self._pending:
                    return

        while True:
            yield from clean(until_retuned(), self.config, self.backend)
            with self._changing:
                pending, self._pending = self._pending, None
            if pending is None:
                return
            before = self.backend
            self.job, self.config, self.backend = pending
            before.close()
            self.account.ledger.hop_ns = self._hop_ns()
            self.delays.restart()

    def _rounds(self, stopped: Callable[[], bool], idle: Callable[[], None]) -> Iterator[list[Chunk]]:
        """Count what the source sends, bring it to the network's rate, and stop when asked."""

        def counted() -> Iterator[Chunk]:
            for chunk in self.source.chunks():
                self.account.source_samples += chunk.data.shape[1]
                self._note_state()
                if chunk.data.shape[1] or chunk.ends_segment:
                    yield chunk
                if not chunk.data.shape[1]:
                    idle()
                if stopped():
                    return

        for chunk in resample(counted(), self.source.info, self.config.fs):
            self.account.samples_in += chunk.data.shape[1]
            yield [chunk]

    def _note_state(self) -> None:
        """Tell the sinks when the source's state has changed."""
        state = self.source.health.state
        if state is self._state:
            return
        self._state = state
        with self._recording:
            if self.recorder:
                self.recorder.note_state(state)
        if self.outlet:
            self.outlet.note_state(state)

    def status(self) -> Status:
        """Figures of this moment."""
        health, account = self.source.health, self.account
        snr_in, snr_out = account.scorer.rolling_snr_db()
        account.ledger.settle()
        total = account.ledger.total
        return Status(
            seconds=account.samples_out / self.config.fs,
            samples_in=account.samples_in,
            gaps=account.gaps,
            gap_samples=account.gap_samples,
            snr_in_db=snr_in,
            snr_out_db=snr_out,
            delay_p50_ms=total.percentile_ms(50),
            delay_p99_ms=total.percentile_ms(99),
            deadline_misses=account.ledger.deadline_misses,
            setup=self.setup(),
            delays=self.delays.snapshot(),
            recording=str(self.recorder.path) if self.recorder else None,
            state=health.state,
            effective_fs_hz=health.effective_fs_hz,
            ppm=health.ppm,
            sample_age_s=health.sample_age_s,
            problem=health.problem,
        )

    def setup(self) -> Setup:
        """The settings in force."""
        config = self.config
        return Setup(
            self.job.model,
            self.backend.name,
            1000 * config.lookahead / config.fs,
            1000 * config.hop / config.fs,
            1000 * self.algorithmic_delay_s,
        )

    def summary(self) -> dict[str, Any]:
        """Everything that the run can say of itself, ready for JSON; NaN is null."""
        job, config, recorder = self.job, self.config, self._last_recorder
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
            **self.account.figures(job.launched_ns, self.algorithmic_delay_s),
            "stream": self._stream_summary() if job.source.kind == "lsl" else None,
            "recording": str(recorder.path) if recorder else None,
            "recording_clipped": recorder.clipped if recorder else None,
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


def check_job(job: Job) -> None:
    """Raise InputError for what can be refused before anything is opened."""
    _config(job)
    choose_backend(job.backend)


def _config(job: Job) -> EngineConfig:
    spec = load_card(job.model).spec
    return EngineConfig.from_ms(spec.fs, spec.window, job.lookahead_ms, job.hop_ms)
