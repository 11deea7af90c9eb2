"""From a device's own numbers, which wrap, to a count that goes on: what proves a loss to the sample."""

from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SETTLED_S = 0.5
"""After a silence in which numbers may have wrapped, samples wait for so long until it is known how often."""
_BASE_S = 10.0


class Counted(NamedTuple):
    """Samples with their place in the device's count, shape (samples,), and their values as they came."""

    places: NDArray[np.int64]
    rows: NDArray[np.float64]
    arrived_ns: int


class CounterLine:
    """Makes one rising count out of numbers modulo something.

    Numbers of a cable or a radio link never come in the wrong order, so a step back is a step forwards
    around the wrap. A single number that fits neither side of it is misread, and is not believed. After a
    silence of half a wrap or more the arrivals tell how many wraps are missing: what was only delayed
    comes all at once then, and what is lost does not come.

    Parameters
    ----------
    modulo
        The count after which the numbers begin at 0 again.
    fs
        Rate in Hz.
    """

    def __init__(self, modulo: int, fs: float) -> None:
        self._modulo, self._fs = modulo, fs
        self._begun = False
        self._last, self._place = 0, 0  # number and place of the newest sample
        self._arrived_ns = 0
        self._doubted: tuple[NDArray[np.int64], NDArray[np.float64]] | None = None
        self._held: list[tuple[NDArray[np.int64], NDArray[np.float64], int]] = []
        self._late: deque[tuple[int, float]] = deque()
        self._resumed = False

    @property
    def holds(self) -> bool:
        """Whether samples wait for `release`."""
        return bool(self._held) or self._doubted is not None

    def resume(self) -> None:
        """Expect the next numbers from a new connection: by the arrivals, or from anywhere."""
        self._resumed = self._begun
        self._late.clear()

    def push(self, numbers: NDArray[np.int64], rows: NDArray[np.float64], arrived_ns: int) -> list[Counted]:
        """Take samples that came together; those whose place is known.

        Parameters
        ----------
        numbers
            Of the device, shape (samples,), at least one.
        rows
            Values, shape (samples, channels).
        """
        numbers = numbers % self._modulo
        silence_s = 0.0 if not self._begun else (arrived_ns - self._arrived_ns) / 1e9
        if self._resumed:
            return [self._resume(numbers, rows, arrived_ns, silence_s)]
        self._arrived_ns = arrived_ns
        if self._held or (self._late and silence_s * self._fs >= self._modulo / 2):
            self._held.append((numbers, rows, arrived_ns))
            return self.release(arrived_ns)
        return self._take(numbers, rows, arrived_ns)

    def release(self, now_ns: int) -> list[Counted]:
        """Samples that have waited for long enough, now that it is `now_ns`."""
        if self._held and now_ns - self._held[0][2] >= SETTLED_S * 1e9:
            return self._settle()
        if self._doubted is not None and now_ns - self._arrived_ns >= SETTLED_S * 1e9:
            return self._believe()
        return []

    def flush(self) -> list[Counted]:
        """All samples at once: nothing more is expected."""
        return (self._settle() if self._held else []) + self._believe()

    def _believe(self) -> list[Counted]:
        """Take the doubted sample by its number: none came after it that says otherwise."""
        if self._doubted is None:
            return []
        (numbers, rows), self._doubted = self._doubted, None
        return [self._count(numbers, rows, self._arrived_ns)]

    def _take(self, numbers: NDArray[np.int64], rows: NDArray[np.float64], arrived_ns: int) -> list[Counted]:
        """Samples behind those before; the last waits for the next one if its number jumps."""
        if self._doubted is not None:
            numbers = np.concatenate([self._doubted[0], numbers])
            rows = np.concatenate([self._doubted[1], rows])
            self._doubted = None
        if not self._begun:
            self._begun, self._last = True, int(numbers[0]) - 1
        before = np.concatenate([[self._last], numbers[:-1]])
        jumps = (numbers - before) % self._modulo != 1
        # One between two that fit each other.
        for place in np.flatnonzero(jumps[:-1]):
            if (numbers[place + 1] - before[place]) % self._modulo == 2:
                numbers = numbers.copy()
                numbers[place] = (numbers[place + 1] - 1) % self._modulo
        last = numbers[-2] if len(numbers) > 1 else self._last
        if (numbers[-1] - last) % self._modulo != 1:
            self._doubted = numbers[-1:], rows[-1:]
            numbers, rows = numbers[:-1], rows[:-1]
        return [self._count(numbers, rows, arrived_ns)] if len(numbers) else []

    def _count(
        self, numbers: NDArray[np.int64], rows: NDArray[np.float64], arrived_ns: int, more: int = 0
    ) -> Counted:
        steps = (numbers - np.concatenate([[self._last], numbers[:-1]])) % self._modulo
        places = self._place + more + np.cumsum(steps)
        self._last, self._place = int(numbers[-1]), int(places[-1])
        self._late.append((arrived_ns, arrived_ns / 1e9 - self._place / self._fs))
        while arrived_ns - self._late[0][0] > _BASE_S * 1e9:
            self._late.popleft()
        return Counted(places, rows, arrived_ns)

    def _settle(self) -> list[Counted]:
        """Place what was held: with as many wraps as even the earliest of it is late by."""
        held, self._held = self._held, []
        usual = min(late for _, late in self._late)
        place, last = self._place, self._last
        least = np.inf
        for numbers, _, arrived_ns in held:
            place += int(((numbers - np.concatenate([[last], numbers[:-1]])) % self._modulo).sum())
            last = int(numbers[-1])
            least = min(least, arrived_ns / 1e9 - place / self._fs)
        self._place += self._modulo * max(0, round((least - usual) * self._fs / self._modulo))
        self._late.clear()
        return [counted for each in held for counted in self._take(*each)]

    def _resume(
        self, numbers: NDArray[np.int64], rows: NDArray[np.float64], arrived_ns: int, silence_s: float
    ) -> Counted:
        self._resumed, self._doubted, self._held = False, None, []
        step = (int(numbers[0]) - self._last) % self._modulo
        more = self._modulo * max(0, round((silence_s * self._fs - step) / self._modulo))
        self._arrived_ns = arrived_ns
        return self._count(numbers, rows, arrived_ns, more)
