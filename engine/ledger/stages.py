"""Where each millisecond between a source's stamp and the sinks went, for every sample."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.ledger.histogram import Histogram
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

BLOCK = 128
"""Hops that are kept before they are sorted into the histograms, to keep that work off most hops."""


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
        self._noted: list[tuple[Emitted, int]] = []
        self.stages = {stage: Histogram() for stage in STAGES}
        self.total = Histogram()
        self.hops = 0
        self.deadline_misses = 0
        self.busy_ns = 0

    def note(self, message: Emitted, handed_ns: int) -> None:
        """Note samples that every sink has at `handed_ns`."""
        hop = message.hop
        self._noted.append((message, handed_ns))
        self.hops += 1
        self.busy_ns += handed_ns - hop.ready_ns
        # What a flush releases waits for nothing and is early.
        late = handed_ns - hop.newest_arrived_ns > self.hop_ns
        if self.hop_ns and late and not hop.flushed:
            self.deadline_misses += 1
        if len(self._noted) >= BLOCK:
            self.settle()

    def settle(self) -> None:
        """Sort everything noted so far into the histograms, before they are read."""
        if not self._noted:
            return
        parts = parts_ns(self._noted)
        for stage, durations in zip(STAGES, parts, strict=True):
            self.stages[stage].add(durations)
        self.total.add(parts.sum(axis=0))
        self._noted.clear()


def parts_ns(noted: Sequence[tuple[Emitted, int]]) -> NDArray[np.float64]:
    """How long each stage took for each sample of messages handed over, ns, shape (stages, samples)."""
    source_time = np.concatenate([message.source_time for message, _ in noted])
    arrived, first_ready = np.concatenate([message.hop.arrived_ready_ns for message, _ in noted], axis=1)
    stamps = [
        (
            message.hop.ready_ns,
            message.hop.started_ns,
            message.hop.host_to_device_ns,
            message.hop.device_to_host_ns,
            message.hop.finished_ns,
            message.added_ns,
            handed_ns,
        )
        for message, handed_ns in noted
    ]
    samples = [len(message.source_time) for message, _ in noted]
    ready, started, to_device, to_host, finished, added, handed = np.repeat(
        np.array(stamps).T, samples, axis=1
    )
    parts = np.empty((len(STAGES), len(source_time)))
    parts[0] = arrived - source_time * 1e9
    parts[1] = first_ready - arrived
    parts[2] = ready - first_ready
    parts[3] = started - ready
    parts[4] = to_device
    parts[5] = finished - started - to_device - to_host
    parts[6] = to_host
    parts[7] = added - finished
    parts[8] = handed - added
    return parts
