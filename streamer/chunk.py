"""`StreamInfo` and `Chunk`: the only data that sources hand to the engine."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
"""Float32 millivolts, always two axes: (leads, samples)."""

Origin = Literal["live", "record", "synthetic"]
"""Where a stream comes from: of these, only a live one is a patient at this moment."""


@dataclass(frozen=True)
class StreamInfo:
    """What is known of a stream before its first sample.

    Parameters
    ----------
    fs
        Nominal sampling rate in Hz.
    leads
        Lead names, in the order of the rows of `Chunk.data`.
    name
        What a person calls the stream: ``"mitdb/100"``.
    source_id
        Identifies the stream among all those in one run.
    has_reference
        Whether its chunks carry the reference: the ECG without the noise.
    notes
        What a person should know before relying on it, a sentence each.
    origin
        Where it comes from.
    start_s, length_s
        Where in its record it begins, and how long the record is, s; None where that has no end.
    """

    fs: float
    leads: tuple[str, ...]
    name: str
    source_id: str
    has_reference: bool = False
    unit: str = "mV"
    notes: tuple[str, ...] = ()
    origin: Origin = "live"
    start_s: float = 0.0
    length_s: float | None = None

    def __post_init__(self) -> None:
        if not (np.isfinite(self.fs) and self.fs > 0):
            raise ValueError(f"fs must be a positive rate in Hz, got {self.fs}")
        if not self.leads:
            raise ValueError("a stream needs at least one lead, got none")


class Annotation(NamedTuple):
    """A mark on one sample: its absolute index in its stream and the WFDB symbol and note."""

    sample: int
    symbol: str
    note: str = ""


@dataclass(frozen=True, eq=False)
class Chunk:
    """Consecutive samples of one stream. Treat the arrays as read-only.

    Parameters
    ----------
    stream
        `StreamInfo.source_id` of the stream it belongs to.
    start
        Absolute index of the first sample; never runs backwards. A jump is a gap.
    data
        Millivolts, shape (leads, samples). NaN marks a sample that its lead lost.
    source_time
        When the source sampled each sample, in seconds of the machine's monotonic clock
        (`time.perf_counter`), shape (samples,).
    arrived_ns
        When the chunk reached this process, `time.perf_counter_ns`.
    reference
        The aligned reference in mV, shape of `data`, where the source knows it.
    annotations
        Marks on samples of this chunk.
    ends_segment
        The signal is interrupted here: samples that wait for look-ahead are released now, and what comes
        next is a new segment, with or without a gap. Such a chunk has no samples.
    """

    stream: str
    start: int
    data: Samples
    source_time: NDArray[np.float64]
    arrived_ns: int
    reference: Samples | None = None
    annotations: tuple[Annotation, ...] = ()
    ends_segment: bool = False

    @property
    def stop(self) -> int:
        """Absolute index of the first sample after this chunk."""
        stop: int = self.start + self.data.shape[1]
        return stop
