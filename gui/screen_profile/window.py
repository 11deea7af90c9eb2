"""A window to time, and the figures of its frames."""

import statistics
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from PyQt6.QtWidgets import QApplication

from engine.run.protocol import Job
from gui.main_window import MainWindow
from gui.settings import Settings
from streamer.settings import SourceSettings

SIZE = (1920, 1080)
Brought = TypeVar("Brought")


def open_window(settings: Settings, job: Job | None) -> MainWindow:
    """Open one of `SIZE` pixels, with a job or with the start screen's."""
    window = MainWindow(job, job or Job((SourceSettings(),)), (), settings)
    window.resize(*SIZE)
    window.show()
    QApplication.processEvents()
    return window


def time_frames(
    frames: int, bring: Callable[[], Brought], draw: Callable[[Brought], None]
) -> dict[str, float]:
    """Time from the arrival of what is new until it is drawn, ms: wall time, and CPU time of this thread."""
    took, used = [], []
    for _ in range(frames):
        new = bring()
        begun, cpu = time.perf_counter(), time.thread_time()
        draw(new)
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
