"""A window to time, and the figures of its frames."""

import statistics

import numpy as np
from PyQt6.QtWidgets import QApplication

from engine.run.protocol import Job
from gui.main_window import MainWindow
from gui.settings import Settings
from streamer.settings import SourceSettings

SIZE = (1920, 1080)


def open_window(settings: Settings, job: Job | None) -> MainWindow:
    """Open one of `SIZE` pixels, with a job or with the start screen's."""
    window = MainWindow(job, job or Job((SourceSettings(),)), (), settings)
    window.resize(*SIZE)
    window.show()
    QApplication.processEvents()
    return window


def figures_of(took: list[float], used: list[float]) -> dict[str, float]:
    """Percentiles of wall time and CPU time, ms."""
    return {
        "p50": float(np.percentile(took, 50)),
        "p99": float(np.percentile(took, 99)),
        "max": max(took),
        # What others on the machine took away is not in these.
        "cpu_p50": float(np.percentile(used, 50)),
        "cpu_p99": float(np.percentile(used, 99)),
        "frames_per_s": 1000 / statistics.fmean(took),
    }
