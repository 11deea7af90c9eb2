"""Compare what goes in and what comes out with the clean reference while it plays."""

from collections import deque

import numpy as np

from engine.messages import Cleaned
from models.metrics import Moments
from streamer.chunk import Samples

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
        self._fs = fs
        self._pending: list[Cleaned] = []
        self._waiting = 0
        self._scored = 0
        nothing = (Moments.none(leads), Moments.none(leads))
        self._warmup = self._settled = nothing
        self._rolling: deque[tuple[Moments, Moments]] = deque(maxlen=ROLLING_S)

    def push(self, message: Cleaned) -> None:
        """Take samples that carry a reference; others are ignored."""
        if message.clean is None:
            return
        self._pending.append(message)
        self._waiting += message.raw.shape[1]
        if self._waiting >= self._fs:
            self._sum()

    def _sum(self) -> None:
        if not self._pending:
            return
        clean = np.concatenate([m.clean for m in self._pending if m.clean is not None], axis=1)
        raw = np.concatenate([m.raw for m in self._pending], axis=1)
        cleaned = np.concatenate([m.cleaned for m in self._pending], axis=1)
        block = _moments(clean, raw, cleaned)
        cut = min(max(round(WARMUP_S * self._fs) - self._scored, 0), clean.shape[1])
        if cut == 0:
            self._settled = _joined(self._settled, block)
        else:
            early, late = slice(0, cut), slice(cut, None)
            self._warmup = _joined(self._warmup, _moments(clean[:, early], raw[:, early], cleaned[:, early]))
            self._settled = _joined(self._settled, _moments(clean[:, late], raw[:, late], cleaned[:, late]))
        self._rolling.append(block)
        self._scored += clean.shape[1]
        self._pending, self._waiting = [], 0

    def result(self) -> tuple[Moments, Moments]:
        """Moments of input and output over the run, warm-up left out where the run is long."""
        self._sum()
        if self._scored > 2 * WARMUP_S * self._fs:
            return self._settled
        return self._warmup[0] + self._settled[0], self._warmup[1] + self._settled[1]

    def rolling_snr_db(self) -> tuple[float, float]:
        """Mean over leads of SNR in and out over the last seconds; NaN before the first."""
        if not self._rolling:
            return float("nan"), float("nan")
        before = sum((block[0] for block in self._rolling), Moments.none(1))
        after = sum((block[1] for block in self._rolling), Moments.none(1))
        return float(np.mean(before.snr_db)), float(np.mean(after.snr_db))


def _moments(clean: Samples, raw: Samples, cleaned: Samples) -> tuple[Moments, Moments]:
    """Of input and output."""
    return Moments.of(clean, raw), Moments.of(clean, cleaned)


def _joined(one: tuple[Moments, Moments], other: tuple[Moments, Moments]) -> tuple[Moments, Moments]:
    return one[0] + other[0], one[1] + other[1]
