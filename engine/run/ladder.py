"""When the machine cannot keep up: a larger hop, then a classical filter, then raw, and back up.

Pure logic: it is told of every hop, and says which step to take. The pipeline of each step is made in
`engine.run.fallback`.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

WATCHED_S = 2.0
"""Misses are counted over this."""
SETTLES_S = 2.0
"""No hop is counted for so long after a step: the backlog from before it must be gone first."""
TOO_MANY, FEWEST = 0.2, 5
"""It goes a step down where at least this share of hops, and at least so many, missed their deadline."""
CALM_S = 10.0
"""Without a miss for so long it goes a step up …"""
LONGEST_CALM_S = 160.0
"""… and waits twice as long, up to this, where it came down again within `CALM_S` of going up."""
LARGER_HOP = 4
"""The larger hop is so many times the one that was asked for, where window and look-ahead allow."""


class Rung(IntEnum):
    """What takes the place of what, from best to cheapest."""

    NETWORK = 0
    LARGER_HOP = 1
    FILTER = 2
    RAW = 3

    @property
    def text(self) -> str:
        """What a person reads."""
        return ("network", "larger hop", "classical filter", "raw")[self]


@dataclass(frozen=True)
class LadderFigures:
    """The step in force at the end of a run, and how often each was taken, by name."""

    step: str
    steps_taken: dict[str, int]


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
    taken
        How often each step was taken.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._hops: deque[tuple[float, int]] = deque()
        self._misses = 0
        self._calm_s = CALM_S
        self._since = self._missed = clock()
        self._climbed = float("-inf")
        self.step = Rung.NETWORK
        self.taken = dict.fromkeys(Rung, 0)

    def note(self, missed: int) -> Rung | None:
        """Take note of a hop; returns the step to take now, None to stay.

        Parameters
        ----------
        missed
            Hops that were found late with it: those of a burst all at once.
        """
        now = self._clock()
        if missed:
            self._missed = now
        if now - self._since < SETTLES_S:
            return None
        self._hops.append((now, missed))
        self._misses += missed
        while now - self._hops[0][0] > WATCHED_S:
            self._misses -= self._hops.popleft()[1]
        too_many = self._misses >= max(FEWEST, TOO_MANY * len(self._hops))
        if too_many and self.step is not Rung.RAW:
            relapsed = now - self._climbed < CALM_S
            self._calm_s = min(2 * self._calm_s, LONGEST_CALM_S) if relapsed else CALM_S
            return self._take(Rung(self.step + 1), now)
        if self.step and now - max(self._missed, self._since) >= self._calm_s:
            self._climbed = now
            return self._take(Rung(self.step - 1), now)
        return None

    def restart(self) -> None:
        """Begin at the network again, as with other settings."""
        self.step, self._since = Rung.NETWORK, self._clock()
        self._hops.clear()
        self._misses = 0

    def figures(self) -> LadderFigures:
        """What was done, for a summary."""
        taken = {step.text.replace(" ", "_"): count for step, count in self.taken.items()}
        return LadderFigures(self.step.text, taken)

    def _take(self, step: Rung, now: float) -> Rung:
        self.step, self._since = step, now
        self.taken[step] += 1
        self._hops.clear()
        self._misses = 0
        return step
