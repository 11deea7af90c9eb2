"""Compare input and output of a run with the clean reference while it plays."""

from collections import deque

import numpy as np

from engine.messages import Cleaned
from models.metrics import Moments

WARMUP_S = 10.0
"""Left out of runs longer than twice this: network and mixing have not settled."""
ROLLING_S = 10


class Scorer:
    """SNR of input and output against the reference, over the run and over the last seconds.

    Samples are gathered for a second before they are summed, to keep the work off most hops.

    Parameters
    ----------
    fs
        Rate of the messages, Hz.
    leads
        Number of leads.
    """

    def __init__(self, fs: float, leads: int) -> None:
        self._fs, self._leads = fs, leads
        self._pending: list[Cleaned] = []
        self._waiting = 0
        self._scored = 0
        # Rows are the leads of the input and then those of the output: half the calls of two sums.
        self._warmup = self._settled = Moments.none(2 * leads)
        self._rolling: deque[Moments] = deque(maxlen=ROLLING_S)

    def push(self, message: Cleaned) -> None:
        """Take samples that carry a reference; others are ignored."""
        if message.reference is None:
            return
        self._pending.append(message)
        self._waiting += message.raw.shape[1]
        if self._waiting >= self._fs:
            self._sum()

    def _sum(self) -> None:
        if not self._pending:
            return
        reference = np.concatenate([m.reference for m in self._pending if m.reference is not None], axis=1)
        raw = np.concatenate([m.raw for m in self._pending], axis=1)
        cleaned = np.concatenate([m.cleaned for m in self._pending], axis=1)
        wanted, got = np.concatenate([reference, reference]), np.concatenate([raw, cleaned])
        block = Moments.of(wanted, got)
        count = reference.shape[1]
        early = min(max(round(WARMUP_S * self._fs) - self._scored, 0), count)
        if early == count:
            self._warmup += block
        elif early:
            self._warmup += Moments.of(wanted[:, :early], got[:, :early])
            self._settled += Moments.of(wanted[:, early:], got[:, early:])
        else:
            self._settled += block
        self._rolling.append(block)
        self._scored += count
        self._pending, self._waiting = [], 0

    def result(self) -> tuple[Moments, Moments]:
        """Moments of input and output over the run, warm-up left out where the run is long."""
        self._sum()
        long = self._scored > 2 * WARMUP_S * self._fs
        sums = (self._settled if long else self._warmup + self._settled).sums
        return Moments(sums[:, : self._leads]), Moments(sums[:, self._leads :])

    def rolling_snr_db(self) -> tuple[float, float]:
        """Mean over leads of SNR in and out over the last seconds; NaN before the first."""
        if not self._rolling:
            return float("nan"), float("nan")
        snr_db = sum(self._rolling, Moments.none(2 * self._leads)).snr_db
        return float(np.mean(snr_db[: self._leads])), float(np.mean(snr_db[self._leads :]))
