"""Live streams that are there when a run begins, and those that join it while it plays."""

import time
from collections.abc import Callable, Sequence
from itertools import zip_longest

from engine.config import EngineConfig
from engine.run.failure import EngineFailure
from engine.run.protocol import KEPT_S, Job, Joined, News, StartedStream, Told
from engine.run.stream import StreamRun
from streamer.errors import InputError
from streamer.go_on import go_on
from streamer.joining import Joining
from streamer.settings import SourceSettings
from streamer.several import EVERY, Absent, check_count, check_together, join_singly, open_sources
from streamer.source import Source
from streamer.source_kind import Stopped
from streamer.watchdog import StreamState

LOOK_S = 0.2
"""A run in which no stream says anything looks so often for one that joins."""


def open_streams(
    job: Job, config: EngineConfig, stopped: Stopped
) -> "tuple[list[StreamRun], Newcomers | None]":
    """What a run begins with, published if so asked, and who lets others join it; None where none can.

    Raises
    ------
    InputError
        If one of the sources, all of which are there or none, cannot be used.
    EngineFailure
        If none of several live streams is there.
    """
    if join_singly(job.sources):
        check_count(job.sources)
        newcomers = Newcomers(job, config)
        return newcomers.begin(stopped), newcomers
    sources = open_sources(job.sources, stopped)
    if job.resume:
        sources = [
            go_on(source, each.next, each.stamp) for source, each in zip(sources, job.resume, strict=True)
        ]
    several = len(sources) > 1
    streams = [
        StreamRun(settings, source, config, resume, apart=several, number=number, kept_s=_kept_s(job))
        for number, (settings, source, resume) in enumerate(zip_longest(job.sources, sources, job.resume), 1)
    ]
    for stream in streams:
        if job.lsl_out is not None:
            stream.publish(f"{job.lsl_out}-{stream.number}" if several else job.lsl_out, job.clean.model)
    return streams, None


def _kept_s(job: Job) -> float:
    """How much of the end of each stream a run keeps, s."""
    return KEPT_S if job.picture else 0.0


class Newcomers:
    """Opens what a job names, each stream for itself, and hands it to the run.

    For the thread that cleans.

    Attributes
    ----------
    absent
        What was asked for and does not play.
    all_gone
        Whether every ECG stream was asked for, none is waited for, and all that came are lost for good.
    """

    def __init__(self, job: Job, config: EngineConfig) -> None:
        self._job, self._config = job, config
        # Where an engine that died left those that played.
        self._left = {each.stream: each for each in job.resume}
        taken = max((each.number for each in job.resume), default=0)
        self._joining = Joining(job.sources, self._make, taken)
        self.absent: list[Absent] = []
        self._told: set[object] = set()
        self._left_s = time.monotonic()
        self.all_gone = False

    def _make(self, number: int, settings: SourceSettings, source: Source) -> StreamRun:
        """On the thread that opened it: whoever plays already need not wait for an outlet."""
        left = self._left.get(source.info.source_id)
        if left:
            number = left.number
            if source.info.leads != left.leads:
                raise InputError(
                    f"it has other leads now than before the engine was started again: "
                    f"{', '.join(source.info.leads)} in place of {', '.join(left.leads)}"
                )
            source = go_on(source, left.next, left.stamp)
        stream = StreamRun(
            settings, source, self._config, left, apart=True, number=number, kept_s=_kept_s(self._job)
        )
        if self._job.lsl_out is not None:
            stream.publish(f"{self._job.lsl_out}-{number}", self._job.clean.model)
        return stream

    def begin(self, stopped: Stopped) -> list[StreamRun]:
        """Wait for what the run begins with.

        Raises
        ------
        EngineFailure
            If none of the streams is there.
        """
        found, self.absent = self._joining.begin(stopped)
        streams: list[StreamRun] = []
        for stream in found:
            self._check(streams, stream, streams.append)
        if not streams:
            self._joining.close()
            asked = "; ".join(f"{each.name}: {each.why}" for each in self.absent)
            raise EngineFailure(f"none of the streams can be played: {asked or 'no ECG is on the network'}")
        return streams

    def join(
        self,
        streams: list[StreamRun],
        admit: Callable[[StreamRun], None],
        started: Callable[[StreamRun], StartedStream],
        news: Callable[[News], None],
    ) -> list[StreamRun]:
        """Admit what has come since the last call to those that play, and tell of it; returns what is new."""
        before = len(streams)
        for each in self._joining.arrived():
            if isinstance(each, Absent):
                self.absent.append(each)
            else:
                self._check(streams, each, admit)
        begun = streams[before:]
        for stream in begun:
            news(Joined(started(stream)))
        for line in self._lines(streams):
            news(Told(line))
        self._look_whether_gone(streams)
        return begun

    def _check(
        self, streams: Sequence[StreamRun], stream: StreamRun, admit: Callable[[StreamRun], None]
    ) -> None:
        try:
            check_together([*(one.source for one in streams), stream.source])
            admit(stream)
        except (InputError, OSError) as error:
            stream.close()
            self.absent.append(Absent(stream.info.name, str(error)))

    def _lines(self, streams: Sequence[StreamRun]) -> list[str]:
        """What a user has not been told yet: who is awaited, who is absent, who ended before its time."""
        said: list[tuple[object, str]] = []
        said += [
            (name, f"{name} is not there yet: it joins when it appears") for name in self._joining.awaited
        ]
        said += [(each, f"{each.name} does not play: {each.why}") for each in self.absent]
        said += [(one, f"{one.info.name} has ended: {one.failure}") for one in streams if one.failure]
        new = [(key, line) for key, line in said if key not in self._told]
        self._told.update(key for key, _ in new)
        return [line for _, line in new]

    def _look_whether_gone(self, streams: Sequence[StreamRun]) -> None:
        # Beside every other stream stand those that an engine which died has played.
        lsl = next((each.lsl for each in self._job.sources if each.lsl.every), self._job.sources[0].lsl)
        left = any(one.source.health.state is not StreamState.LOST for one in streams if not one.ended)
        now = time.monotonic()
        if not lsl.every or lsl.wait or left:
            self._left_s = now
        self.all_gone = now - self._left_s >= lsl.timeout

    @property
    def awaited(self) -> tuple[str, ...]:
        """What joins when it appears, by the names that a user gave it."""
        every = any(source.lsl.every for source in self._job.sources)
        return (*self._joining.awaited, *([EVERY] if every else []))

    @property
    def expected(self) -> bool:
        """Whether the run goes on without a stream, because one may come."""
        return self._joining.holds_run

    def close(self) -> None:
        """Look for no more."""
        self.absent += self._joining.close()
