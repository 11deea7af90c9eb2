"""What a run comes to, as records with types, and as JSON."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass

from engine.ledger.account import Figures, Tally
from engine.run.ladder import LadderFigures
from engine.run.start import StartPart
from streamer.faults.schedule import FaultFigures
from streamer.pieces import Counts
from streamer.several import Absent
from streamer.source import Source

SCHEMA = 3
"""Number of the layout: it rises when a figure moves, or goes."""


@dataclass(frozen=True)
class LiveFigures:
    """What a live stream did, counted in its own samples.

    Parameters
    ----------
    state, states
        The state at the end (a `StreamState`), and how often each was entered.
    effective_rate_hz, ppm
        Rate of the source by its own clock, and how far it is from nominal; None while unknown.
    notes
        What was found out when the stream was opened.
    problem
        Why a stream that was there again could not be used; empty without one.
    """

    state: str
    states: dict[str, int]
    effective_rate_hz: float | None
    ppm: float | None
    counts: Counts
    notes: list[str]
    problem: str

    @staticmethod
    def of(source: Source) -> "LiveFigures":
        """What a source says of itself."""
        health = source.health
        return LiveFigures(
            state=health.state,
            states=health.states,
            effective_rate_hz=health.effective_fs_hz,
            ppm=health.ppm,
            counts=health.counts,
            notes=[*source.info.notes, *filter(None, [health.untimed, health.counted])],
            problem=health.problem,
        )


@dataclass(frozen=True, kw_only=True)
class StreamSummary(Figures):
    """What was played, what became of it, and its figures.

    Parameters
    ----------
    source, leads
        Names.
    source_fs_hz, fs_hz
        Rate of the source, and that at which everything leaves: the same.
    noise, noise_snr_db, snr_definition, noise_part
        Weights of the kinds of noise that were added last, their SNR (NaN without noise), how that is
        defined, and which part of the noise records they are from; for a source that brings its own
        noise what kind of source it is.
    own_drift
        Whether a record's own drift was kept.
    seed, speed
        Of the source; speed is 0 where there is no pace.
    stream
        What a live stream did; None for a played one without faults.
    faults
        What went wrong on purpose; None where nothing did.
    recording, recording_files, recording_problem, recording_clipped
        First record without extension, None without; how many files; why it ended early; values that
        were beyond the format.
    lsl_out
        Name of the LSL stream that it was published as.
    unaccounted
        Sinks whose own count does not close (last index − first index = samples + gaps), and by how many
        samples; empty where each does, as it must.
    failure
        Why the source ended before its time while others went on; empty where it did not.
    """

    source: str
    leads: list[str]
    source_fs_hz: float
    fs_hz: float
    noise: dict[str, float]
    noise_snr_db: float
    snr_definition: str
    noise_part: str
    own_drift: str
    seed: int
    speed: float
    stream: LiveFigures | None
    faults: FaultFigures | None
    recording: str | None
    recording_files: int
    recording_problem: str
    recording_clipped: int | None
    lsl_out: str | None
    unaccounted: dict[str, int]
    failure: str = ""


@dataclass(frozen=True)
class Memory:
    """What the engine's process held, MB.

    Parameters
    ----------
    settled
        After `engine.ledger.account.SETTLED_HOPS` hops of the first stream; NaN where there were fewer.
    """

    settled: float
    end: float


@dataclass(frozen=True, kw_only=True)
class Summary(Tally):
    """What a run comes to: the settings that all streams share, their sum, and each of them.

    Parameters
    ----------
    model, backend, lookahead_ms, hop_ms
        The settings in force at the end, as in `engine.run.protocol.CleanSettings`.
    overload
        Steps that were taken while the machine did not keep up; None for a run without the ladder.
    backend_failure
        What runtimes failed of; empty where none did.
    wall_s
        From the user's asking for the run to its end.
    start
        Parts of the cold start in order: ``process``, until the engine's own process has imported all that
        it needs; ``source``; ``network``; ``rehearsal``, calls before the first. Then comes the first sample.
        Empty where the engine died.
    streams
        One or more, in the order of the job; those that joined later behind them.
    restarts, deaths
        How often an engine that died was started again, and what each had died of. Samples and gaps are
        of the whole run, what is timed, scored or marked since the last restart.
    asked_for
        Names of the streams that were to play; ``every ECG stream`` where all were.
    absent
        Those that did not, and why.
    failure
        What the engine died of; the figures are then those of its last status, and what only it knew is
        unknown. Empty where it came to its end.
    """

    schema: int = SCHEMA
    model: str
    backend: str
    lookahead_ms: float
    hop_ms: float
    overload: LadderFigures | None
    backend_failure: str
    wall_s: float
    memory_mb: Memory
    streams: list[StreamSummary]
    restarts: int = 0
    deaths: Sequence[str] = ()
    failure: str = ""
    asked_for: list[str] = field(default_factory=list)
    absent: list[Absent] = field(default_factory=list)
    start: dict[str, StartPart] = field(default_factory=dict)


def as_json(value: object) -> object:
    """A record as JSON knows it: objects, lists, texts and numbers; what is no finite number is null."""
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: as_json(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): as_json(each) for name, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [as_json(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
