"""One stream of a run: where it comes from, where it goes, and what became of it."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from engine.config import EngineConfig
from engine.ledger.account import Account
from engine.ledger.delays import NO_DELAYS, DelayWatch
from engine.ledger.histogram import DELAY_EDGES_MS
from engine.ledger.position import Position
from engine.marks import explain
from engine.messages import Emitted, Gap
from engine.run.protocol import KEPT_S, Resume, Setup, Status, StreamOutcome
from engine.run.summary import LiveFigures, StreamSummary
from engine.sinks.lsl_outlet import LslOutlet
from engine.sinks.recording import Recording
from engine.source_rate import SourceRate
from streamer.chunk import Chunk
from streamer.errors import InputError
from streamer.faults.source import FaultySource, player_of
from streamer.noise import NoiseSettings
from streamer.open_source import kind_of
from streamer.resample import Resampler, ratio, resample
from streamer.settings import SourceSettings
from streamer.source import Source
from streamer.watchdog import StreamState


class StreamRun:
    """A source, the sinks of what leaves the engine of it, and its account.

    `chunks` may run on a thread of its own; `note_state` and `take` belong to the thread that
    cleans; the rest may be called from any.

    Parameters
    ----------
    settings
        What `source` was opened from.
    resume
        Where an engine that died left the stream; None where there was none.
    apart
        Whether other streams play beside it.
    number
        As `StartedStream.number`.
    kept_s
        How much of its end the outcome holds.
    """

    def __init__(
        self,
        settings: SourceSettings,
        source: Source,
        config: EngineConfig,
        resume: Resume | None = None,
        *,
        apart: bool = False,
        number: int = 1,
        kept_s: float = KEPT_S,
    ) -> None:
        self.number = number
        self.settings, self.source, self.config = settings, source, config
        self.info = source.info
        up, down = ratio(self.info.fs, config.fs)
        self._source_rate: SourceRate | None = None
        self._resampling_s = 0.0
        if up != down:
            self._source_rate = SourceRate(self.info.fs, config.fs)
            self._resampling_s = Resampler(self.info.fs, config.fs).delay_s + self._source_rate.delay_s
        self.account = Account(
            self.info, self.hop_ns, 1e9 / self.info.fs / source.speed if source.speed else 0
        )
        self._delays: DelayWatch | None = None
        self.player = player_of(source)
        """What can be held, and given noise; None for a live source."""
        self.recording: Recording | None = None
        self._last_recording: Recording | None = None
        # The control thread changes the recording, the one that cleans uses it.
        self._recording_lock = threading.Lock()
        self.outlet: LslOutlet | None = None
        self._published: str | None = None
        self._kept: deque[Emitted] = deque(maxlen=max(1, round(kept_s * config.fs / config.hop)))
        self._noise = settings.noise_settings
        self._state: StreamState | None = None
        self._resumed_s = 0.0
        self.ended = False
        self._apart, self.failure = apart, ""
        self._resume = resume
        self._position = Position()
        if resume:
            self._position = Position.after(resume.next, resume.samples, resume.gap_samples)
            self.account.go_on(resume.source_samples, resume.samples, resume.gaps, resume.gap_samples)
        self._ended_before: int | None = None
        self._unaccounted: dict[str, int] = {}

    @property
    def algorithmic_delay_s(self) -> float:
        """Look-ahead + hop + the delay of resampling to the network's rate and back."""
        return self.config.delay_s + self._resampling_s

    @property
    def hop_ns(self) -> float:
        """Real time between two hops; 0 where there is no pace."""
        speed = self.source.speed
        return 1e9 * self.config.hop / self.config.fs / speed if speed else 0.0

    # what changes while it plays

    def retuned(self, config: EngineConfig, about: Sequence[str]) -> None:
        """Account for the samples that follow by other settings, and have the recording say so."""
        self.config = config
        with self._recording_lock:
            if self.recording:
                self.recording.note_settings(about)
        self.account.ledger.hop_ns = self.hop_ns
        if self._delays:
            self._delays.restart()

    def set_noise(self, settings: NoiseSettings) -> None:
        """Change the noise; raises `InputError` where it cannot be had."""
        self.source.set_noise(settings)
        self._noise = settings

    def pause(self, paused: bool) -> None:
        """Hold a played signal; a live one cannot be held and goes on."""
        if self.player is None:
            return
        if not paused:
            self._resumed_s = time.perf_counter()
        self.player.pause(paused)

    def record(
        self,
        folder: Path | None,
        rotate_s: float | None = None,
        about: Sequence[str] = (),
        begun: Callable[[str], None] = lambda record: None,
    ) -> None:
        """Record into a folder from now on, a file every `rotate_s`; None ends the recording.

        Parameters
        ----------
        begun
            Told the record, without extension, before there is a frame in it.
        """
        recording = Recording(folder, self.info, rotate_s, about) if folder else None
        if recording:
            begun(str(recording.path))
        if recording and self._resume and self._resume.recorded_next is not None:
            recording.go_on(self._resume.recorded or "", self._resume.recorded_next)
        # A recording that is begun later continues none.
        self._resume = None
        with self._recording_lock:
            before, self.recording = self.recording, recording
        if recording:
            self._last_recording = recording
        if before:
            before.close()
            self._check("recording", before.unaccounted)

    def mark(self, sample: int, note: str) -> None:
        """Tell the sinks of a person's mark; raises `InputError` where the recording begins behind it."""
        if self.outlet:
            self.outlet.mark(sample, note)
        with self._recording_lock:
            if self.recording and not self.recording.mark(sample, note):
                raise InputError("the mark lies before what is recorded, and is not in the recording")

    def publish(self, name: str, model: str) -> None:
        """Publish what leaves the engine as an LSL stream."""
        self._published = name
        self.outlet = LslOutlet(name, self.info, model, self.config, self.algorithmic_delay_s)

    def close(self) -> None:
        """End recording and publishing."""
        self.record(None)
        if self.outlet:
            self.outlet.close()
            self._check("LSL stream", self.outlet.unaccounted)
        self._check("engine", self._position.unaccounted(self.account.samples_out + self.account.gap_samples))

    def _check(self, sink: str, unaccounted: int) -> None:
        if unaccounted:
            self._unaccounted[sink] = self._unaccounted.get(sink, 0) + unaccounted

    # samples

    def chunks(self, stopped: Callable[[], bool]) -> Iterator[Chunk]:
        """Count what the source sends, bring it to the network's rate, and stop when asked.

        The last chunk ends the segment: what waits for look-ahead leaves while other streams go on.
        """

        def counted() -> Iterator[Chunk]:
            end = 0
            try:
                for chunk in self.source.chunks():
                    end = chunk.stop
                    if self.player and not chunk.data.shape[1]:
                        self._ended_before = end
                    self.account.source_samples += chunk.data.shape[1]
                    self.account.samples_in += chunk.data.shape[1]
                    if self._source_rate:
                        self._source_rate.note(chunk)
                    yield chunk
                    if stopped():
                        break
            except InputError as error:
                # A run of which nothing has come is refused; what has come is cleaned, and summed up.
                if not self._apart and not self.account.source_samples:
                    raise
                self.failure = str(error)
            if self._source_rate:
                self._source_rate.note(self._last_chunk(end))

        end = 0
        for chunk in resample(counted(), self.info, self.config.fs, without_spikes=True):
            end = chunk.stop
            yield chunk
        self.ended = True
        yield self._last_chunk(end)

    def _last_chunk(self, end: int) -> Chunk:
        nothing = np.empty((len(self.info.leads), 0), np.float32)
        now = time.perf_counter_ns()
        return Chunk(self.info.source_id, end, nothing, np.empty(0), now, ends_segment=True)

    def note_state(self) -> None:
        """Tell the sinks when the source's state has changed; to be called often."""
        if self.outlet:
            self.outlet.repeat()
        state = self.source.health.state
        if state is self._state:
            return
        self._state = state
        with self._recording_lock:
            if self.recording:
                self.recording.note_state(state)
        if self.outlet:
            self.outlet.note_state(state)

    def note_step(self, step: str, why: str) -> None:
        """Tell the sinks what cleans from now on."""
        with self._recording_lock:
            if self.recording:
                self.recording.note_step(step, why)
        if self.outlet:
            self.outlet.note_step(step, why)

    def leaving(self, message: Emitted | Gap) -> Iterator[Emitted | Gap]:
        """What leaves with a message of the pipeline, at the rate of the source.

        Before it comes the gap that no pipeline has reported. A pipeline knows of a gap that lies between
        two of its chunks. One that takes over while nothing comes begins behind the gap; where the
        stream stands, only the stream knows.
        """
        for each in self._source_rate.take(message) if self._source_rate else (message,):
            gap = self._position.gap_before(each)
            if gap:
                yield gap
            yield each

    def rest(self) -> Iterator[Emitted | Gap]:
        """What leaves when the pipeline has ended.

        Of a played signal that ended while no engine played it no sample came, and no pipeline has heard:
        all that was left of it is a gap.
        """
        if self._source_rate:
            yield from self._source_rate.rest()
        stands = self._position.next
        if self._ended_before is not None and stands is not None and stands < self._ended_before:
            yield Gap(self.info.source_id, stands, self._ended_before)

    def take(self, message: Emitted | Gap) -> None:
        """Hand to every sink what leaves the engine, and count it."""
        self._position.note(message)
        with self._recording_lock:
            if self.recording:
                self.recording.push(message)
        if self.outlet:
            self.outlet.push(message)
        if isinstance(message, Gap):
            self.account.take(message)
            return
        self._kept.append(message)
        # What was on its way when the user paused waited for the user, not for the engine.
        self.account.take(message, timed=not message.source_time[0] < self._resumed_s)

    # what became of it

    def status(self, setup: Setup, delays_s: float | None = 0.0) -> Status:
        """Figures of this moment; those of delays may be as old as `delays_s`, or None if nobody looks."""
        health, account, recording = self.source.health, self.account, self.recording
        snr_in, snr_out = account.scorer.rolling_snr_db()
        account.ledger.settle()
        total = account.ledger.total
        delay_p50_ms, delay_p99_ms = total.percentiles_ms(50, 99)
        return Status(
            seconds=account.samples_out / self.info.fs,
            samples_in=account.samples_in,
            gaps=account.gaps,
            gap_samples=account.gap_samples,
            snr_in_db=snr_in,
            snr_out_db=snr_out,
            delay_p50_ms=delay_p50_ms,
            delay_p99_ms=delay_p99_ms,
            deadline_misses=account.ledger.deadline_misses,
            setup=setup,
            delays=NO_DELAYS if delays_s is None else self._watch().snapshot(delays_s),
            recording=str(recording.path) if recording and not recording.problem else None,
            recording_problem=recording.problem if recording else "",
            state=health.state,
            effective_fs_hz=health.effective_fs_hz,
            ppm=health.ppm,
            sample_age_s=health.sample_age_s,
            problem=self.failure or health.problem,
            untimed=health.untimed,
            stream=self.info.source_id,
            ended=self.ended,
            reasons=explain(self._kept[-1].verdict, self.info.leads) if self._kept else {},
            next=self._position.next or 0,
            source_fs_hz=self.info.fs,
            source_samples=account.source_samples,
            samples_out=account.samples_out,
            hops=account.ledger.hops,
            marks=account.marks_by_name,
            delay_counts=total.between(DELAY_EDGES_MS),
            delay_sum_s=total.sum_s,
        )

    def _watch(self) -> DelayWatch:
        """Delays for a screen, gathered only where one asks: they are most of what a status costs."""
        if self._delays is None:
            self._delays = DelayWatch(self.account.ledger, self.info.fs)
        return self._delays

    def outcome(self) -> StreamOutcome:
        """The end of its signal, and its delays."""
        return StreamOutcome(
            [message.released() for message in self._kept], *self.account.ledger.total.bars()
        )

    def summary(self, launched_ns: int) -> StreamSummary:
        """Everything that can be said of it."""
        settings, source, recording = self.settings, self.source, self._last_recording
        faults = source.log.figures() if isinstance(source, FaultySource) else None
        noise, kind = self._noise, kind_of(settings.kind)
        return StreamSummary(
            **vars(self.account.figures(launched_ns, self.algorithmic_delay_s)),
            source=source.info.name,
            leads=list(self.info.leads),
            source_fs_hz=self.info.fs,
            fs_hz=self.info.fs,
            noise=dict(noise.weights),
            noise_snr_db=noise.snr_db if noise.weights else float("nan"),
            snr_definition=noise.definition,
            noise_part=noise.part if kind.recorded_noise else settings.name,
            own_drift=settings.own_drift,
            seed=settings.seed,
            speed=source.speed,
            stream=None if kind.played and not faults else LiveFigures.of(source),
            faults=faults,
            recording=str(recording.path) if recording else None,
            recording_files=recording.files if recording else 0,
            recording_problem=recording.problem if recording else "",
            recording_clipped=recording.clipped if recording else None,
            lsl_out=self._published,
            unaccounted=dict(self._unaccounted),
            failure=self.failure,
        )
