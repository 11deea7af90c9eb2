"""Synthetic patients, cleaned by the real engine as fast as it can, and shown at a clock that does not run.

Only what a signal has no part in is made up: when it was, and the delays, which so fast a run has not.
"""

import os
import time
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from unittest.mock import patch

import numpy as np

from engine.ledger.delays import Delays
from engine.ledger.stages import STAGES
from engine.messages import Cleaned, Emitted
from engine.run.protocol import CleanSettings, Frame, Job, Started, StartedStream
from engine.run.session import Session
from gui import limits, monitor, screen_delay
from gui.main_window import MainWindow
from gui.printing import strip
from gui.review import when
from gui.vitals import BeatFinder
from streamer.noise import NoiseSettings
from streamer.settings import SourceSettings

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC).timestamp()
CLEAN = CleanSettings(lookahead_ms=100.0, hop_ms=40.0)
_STATUS_S, _SEARCH_S = 0.5, 2.5
_STAGES_MS = dict(zip(STAGES, (4.0, 22.0, 100.0, 0.4, 0.0, 1.2, 0.0, 0.2, 0.3), strict=True))
_LEAVES_AFTER_S, _PAINTED_S = 0.108, 0.012


class StandingClock:
    """Stands where it is put; takes the place of `time` in the modules of the screen."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    def perf_counter_ns(self) -> int:
        return round(1e9 * self.now)

    def time(self) -> float:
        return NOON + self.now


CLOCK = StandingClock()


class _Day(datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(CLOCK.time(), tz)


@contextmanager
def standing_still():
    """Have the screen read `CLOCK`, in UTC."""
    zone = os.environ.get("TZ")
    os.environ["TZ"] = "UTC"
    time.tzset()
    try:
        with ExitStack() as replaced:
            for module in (limits, monitor, screen_delay, when):
                replaced.enter_context(patch.object(module, "time", CLOCK))
            replaced.enter_context(patch.object(strip, "datetime", _Day))
            yield
    finally:
        os.environ.pop("TZ")
        if zone is not None:
            os.environ["TZ"] = zone
        time.tzset()


def delays_of(p50: float) -> Delays:
    """Delays such as a machine with nothing else to do has."""
    edges = tuple(float(each) for each in np.arange(p50 - 24, p50 + 32, 4))
    bars = np.exp(-0.5 * ((np.asarray(edges[:-1]) + 2 - p50) / 9) ** 2)
    return Delays(
        p50,
        p50 + 18,
        p50 + 21,
        p50 + 27,
        p50,
        p50 + 24,
        _STAGES_MS,
        edges,
        tuple(map(int, 1000 * bars)),
        0.06,
    )


class Played:
    """A run that was played to its end: what it was, and every frame of it in order."""

    def __init__(
        self, *sources: SourceSettings, noise: Callable[[float], NoiseSettings] | None = None
    ) -> None:
        """`noise` may tell another noise for every ten seconds."""
        self.job = Job(sources=sources, clean=CLEAN)
        session = Session(self.job)
        self.started = Started(
            tuple(named(session.started(stream), len(sources) > 1) for stream in session.streams)
        )
        self.frames: list[Frame] = []
        fs = self.started.streams[0].info.fs
        numbers = {each.info.source_id: number for number, each in enumerate(self.started.streams)}
        told = dict.fromkeys(numbers, 0.0)
        loud = 0.0
        # The end of a signal leaves without its look-ahead: the page is that of a run that goes on.
        end_s = sources[0].seconds - 1.0

        def show(message) -> None:
            nonlocal loud
            seconds = message.stop / fs
            if seconds > end_s:
                return
            if isinstance(message, Emitted):
                stamps = np.arange(message.start, message.stop) / fs
                released_ns = round(1e9 * (stamps[-1] + _LEAVES_AFTER_S))
                self.frames.append(replace(message.released(), source_time=stamps, released_ns=released_ns))
                self.frames.append(message.preview())
            else:
                self.frames.append(message)
            if noise and seconds >= loud:
                session.set_noise(noise(seconds))
                loud = seconds + 10.0
            if seconds >= told[message.stream]:
                status = session.status(numbers[message.stream])
                self.frames.append(replace(status, delays=delays_of(128.0), state="LIVE", sample_age_s=0.0))
                told[message.stream] = seconds + _STATUS_S

        session.run(show=show)

    def show(self, window: MainWindow) -> None:
        """Have a window show it as if its last sample had just come."""
        window.attach(self.started)
        finder = BeatFinder()
        run, due = window.run, 0.0
        named = {each.info.source_id: each for each in run.monitors}
        for frame in self.frames:
            shown = named[frame.stream]
            if isinstance(frame, Cleaned):
                CLOCK.now = max(CLOCK.now, frame.released_ns / 1e9 + _PAINTED_S)
            shown.take([frame])
            shown.painting.drawn(seen=True)
            if CLOCK.now >= due:
                due = CLOCK.now + _SEARCH_S
                for each in run.monitors:
                    if not each.buffer.empty:
                        each.take_vitals(_search(finder, each.buffer))
                run.take_trends()
        finder.close()


def named(stream: StartedStream, bed: bool) -> StartedStream:
    """A stream that is called after its bed, where there are several."""
    name = f"bed {stream.number}" if bed else stream.info.name
    return replace(stream, info=replace(stream.info, name=name))


def _search(finder: BeatFinder, buffer):
    finder.ask(buffer, 0)
    while (found := finder.take()) is None:
        time.sleep(0.001)
    return found
