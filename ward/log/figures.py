"""What a worker counts of itself, for whoever watches it; none of it is by bed."""

import re
import time
from collections import Counter
from collections.abc import Sequence

import numpy as np

from engine.ledger.histogram import Histogram
from engine.marks import Mark
from streamer.partition import partition_of
from ward.log.broker import LEASE_S
from ward.log.frames import Flag, Piece

LATE_S = 1.0
"""A sample that is written so long after its source's stamp is late."""
SILENT_S = 10.0
"""A bed of which nothing was written for so long is silent."""
STUCK_S = 10.0
"""A worker beats ten times a second; after so long without a beat it is stuck."""
CHANGES = ("taken", "given_back", "lost")
"""What may become of a partition: a worker takes it, gives it back, or another has taken it over."""


class Figures:
    """Written to by the worker's one thread, read by any.

    Attributes
    ----------
    workers
        Those that are alive, this one too; 0 while this one is not among them.
    fates
        Samples of all leads that were written, by `Mark`.
    gap_samples, settling_samples, late_samples
        Samples of each lead: that never came, that were written while a network settled, or late.
    delays
        From a sample's stamp to when the broker had it cleaned, by the clocks of both machines.
    changes
        What became of partitions, by `CHANGES`.
    errors
        Times that a partition was begun again after an error.
    snapshots
        How many were left.
    """

    def __init__(self) -> None:
        self.workers = 0
        self.fates = np.zeros(len(Mark), np.int64)
        self.gap_samples = self.settling_samples = self.late_samples = 0
        self.delays = Histogram()
        self.changes: Counter[str] = Counter()
        self.errors = self.snapshots = 0
        self.troubled_s = -float("inf")
        self.connections = 0
        self.refused: dict[int, int] = {}
        self._names: dict[str, str] = {}
        self._beat_s = float("inf")  # it has not begun
        self._saved: dict[int, tuple[float, int]] = {}
        self._heard: dict[str, float] = {}

    # what the worker says

    def beat(self, troubled_s: float, connections: int) -> None:
        """It lives; when the broker last did not answer, and how often it was connected to."""
        self._beat_s, self.troubled_s, self.connections = time.monotonic(), troubled_s, connections

    def takes(self, partition: int) -> None:
        """It owns a partition from now on."""
        self.changes["taken"] += 1
        self._saved[partition] = time.monotonic(), 0

    def leaves(self, partition: int, how: str) -> None:
        """It owns a partition no more: how, of `CHANGES`, or "error", after which it is begun again."""
        if how in CHANGES:
            self.changes[how] += 1
        else:
            self.errors += 1
        self._saved.pop(partition, None)
        self.refused.pop(partition, None)
        for bed in [each for each in self._heard if partition_of(each) == partition]:
            del self._heard[bed]

    def saved(self, partition: int, size: int | None = None) -> None:
        """A snapshot holds all that was cleaned: a new one of so many bytes, or the one before."""
        if size is not None:
            self.snapshots += 1
        self._saved[partition] = (
            time.monotonic(),
            self._saved.get(partition, (0, 0))[1] if size is None else size,
        )

    def refuses(self, partition: int, beds: dict[str, str]) -> None:
        """Beds of a partition that are not cleaned."""
        self.refused[partition] = len(beds)
        for bed in beds:
            self._names[bed] = f"a bed of partition {partition}"

    def wrote(self, pieces: Sequence[Piece]) -> None:
        """The broker has these."""
        now, now_s = time.time(), time.monotonic()
        stamps = []
        for piece in pieces:
            self._names[piece.bed] = f"a bed of partition {partition_of(piece.bed)}"
            if piece.flag & Flag.ENDS:
                self._heard.pop(piece.bed, None)
                continue
            self._heard[piece.bed] = now_s
            if piece.flag & Flag.GAP:
                self.gap_samples += piece.count
                continue
            self.fates += np.bincount(piece.words[0].ravel(), minlength=len(Mark))
            stamps.append(piece.stamps)
            if piece.flag & Flag.SETTLING:
                self.settling_samples += piece.count
        if stamps:
            delays = now - np.concatenate(stamps)
            self.late_samples += int((delays > LATE_S).sum())
            self.delays.add(delays * 1e9)

    # what others read

    @property
    def partitions(self) -> int:
        """How many it owns."""
        return len(self._saved)

    @property
    def snapshot_age_s(self) -> float:
        """Since when the partition that waits longest for a snapshot has had none; 0 without one."""
        now = time.monotonic()
        return max((now - at for at, _ in list(self._saved.values())), default=0.0)

    @property
    def snapshot_bytes(self) -> int:
        """Size of the largest newest snapshot."""
        return max((size for _, size in list(self._saved.values())), default=0)

    @property
    def beds(self) -> tuple[int, int]:
        """Beds of which something was written lately, and those that are silent."""
        now, heard = time.monotonic(), list(self._heard.values())
        live = sum(now - at < SILENT_S for at in heard)
        return live, len(heard) - live

    @property
    def broker_answers(self) -> bool:
        """Whether the broker has answered whatever it was asked lately."""
        return time.monotonic() - self.troubled_s > LEASE_S

    def without_names(self, text: str) -> str:
        """A text in which no bed is named."""
        # The longest first: a name may hold another one.
        for name in sorted(self._names, key=len, reverse=True):
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", self._names[name], text)
        return text

    def why_unhealthy(self) -> str:
        """Why the process should be started anew; empty while it should not."""
        still = time.monotonic() - self._beat_s > STUCK_S
        return f"the worker has not moved for {STUCK_S:g} s" if still else ""

    def why_not_ready(self) -> str:
        """Why it takes no part in the ward; empty while it does."""
        if unhealthy := self.why_unhealthy():
            return unhealthy
        if not self.broker_answers:
            return "the broker does not answer"
        return "" if self.workers else "it is not among the workers of the ward"
