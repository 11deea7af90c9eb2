"""What the stages of the engine hand to each other, and what leaves it.

These are made once a hop, right after a network has emptied the processor's caches: slots and plain
assignment instead of frozen fields make that several times cheaper. Treat them as read-only all the
same.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.marks import Mark, Reason, Verdict
from streamer.chunk import Annotation, Samples


@dataclass(slots=True, eq=False)
class Hop:
    """One window of one stream on its way through the stages.

    Its arrays are views into the stream's buffer, which is never overwritten.

    Parameters
    ----------
    start
        Absolute index of the first sample that this hop emits.
    first
        Absolute index of the first sample of its segment.
    skip
        Leading samples of the regular emission (`hop` samples) that lie before the segment.
    raw, clean, missing
        Emitted samples, shape (leads, emitted); `missing` is boolean, or None where none is.
    source_time
        When the source sampled the emitted samples, seconds, shape (emitted,).
    arrived_ready_ns
        When they arrived, and when their first window was full, shape (2, emitted).
    newest_arrived_ns
        When the newest sample of the window arrived.
    warm
        Emitted samples from this index on had a full window of context.
    flushed
        Part of its window never came: the stream or the segment had ended.
    fresh
        First hop of a segment: overlap-add forgets what it held.
    missing_ahead
        Like `missing`, for the samples of the window that are not emitted yet, shape (leads, up to
        look-ahead). Empty where the window holds something that only stands in for the future.
    window
        Input of the network, (leads, window).
    ready_ns
        When the window was full. What follows is filled in by `infer`.
    predicted
        Output of the network, (leads, window); (leads, 0) of one that keeps state, which answers
        for the samples that leave alone.
    """

    stream: str
    start: int
    first: int
    skip: int
    raw: Samples
    reference: Samples | None
    missing: NDArray[np.bool_] | None
    source_time: NDArray[np.float64]
    arrived_ready_ns: NDArray[np.int64]
    newest_arrived_ns: int
    warm: bool
    flushed: bool
    fresh: bool
    annotations: tuple[Annotation, ...]
    missing_ahead: NDArray[np.bool_]
    window: Samples
    ready_ns: int
    started_ns: int = field(init=False)
    host_to_device_ns: int = field(init=False)
    device_to_host_ns: int = field(init=False)
    finished_ns: int = field(init=False)
    predicted: Samples = field(init=False)


@dataclass(slots=True, eq=False)
class Gap:
    """Samples start … stop-1 of a stream never came. Nothing stands in for them."""

    stream: str
    start: int
    stop: int


@dataclass(slots=True, eq=False)
class Cleaned:
    """Consecutive samples that leave the engine.

    Parameters
    ----------
    raw, cleaned, clean
        Millivolts, shape (leads, samples): input, output, and the reference where the source
        knows it.
    mean_square
        Weighted mean of the squared overlapping predictions, mV², of which `spread` is made.
    marks
        A `Mark` for each sample, shape (leads, samples).
    source_time
        When the source sampled each sample, seconds, shape (samples,).
    reasons
        A `Reason` for each sample, shape (leads, samples); None where the guard has nothing to say.
    """

    stream: str
    start: int
    raw: Samples
    cleaned: Samples
    mean_square: Samples
    reference: Samples | None
    marks: NDArray[np.uint8]
    source_time: NDArray[np.float64]
    annotations: tuple[Annotation, ...]
    reasons: NDArray[np.uint8] | None = field(default=None, kw_only=True)

    @property
    def stop(self) -> int:
        """Absolute index of the first sample after these."""
        stop: int = self.start + self.raw.shape[1]
        return stop

    @property
    def verdict(self) -> "Verdict":
        """What these samples are called as a whole, for whoever tells of a change."""
        mark = Mark(int(self.marks.max()))
        if self.reasons is None or not self.reasons.any():
            return mark, ()
        return mark, tuple(Reason(int(reason)) for reason in self.reasons.max(axis=1))

    @property
    def spread(self) -> Samples:
        """Standard deviation of the overlapping predictions in mV: the uncertainty of a sample.

        NaN where the network's output was not used.
        """
        spread: Samples = np.sqrt(np.maximum(self.mean_square - self.cleaned * self.cleaned, 0))
        return np.where(self.marks >= Mark.BYPASSED, np.float32(np.nan), spread)


@dataclass(slots=True, eq=False)
class Emitted(Cleaned):
    """Cleaned samples still inside the engine, with the stamps that the ledger wants."""

    hop: Hop
    added_ns: int

    def released(self) -> Cleaned:
        """Copy that holds on to none of the engine's buffers."""
        return Cleaned(
            self.stream,
            self.start,
            self.raw.copy(),
            self.cleaned.copy(),
            self.mean_square.copy(),
            None if self.reference is None else self.reference.copy(),
            self.marks,
            self.source_time.copy(),
            self.annotations,
            reasons=self.reasons,
        )

    def preview(self) -> "Preview":
        """What the last window says of the samples that are still inside the look-ahead."""
        hop = self.hop
        missing = hop.missing_ahead
        count = missing.shape[1]
        ahead = slice(hop.window.shape[1] - count, None)
        nothing = np.float32(np.nan)
        cleaned = (
            hop.predicted[:, ahead] if hop.predicted.size else np.full_like(missing, nothing, np.float32)
        )
        return Preview(
            self.stream,
            self.stop,
            np.where(missing, nothing, hop.window[:, ahead]),
            np.where(missing | ~np.isfinite(cleaned), nothing, cleaned),
        )


@dataclass(frozen=True, eq=False)
class Preview:
    """Samples that the engine knows and has not released: raw as it came, and a first guess.

    Parameters
    ----------
    start
        Absolute index of the first of them.
    raw
        Millivolts, shape (leads, up to look-ahead): nothing has delayed it but the hop.
    cleaned
        The newest window's prediction alone. What is released is the mean of many, and differs.
    """

    stream: str
    start: int
    raw: Samples
    cleaned: Samples

    @property
    def stop(self) -> int:
        """Absolute index of the first sample after these."""
        stop: int = self.start + self.raw.shape[1]
        return stop


Message = Cleaned | Gap
