"""What is known of a run whose engine has died: its last status, what it showed since, what is on disk."""

import functools
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from engine.ledger.account import DelayFigures, StageFigures, Tally
from engine.ledger.stages import STAGES
from engine.messages import Cleaned, Gap, Passed
from engine.run.protocol import (
    KEPT_S,
    Frame,
    Job,
    Outcome,
    RecordBegun,
    Resume,
    StartedStream,
    Status,
    StreamOutcome,
)
from engine.run.summary import LiveFigures, Memory, StreamSummary, Summary
from engine.sinks.events import read_events
from engine.sinks.left_open import Left, close_left
from streamer.open_source import kind_of
from streamer.pieces import Counts
from streamer.several import asked_for

_UNKNOWN = float("nan")


class Known:
    """Listens to what an engine tells, and sums it up where the engine no longer can.

    Parameters
    ----------
    job
        What the engine plays.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self.streams: dict[str, Standing] = {}
        """By `StreamInfo.source_id`, in the order in which they began; empty until the engine plays."""

    def plays(self, streams: Sequence[StartedStream]) -> None:
        """Note what plays from now on; what has not played before goes on from nowhere."""
        before = {each.stream: each for each in self._job.resume}
        self.streams |= {
            each.info.source_id: Standing(each, before.get(each.info.source_id, Resume())) for each in streams
        }

    def take(self, frames: list[Frame]) -> None:
        """Note what left the engine, and how it says that it is doing."""
        for frame in frames:
            if isinstance(frame, Cleaned | Passed | Gap | Status):
                self.streams[frame.stream].take(frame)

    def records(self, begun: RecordBegun) -> None:
        """Note what a stream is written to from now on."""
        self.streams[begun.stream].records(begun.record)

    def outcome(self, reason: str) -> Outcome | None:
        """Sum up; the engine must have ended. Recordings that it left open are closed.

        Parameters
        ----------
        reason
            What it died of.

        Returns
        -------
        Outcome or None
            What cannot be known is NaN, None or empty. None where it had not begun to play.
        """
        if not self.streams:
            return None
        for each in self.streams.values():
            each.close_recording()
        streams = [each.summary() for each in self.streams.values()]
        setup = next(iter(self.streams.values())).setup
        summary = Summary(
            **vars(Tally.total(streams)),
            **vars(setup.clean),
            overload=None,
            backend_failure=setup.failure,
            wall_s=(time.perf_counter_ns() - self._job.launched_ns) / 1e9,
            memory_mb=Memory(_UNKNOWN, _UNKNOWN),
            streams=streams,
            restarts=len(self._job.deaths),
            deaths=self._job.deaths,
            failure=reason.strip().splitlines()[-1],
            asked_for=asked_for(self._job.sources),
        )
        return Outcome(summary, tuple(each.outcome() for each in self.streams.values()))


class Count(NamedTuple):
    """Where a stream stands, and what left the engine until there."""

    next: int = 0
    samples: int = 0
    gaps: int = 0
    gap_samples: int = 0

    def after(self, message: Cleaned | Passed | Gap) -> "Count":
        """With a message more; what of it lies before counts already."""
        if message.stop <= self.next:
            return self
        length = message.stop - max(message.start, self.next)
        if isinstance(message, Gap):
            return Count(message.stop, self.samples, self.gaps + 1, self.gap_samples + length)
        return Count(message.stop, self.samples + length, self.gaps, self.gap_samples)


class Standing:
    """What is known of one stream."""

    def __init__(self, started: StartedStream, before: Resume) -> None:
        self.info, self.setup, self.settings = started.info, started.setup, started.settings
        self.number = started.number
        self.status: Status | None = None
        self._source_samples = before.source_samples
        self._counted = Count(before.next, before.samples, before.gaps, before.gap_samples)
        self._records: list[Left] = []
        self._recording = started.recording
        # Whether the next status may not know of it yet.
        self._begun = started.recording is not None
        # Where the recording stands before this engine has brought a frame of its own to disk.
        self._recorded = before.recorded, before.recorded_next
        # Shown, and not counted in the last status yet.
        self._since: list[Cleaned | Passed | Gap] = []
        # The newest that a screen got, for a picture.
        self._shown: deque[Cleaned] = deque()
        # An index, and when the source sampled what lies before it, by the machine's monotonic clock, s.
        self._stamped = (before.next, before.stamp)

    def take(self, frame: Cleaned | Passed | Gap | Status) -> None:
        """Note what left the engine, or its figures."""
        if isinstance(frame, Status):
            self.status, self.setup = frame, frame.setup
            if frame.recording or frame.recording_problem or not self._begun:
                self._recording, self._begun = frame.recording, False
            if self._recording is None:
                self._recorded = None, None
            self._source_samples = frame.source_samples
            self._counted = Count(frame.next, frame.samples_out, frame.gaps, frame.gap_samples)
            self._since = [message for message in self._since if message.stop > frame.next]
            return
        self._since.append(frame)
        if isinstance(frame, Cleaned):
            self._stamped = (frame.stop, float(frame.source_time[-1]))
            self._shown.append(frame)
            while frame.stop - self._shown[0].stop > KEPT_S * self.info.fs:
                self._shown.popleft()
        elif isinstance(frame, Passed):
            self._stamped = (frame.stop, frame.stamp)

    def records(self, record: str) -> None:
        """Note another record, without extension, which continues none."""
        self._recording, self._begun, self._recorded = record, True, (None, None)

    @property
    def count(self) -> Count:
        """What has left the engine. A frame that the screen was too slow for is in the next status."""
        return functools.reduce(Count.after, self._since, self._counted)

    def close_recording(self) -> None:
        """Close what the engine has left open on disk."""
        if self._recording and not self._records:
            self._records = close_left(Path(self._recording))

    def _missing(self, frames: int) -> int:
        """How many of the last frames on disk are of gaps."""
        record = self._records[-1]
        begin, end = max(0, record.frames - frames), record.frames
        gaps = [event for event in read_events(record.path) if event["event"] == "gap"]
        return sum(max(0, min(end, gap["until"]) - max(begin, gap["sample"])) for gap in gaps)

    def resume(self, *, stood: bool) -> Resume:
        """Where the next engine is to go on; recordings must have been closed.

        Parameters
        ----------
        stood
            What can be held has stood still since.
        """
        count, (recorded, recorded_next) = self.count, self._recorded
        if self._records:
            recorded = self._records[-1].path.name
            # One without a frame that continues another begins behind that one's last frame.
            first = self._records[0].first
            begins = recorded_next if first is None else first
            recorded_next = None if begins is None else begins + sum(each.frames for each in self._records)
        if self._records and recorded_next is not None:
            more = recorded_next - count.next
            if more > 0:
                # What is on disk has left the engine, whatever the screen has heard of it.
                missing = self._missing(more)
                gaps, in_gaps = count.gaps + bool(missing), count.gap_samples + missing
                count = Count(recorded_next, count.samples + more - missing, gaps, in_gaps)
        # What left since may be a gap alone, which has no stamp, but its true length.
        index, stamp = self._stamped
        stamp += (count.next - index) / (self.info.fs * self.settings.speed)
        return Resume(
            stream=self.info.source_id,
            leads=self.info.leads,
            number=self.number,
            next=count.next,
            stamp=_UNKNOWN if stood and kind_of(self.settings.kind).played else stamp,
            source_samples=self._source_samples,
            samples=count.samples,
            gaps=count.gaps,
            gap_samples=count.gap_samples,
            recorded=recorded,
            recorded_next=recorded_next,
        )

    def outcome(self) -> StreamOutcome:
        """The end of its signal; of its delays no histogram is known."""
        return StreamOutcome(list(self._shown), np.empty(0), np.empty(0, np.int64))

    def summary(self) -> StreamSummary:
        """Everything that is known."""
        count, info, settings = self.count, self.info, self.settings
        kind = kind_of(settings.kind)
        status = self.status
        noise = settings.noise_settings
        samples_in = max(status.samples_in, count.samples) if status else count.samples
        unknown = StageFigures(_UNKNOWN, _UNKNOWN, _UNKNOWN)
        return StreamSummary(
            source_samples=self._source_samples,
            samples_in=samples_in,
            samples_out=count.samples,
            samples_lost=samples_in - count.samples,
            gaps=count.gaps,
            gap_samples=count.gap_samples,
            hops=status.hops if status else 0,
            deadline_misses=status.deadline_misses if status else 0,
            seconds=count.samples / info.fs,
            marks={},
            reasons={},
            snr_in_db=_UNKNOWN,
            snr_out_db=_UNKNOWN,
            rmse_mv=_UNKNOWN,
            per_lead=None,
            delay_ms=DelayFigures(
                self.setup.algorithmic_delay_ms,
                status.delay_p50_ms if status else _UNKNOWN,
                _UNKNOWN,
                status.delay_p99_ms if status else _UNKNOWN,
                _UNKNOWN,
            ),
            ledger_ms=dict.fromkeys(STAGES, unknown),
            realtime_factor=_UNKNOWN,
            cold_start_s=_UNKNOWN,
            source=info.name,
            leads=list(info.leads),
            source_fs_hz=status.source_fs_hz if status else _UNKNOWN,
            fs_hz=info.fs,
            noise=dict(noise.weights),
            noise_snr_db=noise.snr_db if noise.weights else _UNKNOWN,
            snr_definition=noise.definition,
            noise_part=noise.part if kind.recorded_noise else settings.name,
            own_drift=settings.own_drift,
            seed=settings.seed,
            speed=settings.speed,
            stream=None if kind.played or status is None else _live(status, info.notes),
            faults=None,
            recording=self._recording,
            recording_files=len(self._records),
            recording_problem=status.recording_problem if status else "",
            recording_clipped=None,
            lsl_out=None,
            unaccounted={},
        )


def _live(status: Status, notes: tuple[str, ...]) -> LiveFigures:
    return LiveFigures(
        state=status.state,
        states={},
        effective_rate_hz=status.effective_fs_hz,
        ppm=status.ppm,
        counts=Counts(),
        notes=[*notes, *filter(None, [status.untimed])],
        problem=status.problem,
    )
