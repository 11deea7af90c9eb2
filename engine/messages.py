"""What the stages of the engine hand to each other, and what leaves it.

These are made once a hop, right after a network has emptied the processor's caches: slots and plain
assignment instead of frozen fields make that several times cheaper. Treat them as read-only all the
same.
"""

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from streamer.chunk import Annotation, Samples


class Mark(IntEnum):
    """What became of one sample of one lead."""

    CLEANED = 0
    WARMUP = 1
    """Cleaned, but the network had seen less than one window since the start or the last gap."""
    BYPASSED = 2
    """Raw passed on, because the network's output was unusable."""
    MISSING = 3
    """The source had no value; nothing is shown in its place."""
    FILTERED = 4
    """Cleaned by the classical filter, because the machine could not keep up with the network."""


class Reason(IntEnum):
    """Why a sample of one lead is not, or not only, what the network made of it."""

    NONE = 0
    NO_INPUT = 1
    """The source had no value (`Mark.MISSING`)."""
    FLAT = 2
    """The input does not move: a lead is off."""
    RAILED = 3
    """The input stands at a limit of its amplifier."""
    NOT_FINITE = 4
    """The network's output is NaN or infinite."""
    CONSTANT = 5
    """The network's output does not move while the input does."""
    OUT_OF_RANGE = 6
    """The network's output is larger than its input can explain."""
    BEAT_INVENTED = 7
    """Cleaned has a QRS where raw has none."""
    BEAT_ERASED = 8
    """Raw has a QRS where cleaned has none."""
    RATE = 9
    """Cleaned beats at another rate than raw."""
    NO_ECG = 10
    """The network takes nearly all for noise: nothing like an ECG is left."""
    UNCERTAIN = 11
    """The network takes back what it said a moment ago: the overlapping predictions contradict."""
    LATE = 12
    """The network's answer came too late; it is passed all the same."""
    OVERLOAD = 13
    """The machine does not keep up; a cheaper way took the network's place."""
    BACKEND = 14
    """The runtime failed."""

    @property
    def text(self) -> str:
        """What a person reads."""
        return _TEXTS[self]


_TEXTS = {
    Reason.NONE: "",
    Reason.NO_INPUT: "no input",
    Reason.FLAT: "lead off",
    Reason.RAILED: "saturated",
    Reason.NOT_FINITE: "output not finite",
    Reason.CONSTANT: "output constant",
    Reason.OUT_OF_RANGE: "output out of range",
    Reason.BEAT_INVENTED: "beats not in raw",
    Reason.BEAT_ERASED: "beats missing",
    Reason.RATE: "heart rate differs",
    Reason.NO_ECG: "no ECG found",
    Reason.UNCERTAIN: "network unsure",
    Reason.LATE: "output late",
    Reason.OVERLOAD: "machine too slow",
    Reason.BACKEND: "runtime failed",
}


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
    clean: Samples | None
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
    clean: Samples | None
    marks: NDArray[np.uint8]
    source_time: NDArray[np.float64]
    annotations: tuple[Annotation, ...]
    reasons: NDArray[np.uint8] | None = field(default=None, kw_only=True)

    @property
    def stop(self) -> int:
        """Absolute index of the first sample after these."""
        return self.start + self.raw.shape[1]

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
            None if self.clean is None else self.clean.copy(),
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
        return self.start + self.raw.shape[1]


Verdict = tuple[Mark, tuple[Reason, ...]]
"""The mark that is furthest from `Mark.CLEANED`, and the reason for each lead; () without any."""


def explain(verdict: Verdict, leads: tuple[str, ...]) -> dict[str, str]:
    """Reason by lead, as a person reads it, for the leads that have one."""
    _, reasons = verdict
    return {lead: reason.text for lead, reason in zip(leads, reasons, strict=False) if reason}


Message = Cleaned | Gap
