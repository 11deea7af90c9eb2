"""What the screen costs: frames, memory over hours, and what it does to the engine beside it.

Signals are fed in faster than life, the clock is not: hours pass in seconds, and each frame that is
timed draws what a frame at real speed would have to draw.
"""

import statistics
import time
import tracemalloc
from dataclasses import dataclass
from typing import Any

import numpy as np
import psutil
from PyQt6.QtCore import QEventLoop, QTimer
from PyQt6.QtWidgets import QApplication

from engine.messages import Cleaned, Preview
from engine.run.protocol import CleanSettings, Frame, Job, Setup, Started, StartedStream
from engine.run.supervised import SupervisedEngine
from gui.bridge import Life
from gui.main_window import FRAME_MS, MainWindow
from gui.settings import Settings
from gui.trace_buffer import KEPT_S
from gui.view_options import ViewOptions
from streamer.chunk import StreamInfo
from streamer.settings import SourceSettings
from streamer.synthetic import SyntheticPatient

SIZE = (1920, 1080)
HOP_S = 0.04
LOOKAHEAD_S = 0.3
_TRACED_S = 240.0
_LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


@dataclass(frozen=True)
class Load:
    """How much there is to draw: leads at a rate, each in `lanes_per_lead` lanes."""

    name: str
    leads: int
    fs: float
    residual: bool

    @property
    def lanes(self) -> int:
        """Lanes on the screen."""
        return self.leads * (4 if self.residual else 2)


LOADS = (
    Load("4 lanes at 360 Hz", 1, 360.0, residual=True),
    Load("16 lanes at 500 Hz", 8, 500.0, residual=False),
)


class _Feed:
    """Hops of a noisy signal as the engine would send them, at any speed."""

    def __init__(self, load: Load) -> None:
        leads = _LEADS[: load.leads]
        patient = SyntheticPatient(fs=load.fs, leads=leads)
        self.info = StreamInfo(load.fs, leads, "profile", "profile", has_reference=load.residual)
        self._hop, self._ahead = round(HOP_S * load.fs), round(LOOKAHEAD_S * load.fs)
        reference = patient.read(0, round(60 * load.fs)).data
        noise = np.random.default_rng(0).normal(0, 0.05, reference.shape).astype(np.float32)
        self._reference, self._raw = reference, reference + noise
        self._spread = np.full((len(leads), self._hop), 0.02, np.float32)
        self._marks = np.zeros((len(leads), self._hop), np.uint8)
        self.start = 0

    def hop(self) -> list[Frame]:
        """The next hop, and what is known ahead of it."""
        at = self.start % (self._reference.shape[1] - self._hop - self._ahead)
        emitted, ahead = slice(at, at + self._hop), slice(at + self._hop, at + self._hop + self._ahead)
        raw, reference = self._raw, self._reference
        times = time.perf_counter() - LOOKAHEAD_S + np.arange(-self._hop, 0) / self.info.fs
        message = Cleaned(
            "profile",
            self.start,
            raw[:, emitted],
            reference[:, emitted],
            self._spread,
            reference[:, emitted] if self.info.has_reference else None,
            self._marks,
            times,
            (),
        )
        self.start += self._hop
        return [message, Preview("profile", self.start, raw[:, ahead], reference[:, ahead])]


def profile_screen(hours: float = 4.0, frames: int = 600, seconds: float = 30.0) -> dict[str, Any]:
    """Measure it all, one after the other; times in ms.

    Parameters
    ----------
    hours
        Signal that passes over the screen between the first frames and the last.
    frames
        Frames that are timed before and after.
    seconds
        How long the engine runs, once alone and once with the screen.
    """
    application = QApplication.instance() or QApplication(["ecg-stream"])
    platform = QApplication.platformName()
    figures: dict[str, Any] = {"platform": platform, "size": list(SIZE), "hours": hours}
    for load in LOADS:
        figures[load.name] = _profile_load(load, hours, frames)
    figures["engine"] = _profile_engine(seconds)
    application.processEvents()
    return figures


def _profile_load(load: Load, hours: float, frames: int) -> dict[str, Any]:
    feed = _Feed(load)
    settings = Settings()
    settings.options = ViewOptions(layout="stacked", residual=load.residual, gain=0.0)
    window = _window(settings, None)
    view = window.page.view
    clean = CleanSettings(backend="onnx", lookahead_ms=1000 * LOOKAHEAD_S, hop_ms=1000 * HOP_S)
    window.attach(Started((StartedStream(feed.info, Setup(clean, 340.0)),)))
    young = _time_frames(window, feed, frames)
    timer = _count_timer_frames(window, feed)
    # A lap first: until then the rings and Qt's caches still fill.
    _pass(window, feed, KEPT_S + 60.0)
    resident = _resident_kib()
    _pass(window, feed, 3600 * hours)
    resident = _resident_kib() - resident
    # Tracing makes everything several times slower: minutes must do.
    tracemalloc.start()
    _pass(window, feed, _TRACED_S / 2)
    traced = tracemalloc.get_traced_memory()[0]
    _pass(window, feed, _TRACED_S / 2)
    traced = tracemalloc.get_traced_memory()[0] - traced
    tracemalloc.stop()
    old = _time_frames(window, feed, frames)
    result = {
        "lanes": len(view.lanes),
        "page_s": view.sweep.width / view.calibration.px_per_s,
        "frame_ms": young,
        "frame_ms_after_hours": old,
        "ratio_of_cpu_medians": old["cpu_p50"] / young["cpu_p50"],
        "timer": timer,
        "resident_growth_kib": resident,
        "traced_growth_kib": traced / 1024,
    }
    window.close()
    return result


def _window(settings: Settings, job: Job | None) -> MainWindow:
    window = MainWindow(job, job or Job((SourceSettings(),)), (), settings)
    window.resize(*SIZE)
    window.show()
    QApplication.processEvents()
    return window


def _frame(window: MainWindow, messages: list[Frame]) -> None:
    """What the window's own timer does, but painted before this returns."""
    if window.run.monitor:
        window.run.monitor.take(messages)
        window.page.view.repaint(window.page.view.advance())


def _time_frames(window: MainWindow, feed: _Feed, frames: int) -> dict[str, float]:
    """Time from a hop's arrival until it is painted, every frame with a hop of new signal."""
    took, used = [], []
    for _ in range(frames):
        messages = feed.hop()
        begun, cpu = time.perf_counter(), time.thread_time()
        _frame(window, messages)
        used.append(1000 * (time.thread_time() - cpu))
        took.append(1000 * (time.perf_counter() - begun))
        QApplication.processEvents()
    return {
        "p50": float(np.percentile(took, 50)),
        "p99": float(np.percentile(took, 99)),
        "max": max(took),
        # What others on the machine took away is not in these.
        "cpu_p50": float(np.percentile(used, 50)),
        "cpu_p99": float(np.percentile(used, 99)),
        "frames_per_s": 1000 / statistics.fmean(took),
    }


def _count_timer_frames(window: MainWindow, feed: _Feed, seconds: float = 4.0) -> dict[str, float]:
    """Frames that a timer of `FRAME_MS` brings about when each has something to draw."""
    stamps: list[float] = []
    loop = QEventLoop()

    def frame() -> None:
        _frame(window, feed.hop())
        stamps.append(time.perf_counter())

    timer = QTimer()
    timer.setTimerType(timer.timerType().PreciseTimer)
    timer.timeout.connect(frame)
    timer.start(FRAME_MS)
    QTimer.singleShot(round(1000 * seconds), loop.quit)
    loop.exec()
    timer.stop()
    gaps = 1000 * np.diff(stamps)
    return {
        "frames_per_s": (len(stamps) - 1) / (stamps[-1] - stamps[0]),
        "interval_p99_ms": float(np.percentile(gaps, 99)),
    }


def _pass(window: MainWindow, feed: _Feed, seconds: float) -> None:
    """Let signal pass; a frame is painted for every second of it."""
    for index in range(round(seconds / HOP_S)):
        if index % round(1 / HOP_S) == 0:
            _frame(window, feed.hop())
            QApplication.processEvents()
        elif window.run.monitor:
            window.run.monitor.take(feed.hop())


def _resident_kib() -> int:
    return int(psutil.Process().memory_info().rss) // 1024


def _profile_engine(seconds: float) -> dict[str, Any]:
    """Run one engine alone and one with the screen, at once, so that a busy machine hits both alike."""
    job = Job((SourceSettings(noise="em", seconds=seconds),))
    with SupervisedEngine(job) as alone:
        alone.wait_started()
        window = _window(Settings(), job)
        ages: list[float] = []
        loop = QEventLoop()

        def look() -> None:
            list(alone.frames())
            bridge, monitor = window.run.bridge, window.run.monitor
            if bridge is None or bridge.life in (Life.ENDED, Life.DEAD):
                loop.quit()
            elif monitor and monitor.buffer.final_time == monitor.buffer.final_time:
                ages.append(1000 * monitor.age_s)

        timer = QTimer()
        timer.timeout.connect(look)
        timer.start(5)
        loop.exec()
        timer.stop()
        headless = None
        while headless is None:
            headless = alone.finished(1.0)
    shown = window.run.outcome
    window.close()
    if shown is None:
        raise RuntimeError("the engine with the screen ended without an outcome")
    with_screen, without = (outcome.summary.streams[0].delay_ms for outcome in (shown, headless))
    hop_ms = shown.summary.hop_ms
    p50, p99 = np.percentile(ages[20:], [50, 99])
    return {
        "seconds": seconds,
        "p99_with_screen_ms": with_screen.p99,
        "p99_headless_ms": without.p99,
        "ratio": with_screen.p99 / without.p99,
        "p50_with_screen_ms": with_screen.p50,
        "p50_headless_ms": without.p50,
        "age_p50_ms": float(p50),
        "age_p99_ms": float(p99),
        "age_allowed_ms": with_screen.p99 + hop_ms + 2 * FRAME_MS,
    }
