"""Where the time of a start goes, part by part."""

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class StartPart:
    """A part of a start: how long it took, and the CPU time that the engine's process used for it, s."""

    wall_s: float
    cpu_s: float


class StartTimes:
    """Parts of a start, each from the end of the one before it.

    Parameters
    ----------
    launched_ns
        `time.perf_counter_ns` when the user asked for the run: the first part begins there.
    """

    def __init__(self, launched_ns: int) -> None:
        self.parts: dict[str, StartPart] = {}
        self._wall_ns, self._cpu_ns = launched_ns, 0

    def note(self, part: str) -> None:
        """A part ends now."""
        wall_ns, cpu_ns = time.perf_counter_ns(), time.process_time_ns()
        took = StartPart((wall_ns - self._wall_ns) / 1e9, (cpu_ns - self._cpu_ns) / 1e9)
        self.parts[part] = took
        self._wall_ns, self._cpu_ns = wall_ns, cpu_ns
