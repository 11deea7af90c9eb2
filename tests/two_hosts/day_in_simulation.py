"""A day with outages in simulated time, for the memory: ``python day_in_simulation.py SEED HOURS``.

The whole day of the device stands in memory before it begins, so that what grows is the engine's. The device
sends twice a second, as small ones do; the link is cut every ten minutes or so, for up to a minute. A row of
JSON is written to the output.
"""

import json
import sys
import tempfile
from pathlib import Path

from in_simulation import CLOCK, FS, LOOKAHEAD_MS

# ruff: noqa: I001 - `in_simulation` installs the clock that the others take when they are imported
import numpy as np
from judge import Judge
from simulated_lsl import AHEAD_S, LATENCY_S, World, install

from engine.ledger.account import memory_mb
from engine.run.protocol import CleanSettings, Job
from engine.run.session import Session
from streamer.lsl.settings import LslSettings
from streamer.settings import SourceSettings

HOP_MS, PACKET_S = 500.0, 0.5
_EVERY_S, _LONGEST_S = 600.0, 60.0
_LOOK_S = 600.0


class Counted:
    """Takes the place of a list of what was received: it keeps how much."""

    def __init__(self) -> None:
        self.samples = 0

    def append(self, numbers: np.ndarray) -> None:
        """Count."""
        self.samples += len(numbers)


class Day(World):
    """A device whose link is cut again and again."""

    def __init__(self, seconds: float, seed: int) -> None:
        self.fs, self.clock, self.gone = FS, CLOCK, False
        self.began = began = CLOCK.now
        self.received = Counted()
        self._random = np.random.default_rng(seed)
        self._rate = 1.0
        begins = began + 30 + np.cumsum(self._random.exponential(_EVERY_S, round(2 * seconds / _EVERY_S)))
        ends = begins + self._random.uniform(1, _LONGEST_S, len(begins))
        apart = np.append(begins[1:] > ends[:-1] + 10, True)
        self.begins, self.ends = begins[apart], ends[apart]
        self.number = np.arange(round((seconds + 5) * FS), dtype=np.int32)
        self.stamp = AHEAD_S + began + self.number / FS
        size = round(PACKET_S * FS)
        self.sent = began + (self.number // size + 1) * size / FS
        self.arrives = self.sent + LATENCY_S
        for begin, end in zip(self.begins, self.ends, strict=True):
            first, stop = np.searchsorted(self.sent, (begin, end))
            self.arrives[first:stop] = end + 0.2
        np.maximum.accumulate(self.arrives, out=self.arrives)

    @property
    def up(self) -> bool:
        """Whether the device can be reached."""
        before = int(np.searchsorted(self.begins, self.clock.now, "right"))
        return before == 0 or self.clock.now >= self.ends[before - 1]

    @property
    def start(self) -> int:
        """Its outlet is never made anew."""
        return 0


def main() -> None:
    """Play the day."""
    seed, hours = int(sys.argv[1]), float(sys.argv[2])
    seconds = 3600 * hours
    world = Day(seconds, seed)
    install(world)
    judge = Judge((LOOKAHEAD_MS + HOP_MS) / 1000)
    memory: list[float] = []

    def idle() -> None:
        if CLOCK.now - world.began >= _LOOK_S * (len(memory) + 1):
            memory.append(memory_mb())

    def show(message) -> None:
        judge.take(message, CLOCK.now)

    with tempfile.TemporaryDirectory(prefix="day-") as folder:
        source = SourceSettings(kind="lsl", lsl=LslSettings("far", wait=True))
        clean = CleanSettings("identity", "auto", LOOKAHEAD_MS, HOP_MS)
        session = Session(Job((source,), clean, save=Path(folder), rotate_minutes=60.0))
        outcome = session.run(lambda: CLOCK.now - world.began >= seconds, show, idle)
    (stream,) = outcome.summary.streams
    # Everything has been used once by then: an outage, the end of a file of the recording.
    settled = min(round(2 * 3600 / _LOOK_S), len(memory) - 1)
    row = {
        "hours": hours,
        "outages": int((world.ends < CLOCK.now).sum()),
        "sent": judge.out + judge.gap_samples,
        "out": judge.out,
        "gaps": judge.gaps,
        "misplaced": judge.misplaced,
        "changed": judge.changed,
        "unaccounted": sum(stream.unaccounted.values()),
        "recording_files": stream.recording_files,
        "settled_hours": (settled + 1) * _LOOK_S / 3600,
        "memory_mb": memory[settled::6],
        "growth_mb": memory[-1] - memory[settled],
        "exact": judge.misplaced == judge.changed == judge.torn == judge.gaps == 0 and not stream.unaccounted,
    }
    sys.stdout.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
