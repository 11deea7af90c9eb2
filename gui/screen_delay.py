"""How old samples are when they are painted, measured at the painting."""

import time
from collections import deque
from typing import NamedTuple

import numpy as np

from engine.messages import Cleaned

_KEPT = 2000  # messages: a minute or so


class ScreenDelay(NamedTuple):
    """Age of a sample when it was painted, counted from its source's stamp, ms; NaN before it is known."""

    p50: float
    p95: float
    p99: float
    highest: float


UNKNOWN = ScreenDelay(float("nan"), float("nan"), float("nan"), float("nan"))


class PaintClock:
    """Told what came and when it was painted; everything is of the last minute, or since `restart`."""

    def __init__(self) -> None:
        self._undrawn: deque[tuple[float, float, int]] = deque(maxlen=_KEPT)
        self._ages_ms: deque[tuple[float, float]] = deque(maxlen=_KEPT)
        self._painted_ms: deque[float] = deque(maxlen=_KEPT)

    def restart(self) -> None:
        """Leave out what was painted before: other settings have another delay."""
        self._ages_ms.clear()

    def take(self, message: Cleaned) -> None:
        """Note samples that came from the engine."""
        first, last = float(message.source_time[0]), float(message.source_time[-1])
        self._undrawn.append((first, last, message.released_ns))

    def drawn(self, *, seen: bool) -> None:
        """Note that everything taken so far is on the screen, or (not `seen`) will never be."""
        now_ns = time.perf_counter_ns()
        if seen:
            for first, last, released_ns in self._undrawn:
                self._ages_ms.append((now_ns / 1e6 - 1000 * first, now_ns / 1e6 - 1000 * last))
                self._painted_ms.append((now_ns - released_ns) / 1e6)
        self._undrawn.clear()

    @property
    def painted_ms(self) -> float:
        """Median time from the engine's last sink to the painted pixel, ms; NaN before it is known."""
        return float(np.median(self._painted_ms)) if self._painted_ms else float("nan")

    @property
    def delay(self) -> ScreenDelay:
        """How old samples were when they were painted."""
        ends = np.array(self._ages_ms).reshape(-1, 2)
        # Samples of a message lie evenly between its first, the oldest, and its last.
        ages = np.concatenate([ends, ends.mean(axis=1, keepdims=True)], axis=1)
        ages = ages[np.isfinite(ages)]
        if not ages.size:
            return UNKNOWN
        p50, p95, p99, highest = map(float, np.percentile(ages, [50, 95, 99, 100]))
        return ScreenDelay(p50, p95, p99, highest)
