"""Devices whose program stamps packets when the radio delivers them, in simulated time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Pull(NamedTuple):
    """Samples `first` … as an inlet hands them out, their stamps and when they came, in seconds."""

    first: int
    stamps: NDArray[np.float64]
    arrived_s: float


@dataclass(frozen=True)
class ArrivalDevice:
    """A radio link that delays and stalls, and a program that pushes what it delivers.

    Parameters
    ----------
    fs, packet
        Stated rate, Hz, and samples in a packet.
    ppm
        By how much the device is faster than it states.
    jitter_s
        Mean delay of the radio.
    each
        Every sample is stamped by itself; otherwise liblsl spaces those of a packet by the stated rate.
    stall_every_s
        Mean time between two stalls of 0.4 … 1.5 s, after which all that was queued is delivered.
    loss
        Share of packets that the radio loses.
    split
        The inlet hands out half a packet at times.
    """

    fs: float
    packet: int
    ppm: float = 0.0
    jitter_s: float = 0.012
    each: bool = False
    stall_every_s: float = 20.0
    loss: float = 0.0
    split: bool = True

    def pulls(self, seconds: float, seed: int = 0) -> Iterator[Pull]:
        """What an inlet on the same machine hands out."""
        random = np.random.default_rng(seed)
        true_fs = self.fs * (1 + 1e-6 * self.ppm)
        stalled_until, next_stall, delivered = 0.0, random.exponential(self.stall_every_s), 0.0
        for first in range(0, round(seconds * true_fs), self.packet):
            sampled = (first + self.packet) / true_fs
            if sampled >= next_stall:
                stalled_until = sampled + random.uniform(0.4, 1.5)
                next_stall = stalled_until + random.exponential(self.stall_every_s)
            radio = max(sampled + 0.01 + random.exponential(self.jitter_s), stalled_until)
            # The program's own work on a packet.
            delivered = max(radio, delivered + 1e-4)
            if random.random() < self.loss:
                continue
            count = np.arange(self.packet)
            stamps = (
                delivered + 2e-6 * count if self.each else delivered - (self.packet - 1 - count) / self.fs
            )
            arrived = delivered + 2e-4 + random.exponential(2e-4)
            at = (
                int(random.integers(1, self.packet))
                if self.split and self.packet > 1 and random.random() < 0.1
                else self.packet
            )
            yield Pull(first, stamps[:at], arrived)
            if at < self.packet:
                yield Pull(first + at, stamps[at:], arrived + 2e-4)
