"""What a run comes to: every sample counted, scored and timed."""

import time
from typing import Any

import numpy as np
import psutil

from engine.ledger.scorer import Scorer
from engine.ledger.stages import STAGES, Ledger
from engine.marks import Mark, Reason
from engine.messages import Emitted, Gap
from streamer.chunk import StreamInfo

_SETTLED_HOPS = 1500
"""Hops after which memory should no longer grow: a minute of signal at the usual hop."""


class Account:
    """Counts what comes in and what leaves, and keeps scorer and ledger.

    Parameters
    ----------
    info
        Stream as the engine sees it (after resampling).
    hop_ns
        Real time between two hops, for the ledger; 0 where there is no pace.
    """

    def __init__(self, info: StreamInfo, hop_ns: float) -> None:
        self._info = info
        self.scorer = Scorer(info.fs, len(info.leads))
        self.ledger = Ledger(hop_ns)
        self.source_samples = self.samples_in = self.samples_out = 0
        self.gaps = self.gap_samples = 0
        self.marks = np.zeros(len(Mark), np.int64)
        self._reasons = np.zeros(len(Reason), np.int64)
        self._first_ns: int | None = None
        self._settled_mb: float | None = None

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
        if self.ledger.hops == _SETTLED_HOPS:
            self._settled_mb = _memory_mb()

    def figures(self, launched_ns: int, algorithmic_delay_s: float) -> dict[str, Any]:
        """Everything that was counted, ready for JSON; NaN is null.

        Parameters
        ----------
        launched_ns
            When the user asked for the run, for the cold start.
        """
        ledger, total = self.ledger, self.ledger.total
        ledger.settle()
        before, after = self.scorer.result()
        scored = self._info.has_reference and after.count.max() > 0
        columns = zip(self._info.leads, before.snr_db, after.snr_db, after.rmse_mv, strict=True)
        per_lead = {
            lead: {"snr_in_db": _number(i), "snr_out_db": _number(o), "rmse_mv": _number(r)}
            for lead, i, o, r in columns
        }
        signal_s = self.samples_out / self._info.fs
        return {
            "seconds": signal_s,
            "source_samples": self.source_samples,
            "samples_in": self.samples_in,
            "samples_out": self.samples_out,
            "samples_lost": self.samples_in - self.samples_out,
            "gaps": self.gaps,
            "gap_samples": self.gap_samples,
            "marks": {mark.name.lower(): int(self.marks[mark]) for mark in Mark},
            "reasons": {reason.name.lower(): int(self._reasons[reason]) for reason in Reason if reason},
            "snr_in_db": _mean(before.snr_db) if scored else None,
            "snr_out_db": _mean(after.snr_db) if scored else None,
            "rmse_mv": _mean(after.rmse_mv) if scored else None,
            "per_lead": per_lead if scored else None,
            "delay_ms": {
                "algorithmic": 1000 * algorithmic_delay_s,
                **{f"p{percent}": _number(total.percentile_ms(percent)) for percent in (50, 95, 99)},
                "max": _number(total.max_ms),
            },
            "ledger_ms": {
                stage: {
                    "p50": _number(ledger.stages[stage].percentile_ms(50)),
                    "p99": _number(ledger.stages[stage].percentile_ms(99)),
                    "max": _number(ledger.stages[stage].max_ms),
                }
                for stage in STAGES
            },
            "hops": ledger.hops,
            "deadline_misses": ledger.deadline_misses,
            "realtime_factor": _number(ledger.busy_ns / 1e9 / signal_s if signal_s else np.nan),
            "cold_start_s": (self._first_ns - launched_ns) / 1e9 if self._first_ns else None,
            "wall_s": (time.perf_counter_ns() - launched_ns) / 1e9,
            "memory_mb": {f"after_{_SETTLED_HOPS}_hops": self._settled_mb, "end": _memory_mb()},
        }


def _memory_mb() -> float:
    """What this process holds in memory."""
    return float(psutil.Process().memory_info().rss) / 1e6


def _number(value: float) -> float | None:
    """JSON has no NaN."""
    return float(value) if np.isfinite(value) else None


def _mean(values: np.ndarray) -> float | None:
    return _number(np.nanmean(values)) if np.isfinite(values).any() else None
