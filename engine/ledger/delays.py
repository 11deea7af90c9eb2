"""Delays for a screen: since the settings last changed, and since the snapshot before."""

import copy
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.ledger.histogram import Histogram, medians_ms
from engine.ledger.stages import STAGES, Ledger

BARS = 24
"""Bars of the histogram that goes to the screen."""


@dataclass(frozen=True)
class Delays:
    """Where the milliseconds went; NaN before the first sample.

    Parameters
    ----------
    p50_ms, p95_ms, p99_ms, max_ms
        Delay of a sample since the settings last changed, ms; to 1 %.
    latest_p50_ms, latest_max_ms
        The same of the samples since the snapshot before.
    stages_ms
        Median of each part of the delay, ms, by its name in `engine.ledger.stages.STAGES`.
    edges_ms, counts
        Histogram of the delays: one edge more than counts.
    realtime_factor
        Share of the real time that the engine was busy.
    """

    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    latest_p50_ms: float
    latest_max_ms: float
    stages_ms: dict[str, float]
    edges_ms: tuple[float, ...]
    counts: tuple[int, ...]
    realtime_factor: float


_NAN = float("nan")
NO_DELAYS = Delays(_NAN, _NAN, _NAN, _NAN, _NAN, _NAN, dict.fromkeys(STAGES, _NAN), (), (), _NAN)
"""Before the first sample."""


class DelayWatch:
    """Reads a ledger's figures since it began or since `restart`, and leaves its totals as they are.

    Parameters
    ----------
    ledger
        Of the whole run.
    fs
        Rate of its samples, Hz.
    """

    def __init__(self, ledger: Ledger, fs: float) -> None:
        self._ledger, self._fs = ledger, fs
        self._stages = {stage: Histogram() for stage in ledger.stages}
        self._total = self._latest = Histogram()
        self._busy_ns = 0
        self._snapshot, self._taken_s = NO_DELAYS, float("-inf")

    def restart(self) -> None:
        """Leave out what was before; called when settings change on which the delay depends."""
        self._ledger.settle()
        self._stages = {stage: copy.copy(noted) for stage, noted in self._ledger.stages.items()}
        self._total = copy.copy(self._ledger.total)
        self._busy_ns = self._ledger.busy_ns
        self._latest = self._total
        self._snapshot, self._taken_s = NO_DELAYS, float("-inf")

    def snapshot(self, every_s: float = 0.0) -> Delays:
        """Figures of this moment, or those of less than `every_s` ago: they cost half a millisecond."""
        now_s = time.monotonic()
        if now_s - self._taken_s >= every_s:
            self._snapshot, self._taken_s = self._take(), now_s
        return self._snapshot

    def _take(self) -> Delays:
        ledger = self._ledger
        ledger.settle()
        total = ledger.total.since(self._total)
        latest = ledger.total.since(self._latest)
        self._latest = copy.copy(ledger.total)
        edges, counts = _coarse(*total.bars())
        played_ns = 1e9 * total.count / self._fs
        p50_ms, p95_ms, p99_ms = total.percentiles_ms(50, 95, 99)
        medians = medians_ms([*ledger.stages.values()], [*self._stages.values()])
        return Delays(
            p50_ms=p50_ms,
            p95_ms=p95_ms,
            p99_ms=p99_ms,
            max_ms=total.max_ms,
            latest_p50_ms=latest.percentile_ms(50),
            latest_max_ms=latest.max_ms,
            stages_ms=dict(zip(ledger.stages, medians, strict=True)),
            edges_ms=tuple(edges.tolist()),
            counts=tuple(counts.tolist()),
            realtime_factor=(ledger.busy_ns - self._busy_ns) / played_ns if played_ns else float("nan"),
        )


def _coarse(
    edges: NDArray[np.float64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The same histogram in at most `BARS` bars."""
    if counts.size == 0:
        return edges[:0], counts
    first = np.arange(0, counts.size, -(-counts.size // BARS))
    return np.append(edges[first], edges[-1]), np.add.reduceat(counts, first)
