"""When the machine cannot keep up: a larger hop, then a classical filter, then raw, and back up.

Pure logic: it is told of every hop, and says which step to take. What a step means is the session's.
"""

from collections import deque
from collections.abc import Callable
from enum import IntEnum

WATCHED_S = 2.0
"""Misses are counted over this."""
FEWEST_HOPS = 5
"""Fewer hops than this tell nothing."""
TOO_MANY = 0.2
"""Share of hops that miss their deadline from which it goes a step down."""
CALM_S = 10.0
"""Without a miss for so long it goes a step up …"""
LONGEST_CALM_S = 160.0
"""… and waits twice as long, up to this, where it came down again within `CALM_S` of going up."""
LARGER_HOP = 4
"""The larger hop is so many times the one that was asked for, where window and look-ahead allow."""


class Step(IntEnum):
    """What takes the place of what, from best to cheapest."""

    NETWORK = 0
    LARGER_HOP = 1
    FILTER = 2
    RAW = 3

    @property
    def text(self) -> str:
        """What a person reads."""
        return ("network", "larger hop", "classical filter", "raw")[self]


class Ladder:
    """Counts missed deadlines and decides on the step.

    Parameters
    ----------
    clock
        Monotonic seconds, `time.perf_counter` or a test's own.

    Attributes
    ----------
    step
        The step in force.
    changes
        Steps taken: time and step, oldest first; the newest 100.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._hops: deque[tuple[float, bool]] = deque()
        self._misses = 0
        self._calm_s = CALM_S
        self._since = self._missed = clock()
        self._climbed = float("-inf")
        self.step = Step.NETWORK
        self.changes: deque[tuple[float, Step]] = deque(maxlen=100)
        self.taken = dict.fromkeys(Step, 0)
        """How often each step was taken."""

    def note(self, missed: bool) -> Step | None:
        """Take note of a hop; returns the step to take now, None to stay."""
        now = self._clock()
        self._hops.append((now, missed))
        self._misses += missed
        if missed:
            self._missed = now
        while now - self._hops[0][0] > WATCHED_S:
            self._misses -= self._hops.popleft()[1]
        if self._misses and self._too_many(now):
            relapsed = now - self._climbed < CALM_S
            self._calm_s = min(2 * self._calm_s, LONGEST_CALM_S) if relapsed else CALM_S
            return self._take(Step(self.step + 1), now)
        if self.step and now - max(self._missed, self._since) >= self._calm_s:
            self._climbed = now
            return self._take(Step(self.step - 1), now)
        return None

    def _too_many(self, now: float) -> bool:
        # A step shows what it is worth only once the backlog before it is gone.
        settled = now - self._since >= WATCHED_S
        enough = len(self._hops) >= FEWEST_HOPS and self._misses >= TOO_MANY * len(self._hops)
        return settled and enough and self.step is not Step.RAW

    def _take(self, step: Step, now: float) -> Step:
        self.step, self._since = step, now
        self.changes.append((now, step))
        self.taken[step] += 1
        self._hops.clear()
        self._misses = 0
        return step
