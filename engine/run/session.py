"""One run: open what the job names, clean until it ends, and account for every sample."""

import gc
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from engine.backends import choose_backend, open_reliable
from engine.backends.base import AnyBackend
from engine.backends.reliable import find_reliable
from engine.batch import HOLD_SHARE, Batcher
from engine.config import EngineConfig
from engine.guard.limits import limits_of
from engine.lead_groups import rows_of
from engine.marks import Reason
from engine.messages import Emitted, Gap
from engine.pipeline import clean, rehearse
from engine.run.fallback import Cleaner, fallback_for, raw_to_the_end
from engine.run.ladder import Ladder, Rung
from engine.run.merge import as_they_come, in_step
from engine.run.protocol import CleanSettings, Job, Outcome, Setup, Status, StreamOutcome
from engine.run.stream import StreamRun
from models.registry import load_card
from streamer.chunk import Chunk
from streamer.errors import InputError
from streamer.noise import NoiseSettings
from streamer.several import open_sources

log = logging.getLogger(__name__)

_WARMUP_CALLS = 5
_ADDED = (
    "source_samples",
    "samples_in",
    "samples_out",
    "samples_lost",
    "gaps",
    "gap_samples",
    "hops",
    "deadline_misses",
)
"""Figures of a summary that are the sum over the streams."""


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
        self.config = _config(job.clean)
        sources = open_sources(job.sources, stopped)
        self.backend = _open_backend(job)
        self.beds = [
            StreamRun(settings, source, self.config)
            for settings, source in zip(job.sources, sources, strict=True)
        ]
        self._warm_up(self.backend, self.config)
        # The control thread changes the settings, the main thread uses them.
        self._changing = threading.Lock()
        self._pending: tuple[Job, EngineConfig, AnyBackend] | None = None
        self._batcher: Batcher | None = None
        self._cleaner = Cleaner(self.config, self.backend)
        self._turn: Cleaner | None = None
        self._ladder: Ladder | None = None
        if job.ladder:
            self._ladder = Ladder(time.perf_counter)
            # A machine that is late already must not import and design a filter first.
            self._warm_up(fallback_for(Rung.FILTER, self.config, self.backend).backend, self.config)
        self._misses = 0
        self.record(job.save)
        if job.lsl_out is not None:
            names = [job.lsl_out]
            if len(self.beds) > 1:
                names = [f"{job.lsl_out}-{number}" for number in range(1, len(self.beds) + 1)]
            for bed, name in zip(self.beds, names, strict=True):
                bed.publish(name, job.clean.model)

    def _warm_up(self, backend: AnyBackend, config: EngineConfig) -> None:
        for rows in {rows_of(len(bed.info.leads), backend.leads) for bed in self.beds}:
            for _ in range(_WARMUP_CALLS):
                rehearse(backend, config, rows)

    # The following may be called from another thread while `run` plays. All of it is for every stream.

    def set_noise(self, settings: NoiseSettings) -> None:
        """Change the noise while playing; live streams beside played ones stay as they are."""
        played = [bed for bed in self.beds if bed.player]
        for bed in played or self.beds:
            # Patients differ by their seeds, and keep them.
            seed = settings.seed + bed.settings.seed - self.beds[0].settings.seed
            bed.set_noise(replace(settings, seed=seed))

    def retune(self, wanted: CleanSettings) -> None:
        """Go on with another network, backend, look-ahead or hop, from the next sample on.

        The new network is loaded and warmed up first, while the old one goes on cleaning.

        Raises
        ------
        InputError
            If it cannot be used; the old one then goes on.
        """
        job = replace(self.job, clean=wanted)
        config = _config(wanted)
        if config.fs != self.config.fs:
            raise InputError(
                f"model {wanted.model!r} works at {config.fs:g} Hz and this run at {self.config.fs:g} Hz; "
                "stop, and start again with it"
            )
        backend = _open_backend(job)
        self._warm_up(backend, config)
        with self._changing:
            replaced, self._pending = self._pending, (job, config, backend)
        if replaced:
            replaced[2].close()

    def pause(self, paused: bool) -> None:
        """Hold played signals; a live one cannot be held and goes on."""
        for bed in self.beds:
            bed.pause(paused)

    def record(self, folder: Path | None) -> None:
        """Record each stream into a folder from now on; None ends the recording."""
        for bed in self.beds:
            bed.record(folder, None if self.job.rotate_minutes is None else 60 * self.job.rotate_minutes)

    def run(
        self,
        stopped: Callable[[], bool] = lambda: False,
        show: Callable[[Emitted | Gap], None] = lambda message: None,
        idle: Callable[[], None] = lambda: None,
    ) -> Outcome:
        """Play until every stream has ended, or `stopped` says so, and close everything.

        Parameters
        ----------
        stopped
            Asked before every chunk, of several streams from the thread of each. What was read
            until then is still cleaned.
        show
            Gets every message first; must not block.
        idle
            Called every now and then, also while live sources are silent.
        """
        beds = {bed.info.source_id: bed for bed in self.beds}
        streams = [bed.chunks(stopped) for bed in self.beds]
        # Alone, or as fast as possible, a stream needs no thread.
        alone = len(streams) == 1 or not any(bed.source.speed for bed in self.beds)
        # Everything made so far stays for good: the collector need not look at it again and again.
        gc.collect()
        gc.freeze()
        try:
            with nullcontext(in_step(streams)) if alone else as_they_come(streams, self._due_s) as rounds:
                try:
                    for message in self._cleaned(_noted(rounds, beds, idle)):
                        show(message)
                        beds[message.stream].take(message)
                        self._keep_up()
                finally:
                    # A held player would never see that it is over.
                    self.pause(False)
        finally:
            gc.unfreeze()
            for bed in self.beds:
                bed.close()
            self.backend.close()
            if self._pending:
                self._pending[2].close()
        return self._outcome()

    def _cleaned(self, rounds: Iterator[list[Chunk]]) -> Iterator[Emitted | Gap]:
        """Clean to the end, with a new pipeline wherever the settings change.

        The old pipeline's flush releases every sample that still waits, with the last value as
        its future; the new one begins at the next sample. So none is lost, and there is no gap.
        """

        def until_changed() -> Iterator[list[Chunk]]:
            for chunks in rounds:
                yield chunks
                if self._pending or self._turn:
                    return

        while True:
            way = self._cleaner
            self._batcher = self._new_batcher()
            yield from clean(
                until_changed(),
                way.config,
                way.backend,
                batcher=self._batcher,
                limits=limits_of(load_card(self.job.clean.model)),
                stand_in=way.stand_in,
            )
            if not self._change():
                return

    def _change(self) -> bool:
        """Go over to the settings or the step that came meanwhile; False where none did."""
        with self._changing:
            pending, self._pending = self._pending, None
        turn, self._turn = self._turn, None
        if pending:
            before = self.backend
            self.job, self.config, self.backend = pending
            before.close()
            turn = Cleaner(self.config, self.backend)
            if self._ladder:
                self._ladder.restart()
        if turn is None:
            return False
        self._cleaner = turn
        for bed in self.beds:
            bed.retuned(turn.config)
        return True

    def _keep_up(self) -> None:
        """See how the newest hop went, and have a step of the ladder taken where that is due."""
        runtime = find_reliable(self.backend)
        if runtime and runtime.broken:
            if self._cleaner.backend is self.backend and self._turn is None:
                self._turn = raw_to_the_end(self.config)
                self._tell("raw", self._failure())
            return
        misses = sum(bed.account.ledger.deadline_misses for bed in self.beds)
        missed, self._misses = misses > self._misses, misses
        step = self._ladder.note(missed) if self._ladder else None
        if step is not None:
            self._turn = fallback_for(step, self.config, self.backend)
            self._tell(step.text, Reason.OVERLOAD.text if step else "calm again")

    def _tell(self, step: str, why: str) -> None:
        """Log and record what cleans from now on."""
        log.warning("%s: %s takes over", why, step)
        for bed in self.beds:
            bed.note_step(step, why)

    def _new_batcher(self) -> Batcher | None:
        """One where several streams play at a pace, on a backend that gains by it."""
        if len(self.beds) == 1 or not self._cleaner.backend.fixed_rows:
            return None
        return Batcher(HOLD_SHARE * self.beds[0].hop_ns, len(self.beds))

    def _due_s(self) -> float | None:
        return self._batcher.due_s() if self._batcher else None

    def setup(self, bed: StreamRun) -> Setup:
        """The settings in force."""
        step = self._ladder.step.text if self._ladder and self._ladder.step else ""
        setup = bed.setup(self.job.clean.model, self._cleaner.backend.name)
        return replace(setup, step=step, failure=self._failure())

    def _failure(self) -> str:
        """What runtimes failed of."""
        runtime = find_reliable(self.backend)
        return "; ".join(runtime.failures) if runtime else ""

    def status(self, number: int = 0) -> Status:
        """Figures of a stream at this moment."""
        bed = self.beds[number]
        return bed.status(self.setup(bed))

    def _outcome(self) -> Outcome:
        ladder = self._ladder
        overload = {"ladder": ladder is not None, **(ladder.figures() if ladder else {})}
        streams = tuple(
            StreamOutcome(
                bed.summary(self.setup(bed), self.job.launched_ns)
                | {"overload": overload, "backend_failure": self._failure()},
                bed.traces(),
                *bed.account.ledger.total.bars(),
            )
            for bed in self.beds
        )
        if len(streams) == 1:
            return Outcome(streams[0].summary, streams)
        each = [stream.summary for stream in streams]
        summary = {
            **{name: each[0][name] for name in ("model", "backend", "lookahead_ms", "hop_ms")},
            **{name: sum(one[name] for one in each) for name in _ADDED},
            "wall_s": each[-1]["wall_s"],
            "streams": each,
        }
        return Outcome(summary, streams)


def _noted(
    rounds: Iterator[list[Chunk]], beds: dict[str, StreamRun], idle: Callable[[], None]
) -> Iterator[list[Chunk]]:
    """Note the state of each source that has sent something, be it an empty chunk."""
    for chunks in rounds:
        for chunk in chunks:
            beds[chunk.stream].note_state()
        yield chunks
        idle()


def _open_backend(job: Job) -> AnyBackend:
    """The backend that the job names; where it says ``auto``, the others stand by."""
    return open_reliable(job.clean.backend, load_card(job.clean.model), job.threads)


def check_job(job: Job) -> None:
    """Raise InputError for what can be refused before anything is opened."""
    _config(job.clean)
    choose_backend(job.clean.backend, load_card(job.clean.model).spec)


def _config(asked: CleanSettings) -> EngineConfig:
    return EngineConfig.of(load_card(asked.model).spec, asked.lookahead_ms, asked.hop_ms)
