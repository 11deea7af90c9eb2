"""Where each millisecond between a source's stamp and the sinks went, for every sample."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.ledger.histogram import Histogram, add_to_each
from engine.messages import Emitted

Nanoseconds = NDArray[np.float64]
"""A duration for each sample, shape (samples,)."""


class Parts(NamedTuple):
    """The parts of each sample's delay, in the order in which they happen. They sum to the total.

    Parameters
    ----------
    transport
        Stamped by the source → its chunk arrived in this process.
    wait
        Arrived → its first window was full: up to one hop.
    hold
        First window full → the window full with which it leaves: the look-ahead.
    queue
        Window full → the call began, while other streams and hops had their turn.
    host_to_device, compute, device_to_host
        The call: copying to a GPU, computing, copying back.
    overlap_add
        Call ended → overlap-add had finished with it.
    hand_over
        Guard and sinks: overlap-add had finished → every sink has it.
    """

    transport: Nanoseconds
    wait: Nanoseconds
    hold: Nanoseconds
    queue: Nanoseconds
    host_to_device: Nanoseconds
    compute: Nanoseconds
    device_to_host: Nanoseconds
    overlap_add: Nanoseconds
    hand_over: Nanoseconds

    @property
    def total(self) -> Nanoseconds:
        """The whole delay."""
        total: Nanoseconds = np.sum(self, axis=0)
        return total


STAGES = Parts._fields
"""Names of the parts."""

_OF_SAMPLES = STAGES.index("queue")
"""The parts before this one differ from sample to sample; the others are one for all samples of a hop."""

BLOCK = 128
"""Hops that are kept before they are sorted into the histograms, to keep that work off most hops."""


class Ledger:
    """Notes the stamps of every sample that leaves, and answers with percentiles per stage.

    Parameters
    ----------
    hop_ns, sample_ns
        Real time between two hops, and of a sample; 0 where no pace is asked for.

    Attributes
    ----------
    deadline_misses
        Hops of bursts that were late. A burst is all that arrived together: a hop of a smooth source, many
        hops of one that sends long packets or was held up. It is one piece of work, due within the time of
        the signal that it brings, or of a hop; late, all its hops are.

    A burst that arrives while the one before is worked at begins when that is due: what the source held back
    is not the machine's delay. Only samples buy time: hops that a gap or the end of a segment forces out,
    with little in them, buy as little.
    """

    def __init__(self, hop_ns: float, sample_ns: float) -> None:
        self.hop_ns, self.sample_ns = hop_ns, sample_ns
        self._noted: list[_Note] = []
        self.stages = {stage: Histogram() for stage in STAGES}
        self.total = Histogram()
        self.hops = 0
        self.deadline_misses = 0
        self.busy_ns = 0
        self._burst_hops = 0
        self._arrived_ns = self._handed_ns = 0
        self._begun_ns = self._signal_ns = 0.0

    def note(self, message: Emitted, handed_ns: int) -> None:
        """Note samples that every sink has at `handed_ns`."""
        hop = message.answer.hop
        self._noted.append(_note(message, handed_ns))
        self.hops += 1
        self.busy_ns += handed_ns - hop.ready_ns
        arrived = hop.newest_arrived_ns
        if arrived != self._arrived_ns:
            self.end_burst()
            due = self._begun_ns + self._signal_ns
            self._begun_ns = max(arrived, due) if arrived < self._handed_ns else arrived
            self._arrived_ns, self._signal_ns = arrived, 0.0
        self._burst_hops += 1
        self._signal_ns += message.raw.shape[1] * self.sample_ns
        self._handed_ns = handed_ns
        if len(self._noted) >= BLOCK:
            self.settle()

    def end_burst(self) -> None:
        """Judge the newest burst, of which nothing more is expected."""
        if self.hop_ns and self._handed_ns - self._begun_ns > max(self.hop_ns, self._signal_ns):
            self.deadline_misses += self._burst_hops
        self._burst_hops = 0

    def settle(self) -> None:
        """Sort everything noted so far into the histograms, before they are read."""
        if not self._noted:
            return
        noted, self._noted = self._noted, []
        parts = _parts_ns(noted)
        stages = [self.stages[stage] for stage in STAGES]
        differ, shared = slice(0, _OF_SAMPLES), slice(_OF_SAMPLES, None)
        add_to_each([*stages[differ], self.total], np.array([*parts[differ], parts.total]))
        samples = np.array([source_s.size for source_s, _, _ in noted])
        first = samples.cumsum() - samples
        add_to_each(stages[shared], np.array(parts[shared])[:, first], samples)


def parts_ns(noted: Sequence[tuple[Emitted, int]]) -> Parts:
    """Where the time went for each sample of messages, each with when every sink had it (ns)."""
    return _parts_ns([_note(message, handed_ns) for message, handed_ns in noted])


_Note = tuple[NDArray[np.float64], NDArray[np.int64], tuple[int, ...]]
"""Of a hop, when its samples were taken (s), when they arrived and were ready (ns), and its stamps (ns)."""


def _note(message: Emitted, handed_ns: int) -> _Note:
    """What the ledger needs of a message, in memory of its own: views would hold on to whole buffers."""
    answer = message.answer
    hop, call = answer.hop, answer.call
    stamps = (
        hop.ready_ns,
        call.started_ns,
        call.host_to_device_ns,
        call.device_to_host_ns,
        call.finished_ns,
        message.added_ns,
        handed_ns,
    )
    return message.source_time.copy(), hop.arrived_ready_ns.copy(), stamps


def _parts_ns(noted: Sequence[_Note]) -> Parts:
    source_s, arrived_ready, stamps = zip(*noted, strict=True)
    source_ns = np.concatenate(source_s) * 1e9
    arrived, first_ready = np.concatenate(arrived_ready, axis=1).astype(np.float64)
    ready, started, to_device, to_host, finished, added, handed = np.repeat(
        np.array(stamps, np.float64).T, [taken.size for taken in source_s], axis=1
    )
    return Parts(
        transport=arrived - source_ns,
        wait=first_ready - arrived,
        hold=ready - first_ready,
        queue=started - ready,
        host_to_device=to_device,
        compute=finished - started - to_device - to_host,
        device_to_host=to_host,
        overlap_add=added - finished,
        hand_over=handed - added,
    )
