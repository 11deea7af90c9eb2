"""Time that passes only where a simulation says so. To be installed before anything that looks at a clock."""

import concurrent.futures
import math
import queue
import subprocess
import threading
import time

KEEP_REAL = (concurrent.futures, queue, subprocess, threading)
"""They take their clock when they are first imported, and wait for real threads and processes."""


class SimulatedClock:
    """What `time.perf_counter` and its like say; `sleep` returns at once, later.

    Attributes
    ----------
    ns
        Now, in nanoseconds.
    """

    def __init__(self) -> None:
        self.ns = 1_000_000_000_000

    @property
    def now(self) -> float:
        """Now, in seconds."""
        return self.ns / 1e9

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.ns += max(0, round(1e9 * seconds))

    def until(self, moment: float) -> None:
        """Let time pass until a moment, if it is not over."""
        if self.now < moment:
            # A nanosecond later rather than earlier: what is due then must be there.
            self.ns = math.ceil(1e9 * moment) + 1

    def install(self) -> None:
        """Be the clock of this process from now on."""
        time.perf_counter = time.monotonic = lambda: self.now
        time.perf_counter_ns = time.monotonic_ns = lambda: self.ns
        time.sleep = self.advance
