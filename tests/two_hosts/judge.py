"""The judge of a scenario: what left the engine and what was recorded, sample by sample."""

from typing import Any

import numpy as np
import wfdb

from engine.lab.soak.counting import LEADS, WRAP, misplaced, numbers_of
from engine.marks import Mark
from engine.messages import Emitted, Gap

_TOLERANCE = np.float32(2e-6)  # relative to the sample: overlap-add sums in single precision
LIVE_S = 1.0
"""A stream is live again where its newest cleaned sample is at most so much older than usual."""


class Judge:
    """Looks at every message that leaves; all that it knows of samples is what they say themselves."""

    def __init__(self, usual_s: float) -> None:
        self._usual_s = usual_s
        self.first = self.next = 0
        self.begun = False
        self.out = self.gap_samples = self.gaps = self.misplaced = self.changed = self.torn = 0
        self.back_s: float | None = None
        self.recovery_s: float | None = None
        self.live_s: float | None = None

    def link_is_back(self, now_s: float) -> None:
        """The outage is over: from now on it is waited for what comes."""
        self.back_s = now_s

    def take(self, message: Emitted | Gap, now_s: float) -> None:
        """Judge a message, and when it left."""
        if self.begun and message.start != self.next:
            self.torn += 1
        self.next = message.stop
        if isinstance(message, Gap):
            self.gaps += 1
            self.gap_samples += message.stop - message.start
            return
        if not self.begun:
            self.begun = True
            self.first = int(numbers_of(message.raw[:, :1])[0]) - message.start
        self.out += message.raw.shape[1]
        self.misplaced += misplaced(message.raw, message.start, self.first)
        # The network is the identity; a filter that takes its place is not.
        networks = message.marks != Mark.FILTERED
        off = np.abs(message.cleaned - message.raw) > _TOLERANCE * (1 + np.abs(message.raw))
        self.changed += int((off & networks).sum())
        if self.back_s is not None:
            self._time(message, now_s)

    def _time(self, message: Emitted, now_s: float) -> None:
        if self.recovery_s is None:
            self.recovery_s = now_s - self.back_s
        age_s = now_s - float(message.source_time[-1])
        if self.live_s is None and age_s <= self._usual_s + LIVE_S:
            self.live_s = now_s - self.back_s

    def verdict(self, stream: dict[str, Any]) -> dict[str, Any]:
        """The row of a table.

        Parameters
        ----------
        stream
            Of the run's summary.
        """
        record = wfdb.rdrecord(stream["recording"])
        raw = record.p_signal[:, : len(LEADS)].T
        there = np.flatnonzero(~np.isnan(raw[0]))
        # The recording begins with the first sample that left.
        begin = (numbers_of(raw[:, there[:1]])[0] - there[0]) % WRAP
        places = (there + begin) % WRAP
        recorded_wrong = int((numbers_of(raw[:, there]) != places).sum())
        row = {
            "sent": self.out + self.gap_samples,
            "out": self.out,
            "gaps": self.gaps,
            "gap_samples": self.gap_samples,
            "misplaced": self.misplaced,
            "misplaced_recorded": recorded_wrong,
            "changed": self.changed,
            "unaccounted": sum(stream["unaccounted"].values()),
            "recovery_s": self.recovery_s,
            "live_s": self.live_s,
            "delay_p50_ms": stream["delay_ms"]["p50"],
            "delay_p99_ms": stream["delay_ms"]["p99"],
        }
        row["exact"] = (
            self.torn == self.misplaced == recorded_wrong == self.changed == row["unaccounted"] == 0
            and len(there) == self.out == stream["samples_out"]
            and raw.shape[1] == row["sent"]
            and self.gap_samples == stream["gap_samples"]
        )
        return row
