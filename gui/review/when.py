"""When a sample was: the place in a record, or the time of day."""

import time
from datetime import datetime

from gui.clock import clock
from gui.monitor import Monitor


def when(monitor: Monitor, sample: float) -> str:
    """Place in the record that plays; of anything else the time of day, ``14:03:05``."""
    info, buffer = monitor.info, monitor.buffer
    if info.origin == "record":
        at = sample / info.fs
        if info.length_s:
            lap = info.length_s - info.start_s
            # One that loops begins again where it began.
            at = at if at <= lap else at % lap
        return clock(max(0.0, info.start_s + at))
    return f"{datetime.fromtimestamp(time_of_day(monitor, sample)):%H:%M:%S}" if not buffer.empty else ""


def time_of_day(monitor: Monitor, sample: float) -> float:
    """When a sample was taken, in seconds of Unix time, from the stamp of the newest one that is known."""
    buffer = monitor.buffer
    age_s = monitor.age_s
    # A source whose clock is not comparable has no stamps: its newest sample is of now.
    newest = time.time() - (age_s if 0 <= age_s < 86400 else 0.0)
    return newest + (sample - buffer.final) / monitor.info.fs


def when_began(monitor: Monitor) -> float:
    """What the clock of `when` showed at sample 0, seconds."""
    return monitor.info.start_s if monitor.info.origin == "record" else time_of_day(monitor, 0)
