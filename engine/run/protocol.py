"""What crosses between the engine's process and whoever started it: jobs, commands, states, results."""

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.ledger.delays import NO_DELAYS, Delays
from engine.messages import Cleaned, Message, Preview
from models.registry import DEFAULT_NETWORK
from streamer.chunk import StreamInfo
from streamer.noise import NoiseSettings
from streamer.open_source import SourceSettings


@dataclass(frozen=True)
class Job:
    """What to run. Lengths of time in ms, as on the command line.

    Parameters
    ----------
    save, rotate
        Folder to record into; None records nothing. Minutes in a file; None begins no new one.
    lsl_out
        Name of the LSL stream to publish the cleaned ECG as; None publishes nothing. Of several
        streams the first is ``NAME-1``, and so on.
    launched_ns
        `time.perf_counter_ns` when the user asked for the run, for the cold start.
    beside
        Further streams, played beside `source`.
    ladder
        Whether something cheaper may take the network's place while the machine does not keep up.
    """

    source: SourceSettings
    model: str = DEFAULT_NETWORK
    backend: str = "auto"
    threads: int = 1
    lookahead_ms: float = 100.0
    hop_ms: float = 40.0
    save: Path | None = None
    lsl_out: str | None = None
    launched_ns: int = field(default_factory=time.perf_counter_ns)
    beside: tuple[SourceSettings, ...] = ()
    ladder: bool = True
    rotate: float | None = None

    @property
    def sources(self) -> tuple[SourceSettings, ...]:
        """Every stream."""
        return (self.source, *self.beside)


@dataclass(frozen=True)
class Retune:
    """What can change while a stream plays; every field as in `Job`."""

    model: str
    backend: str
    lookahead_ms: float
    hop_ms: float


@dataclass(frozen=True)
class Outcome:
    """What a run leaves: its summary (JSON), the end of its traces and its delays (for a picture).

    Parameters
    ----------
    streams
        The same of each stream, where there are several; traces and delays are then found there.
    """

    summary: dict[str, Any]
    traces: list[Cleaned]
    delay_edges_ms: np.ndarray
    delay_counts: np.ndarray
    streams: tuple["Outcome", ...] = ()


@dataclass(frozen=True)
class Setup:
    """The settings in force: `backend` is the one that runs, lengths of time are whole samples.

    Parameters
    ----------
    step
        What takes the network's place while the machine does not keep up; empty while it does.
    failure
        What runtimes failed of; empty where none did.
    """

    model: str = ""
    backend: str = ""
    lookahead_ms: float = 0.0
    hop_ms: float = 0.0
    algorithmic_delay_ms: float = 0.0
    step: str = ""
    failure: str = ""


@dataclass(frozen=True)
class Status:
    """How a stream is doing, for a screen; figures as in the summary.

    Parameters
    ----------
    setup, delays
        The settings in force, and the delays since they are.
    recording, recording_problem
        Record that is being written, without extension; None where none is, and why it has ended.
    state, effective_fs_hz, ppm, sample_age_s
        What a live source says of itself.
    stream
        Which one: its `StreamInfo.source_id`.
    ended
        Its source has nothing more, while others may go on.
    reasons
        Why leads are not the network's word at this moment, by lead.
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
    stream: str = ""
    ended: bool = False
    reasons: dict[str, str] = field(default_factory=dict)
    recording_problem: str = ""


@dataclass(frozen=True)
class Started:
    """First word of an engine that is ready: what it plays and how.

    Parameters
    ----------
    beside
        The same of further streams that it plays.
    """

    info: StreamInfo
    backend: str
    lookahead_ms: float
    hop_ms: float
    algorithmic_delay_ms: float
    beside: tuple["Started", ...] = ()

    @property
    def streams(self) -> tuple["Started", ...]:
        """Each stream by itself."""
        return (replace(self, beside=()), *self.beside)


@dataclass(frozen=True)
class Pause:
    """Hold a played signal, or let it go on."""

    paused: bool


@dataclass(frozen=True)
class Record:
    """Record into a folder; None ends the recording."""

    folder: Path | None


@dataclass(frozen=True)
class Refused:
    """A command that could not be followed, and why; everything goes on as before."""

    reason: str


Command = NoiseSettings | Retune | Pause | Record


Frame = Message | Preview | Status | Refused
"""What the engine tells a screen."""
