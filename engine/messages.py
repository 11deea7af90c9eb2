"""What the stages of the engine hand to each other, and what leaves it.

No stage writes into what it was handed. `Final` has the type checker hold that: fields that are frozen
at run time as well take twice as long to fill right after a network has emptied the processor's caches,
and these messages are made once a hop.
"""

import time
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.marks import Mark, Reason, Verdict
from streamer.chunk import Annotation, Samples


@dataclass(slots=True, eq=False)
class Hop:
    """What is asked of a network: one stream's newest window, and the samples that leave with it.

    Its arrays are views into the stream's buffer, which is never overwritten.

    Parameters
    ----------
    start
        Absolute index of the first sample that this hop emits.
    first
        Absolute index of the first sample of its segment.
    skip
        Leading samples of the regular emission (`hop` samples) that lie before the segment.
    raw, reference, missing
        Emitted samples, shape (leads, emitted); `reference` is None where the source knows none,
        `missing` is boolean, or None where no sample is missing.
    source_time
        When the source sampled the emitted samples, seconds, shape (emitted,).
    arrived_ready_ns
        When they arrived, and when their first window was full, shape (2, emitted).
    newest_arrived_ns
        When the newest sample of the window arrived, or it became known that none will.
    warm
        The emitted samples had a full window of context.
    flushed
        Part of its window never came: the stream or the segment had ended.
    fresh
        First hop of a segment: nothing is carried over from the hop before.
    annotations
        Marks on emitted samples.
    missing_ahead
        Like `missing`, for the samples of the window that are not emitted yet, shape (leads, up to
        look-ahead). Empty where the window ends in values that only stand in for the future.
    window
        Input of the network, (leads, window).
    ready_ns
        When the window was full.
    """

    stream: Final[str]
    start: Final[int]
    first: Final[int]
    skip: Final[int]
    raw: Final[Samples]
    reference: Final[Samples | None]
    missing: Final[NDArray[np.bool_] | None]
    source_time: Final[NDArray[np.float64]]
    arrived_ready_ns: Final[NDArray[np.int64]]
    newest_arrived_ns: Final[int]
    warm: Final[bool]
    flushed: Final[bool]
    fresh: Final[bool]
    annotations: Final[tuple[Annotation, ...]]
    missing_ahead: Final[NDArray[np.bool_]]
    window: Final[Samples]
    ready_ns: Final[int]


@dataclass(slots=True, eq=False)
class Call:
    """One call of the backend, which all hops of its batch share; times of the engine's clock in ns.

    Parameters
    ----------
    started_ns, finished_ns
        When it began and ended.
    host_to_device_ns, device_to_host_ns
        How much of it went into copying to a GPU and back; 0 without one.
    """

    started_ns: Final[int]
    host_to_device_ns: Final[int]
    device_to_host_ns: Final[int]
    finished_ns: Final[int]


@dataclass(slots=True, eq=False)
class Answer:
    """What a network made of a hop.

    Parameters
    ----------
    hop
        What was asked.
    call
        The call that answered it.
    predicted
        Output for the whole window, (leads, window) mV. None of a network that keeps state: it answers
        for the samples that leave, and for nothing else.
    """

    hop: Final[Hop]
    call: Final[Call]
    predicted: Final[Samples | None]

    @property
    def stateful(self) -> bool:
        """Whether the network keeps state."""
        return self.predicted is None


@dataclass(slots=True, eq=False)
class Gap:
    """Samples start … stop-1 of a stream never came. Nothing stands in for them."""

    stream: Final[str]
    start: Final[int]
    stop: Final[int]


@dataclass(slots=True, eq=False)
class Cleaned:
    """Consecutive samples that leave the engine.

    Parameters
    ----------
    raw, cleaned, reference
        Millivolts, shape (leads, samples): input, output, and the reference where the source
        knows it.
    mean_square
        Weighted mean of the squared overlapping predictions, mV², of which `spread` is made.
    marks
        A `Mark` for each sample, shape (leads, samples).
    source_time
        When the source sampled each sample, seconds, shape (samples,).
    annotations
        Marks on these samples.
    reasons
        A `Reason` for each sample, shape (leads, samples); None where the guard has nothing to say.
    released_ns
        When they were copied for a screen, after every other sink had them; engine's clock, 0 before.
    """

    stream: Final[str]
    start: Final[int]
    raw: Final[Samples]
    cleaned: Final[Samples]
    mean_square: Final[Samples]
    reference: Final[Samples | None]
    marks: Final[NDArray[np.uint8]]
    source_time: Final[NDArray[np.float64]]
    annotations: Final[tuple[Annotation, ...]]
    reasons: Final[NDArray[np.uint8] | None] = field(default=None, kw_only=True)
    released_ns: Final[int] = field(default=0, kw_only=True)

    @property
    def stop(self) -> int:
        """Absolute index of the first sample after these."""
        stop: int = self.start + self.raw.shape[1]
        return stop

    @property
    def verdict(self) -> Verdict:
        """Mark and reasons of these samples as a whole, from which a change is reported."""
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
    """Cleaned samples still inside the engine, with what the guard and the ledger read.

    Parameters
    ----------
    answer
        The answer with which they leave, and the hop that was asked.
    added_ns
        When overlap-add had finished with them.
    """

    answer: Final[Answer]
    added_ns: Final[int]

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
            released_ns=time.perf_counter_ns(),
        )

    def preview(self) -> "Preview":
        """What the newest window says of the samples that are still inside the look-ahead."""
        hop, predicted = self.answer.hop, self.answer.predicted
        missing = hop.missing_ahead
        count = missing.shape[1]
        ahead = slice(hop.window.shape[1] - count, None)
        nothing = np.float32(np.nan)
        if predicted is None:
            cleaned = np.full_like(missing, nothing, np.float32)
        else:
            cleaned = predicted[:, ahead]
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
        The newest window's prediction alone; NaN of a network that keeps state. What is released is
        the mean over several windows, and differs.
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


@dataclass(frozen=True)
class Passed:
    """That samples start … stop-1 of a stream have left, for who wants to see none of them.

    Parameters
    ----------
    stamp
        When the source sampled the last of them, seconds.
    """

    stream: str
    start: int
    stop: int
    stamp: float


Message = Cleaned | Gap
