"""One bed: frames of many lanes, before and after hours of signal."""

import time
import tracemalloc
from typing import Any

import numpy as np
import psutil
from PyQt6.QtCore import QEventLoop, QTimer
from PyQt6.QtWidgets import QApplication

from engine.run.protocol import Frame, Started
from gui.main_window import FRAME_MS, MainWindow
from gui.screen_profile.feed import HOP_S, Feed, Load
from gui.screen_profile.window import open_window, time_frames
from gui.settings import Settings
from gui.trace_buffer import KEPT_S
from gui.view_options import ViewOptions

_TRACED_S = 240.0


def profile_lanes(load: Load, hours: float, frames: int) -> dict[str, Any]:
    """Time frames of one load before and after hours of signal, and say what they left in memory."""
    feed = Feed(load)
    settings = Settings()
    settings.options = ViewOptions(layout="stacked", residual=load.residual, gain=0.0)
    window = open_window(settings, None)
    view = window.page.view
    window.attach(Started((feed.started(),)))
    young = _time_frames(window, feed, frames)
    timer = _count_timer_frames(window, feed)
    # A lap first: until then the rings and Qt's caches still fill.
    _pass(window, feed, KEPT_S + 60.0)
    resident = _resident_kib()
    halves = _pass_half_hours(window, feed, hours)
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
        "first_half_hour": halves[0],
        "last_half_hour": halves[-1],
        "resident_growth_kib": resident,
        "traced_growth_kib": traced / 1024,
    }
    window.close()
    return result


def _frame(window: MainWindow, messages: list[Frame]) -> None:
    """What the window's own timer does, but painted before this returns."""
    if window.run.monitor:
        window.run.monitor.take(messages)
        window.page.view.repaint(window.page.view.advance())


def _time_frames(window: MainWindow, feed: Feed, frames: int) -> dict[str, float]:
    """Time frames of which each has a hop of new signal."""
    return time_frames(frames, feed.hop, lambda messages: _frame(window, messages))


def _count_timer_frames(window: MainWindow, feed: Feed, seconds: float = 4.0) -> dict[str, float]:
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


def _pass_half_hours(window: MainWindow, feed: Feed, hours: float) -> list[dict[str, float]]:
    """Let hours pass, and say of each half hour what was resident at its end, and what a frame cost.

    The half hour that is kept is looked back at in each: the page stands still, goes to the oldest that there
    is, and is released.
    """
    found = []
    halves = max(2, round(2 * hours))
    for _ in range(halves):
        used = _pass(window, feed, 3600 * hours / halves)
        for command in ("Freeze", "|◀"):
            window.commands[command].trigger()
            QApplication.processEvents()
        window.commands["Freeze"].trigger()
        figures = {
            "resident_kib": float(_resident_kib()),
            "paint_cpu_p50_ms": float(np.percentile(used, 50)),
            "paint_cpu_p99_ms": float(np.percentile(used, 99)),
        }
        found.append(figures)
    return found


def _pass(window: MainWindow, feed: Feed, seconds: float) -> list[float]:
    """Let signal pass; a frame is painted for every second of it: returns the CPU time of each, ms."""
    used = []
    for index in range(max(1, round(seconds / HOP_S))):
        hop = feed.hop()
        if index % round(1 / HOP_S) == 0:
            begun = time.thread_time()
            _frame(window, hop)
            used.append(1000 * (time.thread_time() - begun))
            QApplication.processEvents()
        elif window.run.monitor:
            window.run.monitor.take(hop)
    return used


def _resident_kib() -> int:
    return int(psutil.Process().memory_info().rss) // 1024
