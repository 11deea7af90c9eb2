"""What crosses between the engine's process and whoever started it: jobs, commands, states, results."""

import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.ledger.delays import NO_DELAYS, Delays
from engine.messages import Cleaned, Message, Passed, Preview
from engine.run.summary import Summary
from models.registry import DEFAULT_NETWORK
from streamer.chunk import StreamInfo
from streamer.errors import InputError
from streamer.settings import SourceSettings
from streamer.several import name_of

KEPT_S = 10.0
"""Seconds of a run's end that are kept for its picture."""


@dataclass(frozen=True)
class CleanSettings:
    """How samples are cleaned. In a `Job` what is asked for, in a `Setup` what is in force.

    Sent to a running engine, it asks for other settings from the next sample on.

    Parameters
    ----------
    model
        Network or classical system, by name.
    backend
        Runtime, by name; ``auto`` takes the fastest that works. Of settings in force the one that runs.
    lookahead_ms, hop_ms
        Signal after a sample that is waited for, and new signal between two inferences, ms. Of
        settings in force rounded to whole samples.
    """

    model: str = DEFAULT_NETWORK
    backend: str = "auto"
    lookahead_ms: float = 100.0
    hop_ms: float = 40.0


@dataclass(frozen=True)
class Resume:
    """Where a stream stood when its engine died, for the one that goes on.

    Parameters
    ----------
    stream, leads
        Which one: its `StreamInfo.source_id`, and its leads.
    number
        As `StartedStream.number`.
    next
        Index of the sample that was to leave next.
    stamp
        When the source sampled the one before it, by the machine's monotonic clock, s; NaN where the
        source has stood still since, or nothing had left.
    source_samples, samples, gaps, gap_samples
        What had come and what had left.
    recorded, recorded_next
        Record that was closed, and the index behind its last frame; None where none had begun.
    """

    stream: str = ""
    leads: tuple[str, ...] = ()
    number: int = 1
    next: int = 0
    stamp: float = float("nan")
    source_samples: int = 0
    samples: int = 0
    gaps: int = 0
    gap_samples: int = 0
    recorded: str | None = None
    recorded_next: int | None = None


@dataclass(frozen=True)
class Job:
    """What to run.

    Parameters
    ----------
    sources
        Streams that are played side by side, one or more.
    clean
        How they are cleaned, all alike.
    threads
        CPU threads of the runtime.
    save, rotate_minutes
        Folder to record into; None records nothing. Minutes in a file; None begins no new one.
    subject
        Who is recorded, for the headers of recordings.
    lsl_out
        Name of the LSL stream to publish the cleaned ECG as; None publishes nothing. Of several
        streams the first is ``NAME-1``, and so on.
    launched_ns
        `time.perf_counter_ns` when the user asked for the run, for the cold start.
    ladder
        Whether something cheaper may take the network's place while the machine does not keep up.
    restart
        Whether an engine that dies or hangs is started again.
    logs
        Whether the engine writes warnings to standard error, which its statuses hold too.
    traces
        Whether somebody looks at the samples; otherwise the parent is told only that they have left, and
        no status holds `Delays`.
    picture
        Whether the outcome holds the end of each stream, to be drawn; otherwise of its samples the newest
        alone. It keeps a megabyte of a stream.
    resume, deaths
        Where each stream goes on, of streams that join one by one those that have played; and what earlier
        engines of this run died of. Both empty in the first.

    Raises
    ------
    InputError
        If a run that is to be restarted has no pace, or faults on purpose.
    """

    sources: tuple[SourceSettings, ...]
    clean: CleanSettings = CleanSettings()
    threads: int = 1
    save: Path | None = None
    rotate_minutes: float | None = None
    subject: str | None = None
    lsl_out: str | None = None
    launched_ns: int = field(default_factory=time.perf_counter_ns)
    ladder: bool = True
    restart: bool = False
    logs: bool = True
    traces: bool = True
    picture: bool = True
    resume: tuple[Resume, ...] = ()
    deaths: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.restart:
            return
        if any(source.speed == 0 for source in self.sources):
            raise InputError(
                "--restart is for signals that go on meanwhile, and with --speed 0 none does; leave one out"
            )
        if any(source.faults != "none" for source in self.sources):
            raise InputError("--restart cannot go on with --faults where they were; leave one of them out")


@dataclass(frozen=True)
class Setup:
    """The settings in force for one stream.

    Parameters
    ----------
    algorithmic_delay_ms
        Look-ahead + hop + the delay of the resampler, ms: what a sample waits on the fastest machine.
    step
        What takes the network's place while the machine does not keep up; empty while it does.
    failure
        What runtimes failed of; empty where none did.
    """

    clean: CleanSettings = CleanSettings()
    algorithmic_delay_ms: float = 0.0
    step: str = ""
    failure: str = ""


@dataclass(frozen=True)
class StreamOutcome:
    """What a stream leaves for a picture: the end of its traces and its delays.

    Parameters
    ----------
    delay_edges_ms, delay_counts
        Histogram of the delays of its samples: one edge more than counts.
    """

    traces: list[Cleaned]
    delay_edges_ms: NDArray[np.float64]
    delay_counts: NDArray[np.int64]


@dataclass(frozen=True)
class Outcome:
    """What a run leaves: its summary, and of each stream what a picture needs, in the same order."""

    summary: Summary
    streams: tuple[StreamOutcome, ...]


@dataclass(frozen=True)
class Status:
    """How a stream is doing, for a screen; figures as in the summary.

    Parameters
    ----------
    setup, delays
        The settings in force, and the delays since they are.
    recording, recording_problem
        Record that is being written, without extension; None where none is, and why it has ended.
    state, effective_fs_hz, ppm, sample_age_s, problem, untimed
        What a live source says of itself.
    stream
        Which one: its `StreamInfo.source_id`.
    ended
        Its source has nothing more, while others may go on.
    reasons
        Why something else than the network's output leaves at this moment, by lead.
    next
        Index of the sample that leaves next.
    source_fs_hz, source_samples, samples_out, hops
        As in the summary.
    marks
        Samples of all leads by `Mark`, since the engine was started.
    delay_counts, delay_sum_s
        Delays of samples since then between `engine.ledger.histogram.DELAY_EDGES_MS`, and all together, s.
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
    untimed: str = ""
    stream: str = ""
    ended: bool = False
    reasons: dict[str, str] = field(default_factory=dict)
    recording_problem: str = ""
    next: int = 0
    source_fs_hz: float = float("nan")
    source_samples: int = 0
    samples_out: int = 0
    hops: int = 0
    marks: dict[str, int] = field(default_factory=dict)
    delay_counts: tuple[int, ...] = ()
    delay_sum_s: float = 0.0


@dataclass(frozen=True)
class StartedStream:
    """A stream that is about to play, at the rate of the network, and the settings in force for it.

    Parameters
    ----------
    settings
        What its source was opened from.
    number
        Its place among what was asked for, from 1 on, or in which it was found; ``NAME-number`` is published.
    recording
        Record that it is written to from its first sample on, without extension; None where it is not.
    """

    info: StreamInfo
    setup: Setup
    settings: SourceSettings = field(default_factory=SourceSettings)
    number: int = 1
    recording: str | None = None


@dataclass(frozen=True)
class Started:
    """What an engine sends first, once it is ready: what it plays and how.

    Parameters
    ----------
    awaited
        What joins when it appears, by the names that a user gave it.
    """

    streams: tuple[StartedStream, ...]
    awaited: tuple[str, ...] = ()

    def with_one_more(self, stream: StartedStream) -> "Started":
        """What plays when a stream has joined; it is awaited no longer."""
        name = name_of(stream.settings)
        return Started((*self.streams, stream), tuple(each for each in self.awaited if each != name))


@dataclass(frozen=True)
class Joined:
    """A stream has joined the run that plays."""

    stream: StartedStream


@dataclass(frozen=True)
class RecordBegun:
    """A stream is written to another record (its path without extension) from the next sample on."""

    stream: str
    record: str


@dataclass(frozen=True)
class Told:
    """A line for the user: who is absent, or has ended before its time."""

    text: str


@dataclass(frozen=True)
class Refused:
    """A command that could not be followed, and why; everything goes on as before."""

    reason: str


News = Joined | Told
"""What happens to the streams of a run while it plays."""

Answer = Started | News | Outcome
"""What an engine sends to whoever started it, or else the `InputError` or `EngineFailure` that ended it."""

Frame = Message | Passed | Preview | Status | Refused
"""What the engine tells a screen."""
