"""One run: open what the job names, clean until it ends, and account for every sample."""

import gc
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from engine.backends.base import AnyBackend
from engine.batch import HOLD_SHARE, Batcher
from engine.config import EngineConfig
from engine.guard.limits import limits_of
from engine.lead_groups import rows_of
from engine.ledger.account import Tally, memory_mb
from engine.messages import Emitted, Gap
from engine.pipeline import clean, rehearse
from engine.run.changeover import Changeover
from engine.run.commands import UserMark
from engine.run.fallback import fallback_for
from engine.run.ladder import Ladder, Rung
from engine.run.merge import as_they_come, in_step, parts_of
from engine.run.newcomers import LOOK_S, open_streams
from engine.run.prepare import config_of, prepare
from engine.run.protocol import (
    CleanSettings,
    Job,
    News,
    Outcome,
    RecordBegun,
    Setup,
    StartedStream,
    Status,
    Told,
)
from engine.run.start import StartTimes
from engine.run.stream import StreamRun
from engine.run.summary import Memory, Summary
from engine.sinks.recorder import SUBJECT
from models.registry import load_card
from streamer.chunk import Chunk
from streamer.console.installed import version_here
from streamer.errors import InputError
from streamer.noise import NoiseSettings
from streamer.plain import plain
from streamer.several import asked_for
from streamer.source import Source

log = logging.getLogger(__name__)

_WARMUP_CALLS = 5
_LONGEST_NOTE = 200
_FEW, _DELAYS_S = 16, 0.025
"""Of more streams than these, the delays of one are summed up once in so long, and not at every status; and
all that a run may need is got ready before it plays."""


class Session:
    """Everything that one run holds. Opening it reads, loads and warms up; `run` plays.

    Parameters
    ----------
    stopped
        Asked while opening waits for a live stream.

    Attributes
    ----------
    streams
        In the order of the job.

    Raises
    ------
    InputError
        If something that the job names cannot be used.
    """

    def __init__(self, job: Job, stopped: Callable[[], bool] = lambda: False) -> None:
        self.job, self._start = job, StartTimes(job.launched_ns)
        self._start.note("process")
        # Settings that cannot be had are refused before a source is opened.
        config = config_of(job.clean)
        self.streams, self._newcomers = open_streams(job, config, stopped)
        self._start.note("source")
        first = prepare(job.clean, job.threads)
        self._start.note("network")
        self._named = {stream.info.source_id: stream for stream in self.streams}
        self._warm_up(first.backend, config)
        self._start.note("rehearsal")
        self._ladder = Ladder(time.perf_counter) if job.ladder else None
        if self._ladder:
            # A machine that is late already must not import scipy and design a filter first; one that starts
            # with a few streams need not wait for it.
            stand_in = fallback_for(Rung.FILTER, config, first.backend).backend
            warming = threading.Thread(
                target=self._warm_up, args=(stand_in, config), name="warming up the stand-in", daemon=True
            )
            warming.start()
            if len(self.streams) > _FEW:
                # Beside many beds it would be the first thing that makes the machine late.
                warming.join()
        self._changeover = Changeover(first, self._ladder)
        self._misses = 0
        self._batcher: Batcher | None = None
        # The control thread begins a recording while a stream may join.
        self._recording = threading.Lock()
        self._folder: Path | None = None
        self.record(job.save)

    def _warm_up(self, backend: AnyBackend, config: EngineConfig) -> None:
        for rows in {rows_of(len(stream.info.leads), backend.leads) for stream in self.streams}:
            for _ in range(_WARMUP_CALLS):
                rehearse(backend, config, rows)

    @property
    def config(self) -> EngineConfig:
        """Window, hop and look-ahead that were asked for."""
        return self._changeover.asked.config

    # The following may be called from another thread while `run` plays. All of it is for every stream.

    def set_noise(self, settings: NoiseSettings) -> None:
        """Change the noise while playing; live streams beside played ones stay as they are."""
        played = [stream for stream in self.streams if stream.player]
        for stream in played or self.streams:
            # Patients differ by their seeds, and keep them.
            seed = settings.seed + stream.settings.seed - self.streams[0].settings.seed
            stream.set_noise(replace(settings, seed=seed))

    def retune(self, wanted: CleanSettings) -> None:
        """Go on with another network, backend, look-ahead or hop, from the next sample on.

        The new network is loaded and warmed up first, while the old one goes on cleaning.

        Raises
        ------
        InputError
            If it cannot be used; the old one then goes on.
        """
        config = config_of(wanted)
        if config.fs != self.config.fs:
            raise InputError(
                f"model {wanted.model!r} works at {config.fs:g} Hz and this run at {self.config.fs:g} Hz; "
                "stop, and start again with it"
            )
        prepared = prepare(wanted, self.job.threads)
        self._warm_up(prepared.backend, config)
        self._changeover.request(prepared)

    def pause(self, paused: bool) -> None:
        """Hold played signals; a live one cannot be held and goes on."""
        for stream in self.streams:
            stream.pause(paused)

    def record(self, folder: Path | None, begun: Callable[[RecordBegun], None] = lambda begun: None) -> None:
        """Record each stream into a folder from now on; None ends the recording.

        Parameters
        ----------
        begun
            Told of each record before there is a frame in it: whoever hears it can close what a process that
            dies leaves open.
        """
        with self._recording:
            self._folder = folder
            for stream in self.streams:
                self._record(stream, begun)

    def _record(self, stream: StreamRun, begun: Callable[[RecordBegun], None] = lambda begun: None) -> None:
        minutes = self.job.rotate_minutes
        rotate_s = None if minutes is None else 60 * minutes

        def told(record: str) -> None:
            begun(RecordBegun(stream.info.source_id, record))

        stream.record(self._folder, rotate_s, self._about(), told)

    def mark(self, mark: UserMark) -> None:
        """Put a person's mark into the recording and among the published events.

        Raises
        ------
        InputError
            If the recording begins behind it, or there is no such stream.
        """
        for stream in self.streams:
            if stream.info.source_id == mark.stream:
                stream.mark(mark.sample, plain(mark.note, _LONGEST_NOTE))
                return
        raise InputError(f"no stream {mark.stream!r} plays, and the mark is in no recording")

    def _about(self) -> tuple[str, ...]:
        """What cleans, and whom, for the header of a recording."""
        clean = self._changeover.in_force
        settings = f"look-ahead {clean.lookahead_ms:.1f} ms, hop {clean.hop_ms:.1f} ms"
        who = (f"{SUBJECT}{self.job.subject}",) if self.job.subject else ()
        return f"ecg-stream {version_here()}", f"{clean.model} on {clean.backend}, {settings}", *who

    def run(
        self,
        stopped: Callable[[], bool] = lambda: False,
        show: Callable[[Emitted | Gap], None] = lambda message: None,
        idle: Callable[[], None] = lambda: None,
        news: Callable[[News], None] = lambda news: None,
    ) -> Outcome:
        """Play until every stream has ended, or `stopped` says so, and close everything.

        A stream that joins meanwhile plays beside the others from then on.

        Parameters
        ----------
        stopped
            Asked before every chunk, of several streams from the thread of each. What was read
            until then is still cleaned.
        show
            Gets every message first; must not block.
        idle
            Called every now and then, also while live sources are silent.
        news
            Told who joins, and who ends before its time; must not block.
        """
        newcomers = self._newcomers

        def ending() -> bool:
            return stopped() or (newcomers is not None and newcomers.all_gone)

        def playing(streams: list[StreamRun]) -> list[tuple[Source, Iterator[Chunk]]]:
            return [(stream.source, stream.chunks(ending)) for stream in streams]

        def joined() -> list[Iterator[Sequence[Chunk]]]:
            begun = newcomers.join(self.streams, self._admit, self.started, news) if newcomers else []
            return parts_of(playing(begun))

        def expects() -> bool:
            return newcomers is not None and newcomers.expected and not ending()

        # Alone, or as fast as possible, a stream needs no thread.
        paced = any(stream.source.speed for stream in self.streams)
        alone = newcomers is None and (len(self.streams) == 1 or not paced)
        # Everything made so far stays for good: the collector need not look at it again and again.
        gc.collect()
        gc.freeze()
        try:
            coming = (
                nullcontext(in_step([chunks for _, chunks in playing(self.streams)]))
                if alone
                else as_they_come(parts_of(playing(self.streams)), self._due_s, joined, expects)
            )
            with coming as rounds:
                try:
                    for message in self._cleaned(self._noted(rounds, idle)):
                        stream = self._named[message.stream]
                        for each in stream.leaving(message):
                            show(each)
                            before = stream.account.ledger.deadline_misses
                            stream.take(each)
                            self._misses += stream.account.ledger.deadline_misses - before
                        self._keep_up()
                    for stream in self.streams:
                        for each in stream.rest():
                            show(each)
                            stream.take(each)
                finally:
                    # A held player would never see that it is over.
                    self.pause(False)
        finally:
            gc.unfreeze()
            if newcomers:
                newcomers.close()
            for stream in self.streams:
                stream.close()
            self._changeover.close()
        for stream in [] if newcomers else self.streams:
            if stream.failure:
                news(Told(f"{stream.info.name} has ended: {stream.failure}"))
        return Outcome(self._summary(), tuple(stream.outcome() for stream in self.streams))

    def _noted(self, rounds: Iterator[list[Chunk]], idle: Callable[[], None]) -> Iterator[list[Chunk]]:
        """Note the state of each source that has sent something, be it an empty chunk."""
        for chunks in rounds:
            for chunk in chunks:
                self._named[chunk.stream].note_state()
            yield chunks
            idle()

    def _cleaned(self, rounds: Iterator[list[Chunk]]) -> Iterator[Emitted | Gap]:
        """Clean to the end, with a new pipeline wherever another one is due.

        The old pipeline's flush releases every sample that still waits, with the last value as
        its future; the new one begins at the next sample. So none is lost, and there is no gap.
        """
        changeover = self._changeover

        def until_due() -> Iterator[list[Chunk]]:
            for chunks in rounds:
                yield chunks
                if changeover.due:
                    return

        while True:
            cleaner = changeover.cleaner
            self._batcher = self._new_batcher(cleaner.backend)
            yield from clean(
                until_due(),
                cleaner.config,
                cleaner.backend,
                batcher=self._batcher,
                limits=limits_of(load_card(changeover.asked.settings.model)),
                stand_in=cleaner.stand_in,
            )
            if not changeover.change():
                return
            for stream in self.streams:
                stream.retuned(changeover.cleaner.config, self._about())

    def _keep_up(self) -> None:
        """Tell the changeover of the newest hop; log and record what takes over."""
        takeover = self._changeover.note(self._misses)
        if takeover:
            log.warning("%s: %s takes over", takeover.why, takeover.step)
            for stream in self.streams:
                stream.note_step(takeover.step, takeover.why)

    def _new_batcher(self, backend: AnyBackend) -> Batcher | None:
        """One where several streams play at a pace, on a backend that gains by it."""
        several = len(self.streams) > 1 or self._newcomers
        if not (several and backend.fixed_rows):
            return None
        return Batcher(HOLD_SHARE * self.streams[0].hop_ns, len(self.streams))

    def _due_s(self) -> float | None:
        due_s = [self._batcher.due_s()] if self._batcher else []
        due_s += [LOOK_S] if self._newcomers else []
        return min((each for each in due_s if each is not None), default=None)

    def _admit(self, stream: StreamRun) -> None:
        """Have a stream that joins be one of those that play."""
        if stream.config != self._changeover.cleaner.config:
            stream.retuned(self._changeover.cleaner.config, self._about())
        with self._recording:
            if self._folder:
                self._record(stream)
            self.streams.append(stream)
        self._named[stream.info.source_id] = stream
        if self._batcher:
            self._batcher.streams = len(self.streams)

    @property
    def awaited(self) -> tuple[str, ...]:
        """What joins the run when it appears, by the names that a user gave it."""
        return self._newcomers.awaited if self._newcomers else ()

    def started(self, stream: StreamRun) -> StartedStream:
        """A stream as a screen is told of it."""
        recording = str(stream.recording.path) if stream.recording else None
        return StartedStream(stream.info, self.setup(stream), stream.settings, stream.number, recording)

    def setup(self, stream: StreamRun) -> Setup:
        """The settings in force for a stream."""
        changeover = self._changeover
        return Setup(
            changeover.in_force, 1000 * stream.algorithmic_delay_s, changeover.step, changeover.failure
        )

    def status(self, number: int = 0) -> Status:
        """Figures of a stream at this moment."""
        stream = self.streams[number]
        count = len(self.streams)
        delays_s = 0.0 if count <= _FEW else _DELAYS_S * count
        return stream.status(self.setup(stream), delays_s if self.job.traces else None)

    def _summary(self) -> Summary:
        launched_ns = self.job.launched_ns
        streams = [stream.summary(launched_ns) for stream in self.streams]
        return Summary(
            **vars(Tally.total(streams)),
            **vars(self._changeover.in_force),
            overload=self._ladder.figures() if self._ladder else None,
            backend_failure=self._changeover.failure,
            wall_s=(time.perf_counter_ns() - launched_ns) / 1e9,
            start=self._start.parts,
            memory_mb=Memory(self.streams[0].account.settled_mb, memory_mb()),
            streams=streams,
            restarts=len(self.job.deaths),
            deaths=self.job.deaths,
            asked_for=asked_for(self.job.sources),
            absent=self._newcomers.absent if self._newcomers else [],
        )
