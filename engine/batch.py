"""Windows of several streams that become ready at different moments, in one call of the network."""

import time
from collections.abc import Iterable, Iterator
from typing import Protocol

from engine.infer import MAX_ROWS
from engine.messages import Gap, Hop
from engine.ready_windows import Clock

HOLD_SHARE = 0.1
"""Share of a hop that a window may wait for those of other streams: 4 ms at 40 ms."""


class Gathers(Protocol):
    """Stands between the windows that are ready and the network."""

    def gather(self, rounds: Iterable[list[Hop | Gap]]) -> Iterator[list[Hop | Gap]]:
        """Rounds of ready windows, joined or marked, in the order in which they came."""


class Batcher:
    """Holds windows back until every stream has one, never longer than `hold_ns`.

    Useful only where a call of many rows costs little more than one of few, as on a GPU. On a CPU
    eight rows of the default network take eight times as long as one.

    Parameters
    ----------
    hold_ns
        Longest wait of a window; 0 holds none.
    streams
        How many streams play; one that joins later is added to `streams`.
    """

    def __init__(self, hold_ns: float, streams: int, clock: Clock = time.perf_counter_ns) -> None:
        self._hold_ns, self.streams, self._clock = hold_ns, streams, clock
        self._held: list[Hop | Gap] = []
        self._due_ns: float | None = None

    def due_s(self) -> float | None:
        """Seconds until a held window must leave; None while none is held."""
        return None if self._due_ns is None else max(0.0, (self._due_ns - self._clock()) / 1e9)

    def gather(self, rounds: Iterable[list[Hop | Gap]]) -> Iterator[list[Hop | Gap]]:
        """Join rounds of ready windows, in the order in which they came.

        Time is checked only when a round comes, so whoever makes the rounds must send one, an empty one
        if need be, when `due_s` has passed.
        """
        for ready in rounds:
            self._held += ready
            if self._held and self._is_time():
                yield self._release()
        if self._held:
            yield self._release()

    def _is_time(self) -> bool:
        if self._due_ns is None:
            oldest = next((item.ready_ns for item in self._held if isinstance(item, Hop)), None)
            # A gap alone waits for nothing.
            self._due_ns = self._clock() if oldest is None else oldest + self._hold_ns
        rows = sum(len(item.window) for item in self._held if isinstance(item, Hop))
        full = rows >= MAX_ROWS or len({item.stream for item in self._held}) >= self.streams
        return full or self._clock() >= self._due_ns

    def _release(self) -> list[Hop | Gap]:
        held, self._held, self._due_ns = self._held, [], None
        return held
