"""Where each millisecond between a source's stamp and the sinks went, for every sample."""

import numpy as np
from numpy.typing import NDArray

from engine.messages import Emitted

STAGES = (
    "transport",  # source's stamp → chunk arrived in this process
    "wait",  # arrived → its first window was full (up to one hop)
    "hold",  # first window → the window that emits it (the look-ahead)
    "queue",  # window ready → the call began (other streams, other hops)
    "host_to_device",
    "compute",
    "device_to_host",
    "overlap_add",
    "hand_over",  # guard, and every sink has it
)
"""The parts of a sample's delay in the order in which they happen. They sum to the total."""

BLOCK = 8192
"""Samples that are noted down before they are sorted into the histograms."""


class Histogram:
    """Counts of durations in bins of 1 % width from 1 µs to 20 min; exact minimum and maximum."""

    _LOWEST_NS = 1e3
    _STEP = float(np.log(1.01))
    _BINS = 2112

    def __init__(self) -> None:
        self._counts = np.zeros(self._BINS, np.int64)
        self.count = 0
        self.min_ns = float("inf")
        self.max_ns = 0.0

    def add(self, nanoseconds: NDArray[np.float64]) -> None:
        """Sort durations in; what is shorter than 1 µs counts as 1 µs."""
        if nanoseconds.size == 0:
            return
        relative = np.maximum(nanoseconds, self._LOWEST_NS) / self._LOWEST_NS
        index = np.minimum((np.log(relative) / self._STEP).astype(np.int64), self._BINS - 1)
        self._counts += np.bincount(index, minlength=self._BINS)
        self.count += nanoseconds.size
        self.min_ns = min(self.min_ns, float(nanoseconds.min()))
        self.max_ns = max(self.max_ns, float(nanoseconds.max()))

    def percentile_ms(self, percent: float) -> float:
        """The duration that `percent` of all do not exceed, to 1 %; NaN when there are none."""
        if self.count == 0:
            return float("nan")
        reached = np.searchsorted(np.cumsum(self._counts), percent / 100 * self.count)
        edge = self._LOWEST_NS * np.exp((min(int(reached), self._BINS - 1) + 1) * self._STEP)
        return float(min(max(edge, self.min_ns), self.max_ns)) / 1e6

    @property
    def max_ms(self) -> float:
        """The longest, exactly; NaN when there are none."""
        return self.max_ns / 1e6 if self.count else float("nan")

    def since(self, earlier: "Histogram") -> "Histogram":
        """What was added after `earlier` was copied from this; its minimum and maximum to 1 %."""
        later = Histogram()
        later._counts = self._counts - earlier._counts
        later.count = self.count - earlier.count
        used = np.flatnonzero(later._counts)
        if used.size:
            low, high = self._LOWEST_NS * np.exp(np.array([used[0], used[-1] + 1]) * self._STEP)
            later.min_ns, later.max_ns = max(float(low), self.min_ns), min(float(high), self.max_ns)
        return later

    def bars(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Bin edges in ms (one more than counts) and counts, empty bins at both ends left out."""
        used = np.flatnonzero(self._counts)
        first, last = (used[0], used[-1] + 1) if used.size else (0, 0)
        edges = self._LOWEST_NS * np.exp(np.arange(first, last + 1) * self._STEP) / 1e6
        return edges, self._counts[first:last]


class Ledger:
    """Notes the stamps of every sample that leaves, and answers with percentiles per stage.

    Parameters
    ----------
    hop_ns
        Real time between two hops; 0 where no pace is asked for. A hop that is handed over later
        than this after its newest sample arrived is a missed deadline.
    """

    def __init__(self, hop_ns: float) -> None:
        self.hop_ns = hop_ns
        # One column a sample: its source time, and the moments between the stages.
        self._source_ns = np.empty(BLOCK, np.float64)
        self._moments = np.empty((len(STAGES) - 2, BLOCK), np.int64)
        self._transfers = np.empty((2, BLOCK), np.int64)
        self._noted = 0
        self.stages = {stage: Histogram() for stage in STAGES}
        self.total = Histogram()
        self.hops = 0
        self.deadline_misses = 0
        self.busy_ns = 0

    def note(self, message: Emitted, handed_ns: int) -> None:
        """Note samples that every sink has at `handed_ns`."""
        hop = message.hop
        count = message.raw.shape[1]
        done = 0
        while done < count:
            if self._noted == BLOCK:
                self._fold()
            part = min(count - done, BLOCK - self._noted)
            column = slice(self._noted, self._noted + part)
            sample = slice(done, done + part)
            moments = self._moments
            np.multiply(hop.source_time[sample], 1e9, out=self._source_ns[column])
            moments[0, column] = hop.arrived_ns[sample]
            moments[1, column] = hop.first_ready_ns[sample]
            moments[2, column] = hop.ready_ns
            moments[3, column] = hop.started_ns
            moments[4, column] = hop.finished_ns
            moments[5, column] = message.added_ns
            moments[6, column] = handed_ns
            self._transfers[0, column] = hop.host_to_device_ns
            self._transfers[1, column] = hop.device_to_host_ns
            self._noted += part
            done += part
        self.hops += 1
        self.busy_ns += handed_ns - hop.ready_ns
        if self.hop_ns and handed_ns - hop.newest_arrived_ns > self.hop_ns:
            self.deadline_misses += 1

    def parts_ns(self) -> NDArray[np.float64]:
        """Stages of the samples noted since the last fold, shape (stages, samples)."""
        moments = self._moments[:, : self._noted].astype(np.float64)
        transfers = self._transfers[:, : self._noted]
        arrived, first_ready, ready, started, finished, added, handed = moments
        return np.stack(
            [
                arrived - self._source_ns[: self._noted],
                first_ready - arrived,
                ready - first_ready,
                started - ready,
                transfers[0],
                finished - started - transfers[0] - transfers[1],
                transfers[1],
                added - finished,
                handed - added,
            ]
        )

    def _fold(self) -> None:
        parts = self.parts_ns()
        for stage, durations in zip(STAGES, parts, strict=True):
            self.stages[stage].add(durations)
        self.total.add(self._moments[6, : self._noted] - self._source_ns[: self._noted])
        self._noted = 0

    def settle(self) -> None:
        """Sort everything noted so far into the histograms, before they are read."""
        if self._noted:
            self._fold()
