"""What a stream comes to: every sample counted, scored and timed."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import psutil
from numpy.typing import NDArray

from engine.ledger.scorer import Scorer
from engine.ledger.stages import STAGES, Ledger
from engine.marks import Mark, Reason
from engine.messages import Emitted, Gap
from streamer.chunk import StreamInfo

SETTLED_HOPS = 1500
"""Hops after which memory should no longer grow: a minute of signal at the usual hop."""


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What is counted, of one stream or of several together.

    Parameters
    ----------
    source_samples
        Samples that came from the source, at its rate.
    samples_in, samples_out, samples_lost
        Samples that entered and left the engine, at that rate too, and what is missing between the two.
    gaps, gap_samples
        Gaps that left the engine, and the samples that they are long.
    hops, deadline_misses
        Inferences, and how many of them were late, by `engine.ledger.stages.Ledger`.
    """

    source_samples: int
    samples_in: int
    samples_out: int
    samples_lost: int
    gaps: int
    gap_samples: int
    hops: int
    deadline_misses: int

    @staticmethod
    def total(each: "Sequence[Tally]") -> "Tally":
        """Sum over streams."""
        return Tally(**{count.name: sum(getattr(one, count.name) for one in each) for count in fields(Tally)})


@dataclass(frozen=True)
class LeadScore:
    """SNR before and after, dB, and error after, mV, of one lead; NaN where it cannot be known."""

    snr_in_db: float
    snr_out_db: float
    rmse_mv: float


@dataclass(frozen=True)
class DelayFigures:
    """Delay of a sample from its source's stamp to the last sink, ms; NaN before the first sample.

    Parameters
    ----------
    algorithmic
        What it waits on the fastest machine: look-ahead + hop + the delay of the resampler.
    """

    algorithmic: float
    p50: float
    p95: float
    p99: float
    max: float


@dataclass(frozen=True)
class StageFigures:
    """Time that samples spend in one stage, ms; NaN before the first sample."""

    p50: float
    p99: float
    max: float


@dataclass(frozen=True, kw_only=True)
class Figures(Tally):
    """What was counted, scored and timed of a stream; NaN where a figure cannot be known.

    Parameters
    ----------
    seconds
        Length of the signal that left the engine.
    marks, reasons
        Samples by `Mark` and by `Reason`, over all leads.
    snr_in_db, snr_out_db, rmse_mv
        Mean over leads; NaN without a reference.
    per_lead
        The same of each lead; None without a reference.
    delay_ms, ledger_ms
        Delay of a sample, and its part in each of `engine.ledger.stages.STAGES`.
    realtime_factor
        Share of the signal's length that the engine was busy.
    cold_start_s
        From the user's asking for the run to the first cleaned sample.
    """

    seconds: float
    marks: dict[str, int]
    reasons: dict[str, int]
    snr_in_db: float
    snr_out_db: float
    rmse_mv: float
    per_lead: dict[str, LeadScore] | None
    delay_ms: DelayFigures
    ledger_ms: dict[str, StageFigures]
    realtime_factor: float
    cold_start_s: float


class Account:
    """Counts what comes in and what leaves, and keeps scorer and ledger.

    Parameters
    ----------
    info
        The stream, at the rate at which it leaves.
    hop_ns, sample_ns
        Real time between two hops, and of a sample, for the ledger; 0 where there is no pace.

    Attributes
    ----------
    settled_mb
        What the process held after `SETTLED_HOPS` hops; NaN before.
    """

    def __init__(self, info: StreamInfo, hop_ns: float, sample_ns: float) -> None:
        self._info = info
        self.scorer = Scorer(info.fs, len(info.leads))
        self.ledger = Ledger(hop_ns, sample_ns)
        self.source_samples = self.samples_in = self.samples_out = 0
        self.gaps = self.gap_samples = self._before = 0
        self.marks = np.zeros(len(Mark), np.int64)
        self._reasons = np.zeros(len(Reason), np.int64)
        self._first_ns: int | None = None
        self.settled_mb = float("nan")

    def go_on(self, source_samples: int, samples: int, gaps: int, gap_samples: int) -> None:
        """Begin where another account of the same stream ended: with what had come, and had left."""
        self.source_samples = source_samples
        # What had come and not left lies in the gap that follows.
        self.samples_in = self.samples_out = self._before = samples
        self.gaps, self.gap_samples = gaps, gap_samples

    def take(self, message: Emitted | Gap, *, timed: bool = True) -> None:
        """Count what every sink has now; `timed` is False where its delay was not the engine's."""
        if isinstance(message, Gap):
            self.gaps += 1
            self.gap_samples += message.stop - message.start
            return
        now = time.perf_counter_ns()
        if self._first_ns is None:
            self._first_ns = now
        self.scorer.push(message)
        self.samples_out += message.raw.shape[1]
        self.marks += np.bincount(message.marks.ravel(), minlength=len(Mark))
        if message.reasons is not None:
            self._reasons += np.bincount(message.reasons.ravel(), minlength=len(Reason))
        if timed:
            self.ledger.note(message, now)
        if self.ledger.hops == SETTLED_HOPS:
            self.settled_mb = memory_mb()

    @property
    def marks_by_name(self) -> dict[str, int]:
        """Samples of all leads by `Mark`."""
        return {mark.name.lower(): int(self.marks[mark]) for mark in Mark}

    def figures(self, launched_ns: int, algorithmic_delay_s: float) -> Figures:
        """Everything that was counted.

        Parameters
        ----------
        launched_ns
            `time.perf_counter_ns` when the user asked for the run, for the cold start.
        """
        ledger, total = self.ledger, self.ledger.total
        ledger.end_burst()
        ledger.settle()
        before, after = self.scorer.result()
        scored = self._info.has_reference and after.count.max() > 0
        columns = zip(self._info.leads, before.snr_db, after.snr_db, after.rmse_mv, strict=True)
        signal_s = self.samples_out / self._info.fs
        own_s = signal_s - self._before / self._info.fs
        return Figures(
            source_samples=self.source_samples,
            samples_in=self.samples_in,
            samples_out=self.samples_out,
            samples_lost=self.samples_in - self.samples_out,
            gaps=self.gaps,
            gap_samples=self.gap_samples,
            hops=ledger.hops,
            deadline_misses=ledger.deadline_misses,
            seconds=signal_s,
            marks=self.marks_by_name,
            reasons={reason.name.lower(): int(self._reasons[reason]) for reason in Reason if reason},
            snr_in_db=_mean(before.snr_db) if scored else float("nan"),
            snr_out_db=_mean(after.snr_db) if scored else float("nan"),
            rmse_mv=_mean(after.rmse_mv) if scored else float("nan"),
            per_lead={lead: LeadScore(*map(float, scores)) for lead, *scores in columns} if scored else None,
            delay_ms=DelayFigures(
                1000 * algorithmic_delay_s,
                total.percentile_ms(50),
                total.percentile_ms(95),
                total.percentile_ms(99),
                total.max_ms,
            ),
            ledger_ms={
                stage: StageFigures(of.percentile_ms(50), of.percentile_ms(99), of.max_ms)
                for stage, of in ((stage, ledger.stages[stage]) for stage in STAGES)
            },
            realtime_factor=ledger.busy_ns / 1e9 / own_s if own_s else float("nan"),
            cold_start_s=(self._first_ns - launched_ns) / 1e9 if self._first_ns else float("nan"),
        )


def memory_mb() -> float:
    """What this process holds in memory."""
    return float(psutil.Process().memory_info().rss) / 1e6


def _mean(values: NDArray[np.float64]) -> float:
    """Mean over leads, those that cannot be known left out; NaN where none can."""
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
