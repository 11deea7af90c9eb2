"""What a screen does to the engine beside it."""

from typing import Any

import numpy as np
from PyQt6.QtCore import QEventLoop, QTimer

from engine.run.protocol import Job
from engine.run.supervised import SupervisedEngine
from gui.bridge import Life
from gui.main_window import FRAME_MS
from gui.screen_profile.window import open_window
from gui.settings import Settings
from streamer.settings import SourceSettings


def profile_engine(seconds: float) -> dict[str, Any]:
    """Run one engine alone and one with the screen, at once, so that a busy machine hits both alike."""
    job = Job((SourceSettings(noise="em", seconds=seconds),))
    with SupervisedEngine(job) as alone:
        alone.wait_started()
        window = open_window(Settings(), job)
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
